"""Files that only their owner can read: one has its name once it is whole, or never.

Backups, exported trails, lists and the documents of `private_json` are written by this.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MODE = 0o600


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield what takes the place of a file when the block is left; if that fails, nothing of it stays.

    Args:
        path: of the file.
        durable: wait until it is on the disk, so that a power cut does not take it back.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # of who was cut off; what somebody else puts there now is not opened
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if durable:
        _keep_names(path.parent)


def _keep_names(path: Path) -> None:
    """Put on the disk which files a folder has."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
