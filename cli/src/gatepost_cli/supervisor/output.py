"""Where the lines that a process prints go: to the terminal behind its name, or to a log file that is rotated.

A child of the supervisor owns one `Output` for its whole life, restarts included; it also remembers the last lines.
"""

import asyncio
import logging
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

from gatepost_cli import console

TAIL_LINES = 20
LINE_BYTES = 64 * 1024  # a longer one is cut
FILE_BYTES = 5 * 1024 * 1024
FILES_KEPT = 3


class Output:
    """Takes a process's output.

    Args:
        name: printed before each line; also the log file's name.
        logs: the folder for log files; None for the terminal.
    """

    def __init__(self, name: str, logs: Path | None) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._name = name
        self._file = (
            RotatingFileHandler(
                logs / f"{name}.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True
            )
            if logs
            else None
        )

    def write(self, text: str) -> None:
        """Take one line."""
        self.tail.append(text)
        if self._file is None:
            console.line(self._name, text)
        else:
            self._file.handle(logging.makeLogRecord({"msg": text}))

    async def copy(self, reader: asyncio.StreamReader) -> None:
        """Take everything the reader gives, until its end."""
        rest = b""
        while chunk := await reader.read(LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for each in lines:
                self.write(each.decode(errors="replace").rstrip("\r"))
            if len(rest) > LINE_BYTES:
                self.write(rest.decode(errors="replace"))
                rest = b""
        if rest:
            self.write(rest.decode(errors="replace"))

    def close(self) -> None:
        """Close the log file."""
        if self._file is not None:
            self._file.close()
