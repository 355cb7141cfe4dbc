"""The one exception that ends a command: a sentence for the person at the terminal.

Every module of the command raises it; `console.telling_failures` turns it into exit status 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class CommandFailed(Exception):  # noqa: N818  it reads as what happened, and no caller handles it as an error
    """What went wrong and, where known, what to do about it.

    Args:
        message: one sentence without secrets.
        details: further lines shown above it, such as the end of a process's output.
        facts: further members of the JSON document, beside `error`.
    """

    def __init__(self, message: str, details: Sequence[str] = (), facts: Mapping[str, Any] | None = None) -> None:
        super().__init__("\n".join((message, *details)))  # as a traceback shows it
        self.message = message
        self.details = tuple(details)
        self.facts = dict(facts or {})


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of an OSError within that the file cannot be written.

    Raises:
        CommandFailed: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror or error}") from error
