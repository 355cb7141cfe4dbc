"""Files that only their owner can read: one has its name once it is whole, or never.

Backups, exported trails, lists and the documents of `private_json` are written by this.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import samestat
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
        OSError: it cannot be written, or somebody else began to write it meanwhile.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # of who was cut off; what somebody else puts there now is not opened
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(descriptor)
            _rename(part, path, descriptor)
        except BaseException:
            if _has(part, descriptor):
                part.unlink()
            raise
    if durable:
        _keep_names(path.parent)


def _rename(part: Path, path: Path, descriptor: int) -> None:
    if not _has(part, descriptor):
        raise FileExistsError(errno.EEXIST, "another process began to write the same file", str(path))
    part.replace(path)


def _has(path: Path, descriptor: int) -> bool:
    """Say whether a name is that of an open file."""
    try:
        return samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _keep_names(path: Path) -> None:
    """Put on the disk which files a folder has."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
