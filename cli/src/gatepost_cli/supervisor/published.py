"""What `state.json` says of a stack that runs, for as long as it runs.

`supervisor.launch` makes one and tells it what changes. A file that cannot be written, as on a full disk, is no reason
to stop a stack that works: it is written as soon as it can be.
"""

import asyncio
from dataclasses import replace
from typing import Any

from gatepost_cli import console, state
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed

AGAIN_SECONDS = 5.0


class Published:
    """Writes the state at once, and whenever it changes; used on the event loop.

    Args:
        where: the data folder.
        first: what is known at the start.

    Raises:
        CommandFailed: the first state cannot be written.
    """

    def __init__(self, where: DataDir, first: state.State) -> None:
        self.current = first
        self._where = where
        self._again: asyncio.TimerHandle | None = None
        state.write(where, first)

    def change(self, **fields: Any) -> None:
        """Replace fields of the state."""
        self.current = replace(self.current, **fields)
        if self._again is None:
            self._write(known=False)

    def _write(self, *, known: bool) -> None:
        self._again = None
        try:
            state.write(self._where, self.current)
        except CommandFailed as failure:
            if not known:
                console.progress(f"{failure.message}; until it can, `gatepost status` tells what was before")
            self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, lambda: self._write(known=True))
