"""Pictures' files in a folder: `ab/cd/<id>-<size>`, after the id's first digits, so that no folder grows large.

Instances share the folder. A file is written beside its place and then moved there, so a reader sees all of it or none.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from user_service.media import checked, unavailable

_DIGITS = 2
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
T = TypeVar("T")


class FolderMedia:
    """A `Media`.

    Args:
        root: The folder; made, closed to others, when the first file is.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, content: bytes) -> None:
        """See Media.put."""
        path = self._path(key)
        await _in_thread(lambda: _write(self._root, path, content))

    async def get(self, key: str) -> bytes | None:
        """See Media.get."""
        path = self._path(key)
        return await _in_thread(lambda: _read(path))

    async def delete(self, key: str) -> None:
        """See Media.delete."""
        path = self._path(key)

        def work() -> None:
            for each in (_part(path), path):
                each.unlink(missing_ok=True)

        await _in_thread(work)

    async def close(self) -> None:
        """See Media.close."""

    def found(self) -> Iterator[set[str]]:
        """Yield the ids of the pictures that there are files of, some at a time."""
        for folder in self._root.glob("??/??"):
            yield {file.name.partition("-")[0] for file in folder.iterdir()}

    def _path(self, key: str) -> Path:
        picture_id, _, size = checked(key).partition("/")
        return self._root / picture_id[:_DIGITS] / picture_id[_DIGITS : 2 * _DIGITS] / f"{picture_id}-{size}"


def _write(root: Path, path: Path, content: bytes) -> None:
    _make(path.parent, root)
    part = _part(path)
    with os.fdopen(os.open(part, _FRESH, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync(path.parent)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _make(folder: Path, root: Path) -> None:
    """Make the folder and those above it; each new one survives a crash before anything is written into it."""
    if folder.is_dir():
        return
    if folder == root:
        folder.parent.mkdir(parents=True, exist_ok=True)
    else:
        _make(folder.parent, root)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise unavailable(error, errno.errorcode.get(error.errno or 0, "")) from error
