"""The one exception that ends a command: a sentence for the person at the terminal.

Every module of the command raises it; `main` alone catches it and turns it into exit status 1.
"""

from collections.abc import Sequence


class CommandFailed(Exception):  # noqa: N818  it reads as what happened, and no caller handles it as an error
    """What went wrong and, where known, what to do about it.

    Args:
        message: one sentence without secrets.
        details: further lines shown below it, such as the end of a process's output.
    """

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
