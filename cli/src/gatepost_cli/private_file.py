"""Files that only their owner can read: one has its name once it is whole and on the disk, or never.

Backups, exported trails, lists and the documents of `private_json` are written by this.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MODE = 0o600


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield what takes the place of a file when the block is left; if that fails, nothing of it stays.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # of who was cut off; what somebody else puts there now is not opened
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
