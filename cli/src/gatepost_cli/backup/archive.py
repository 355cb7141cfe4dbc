"""The file of a backup: a tar whose last members are `manifest.json` and `SHA256SUMS`.

Half a backup is never found under the name (`private_file`), and none is read before every member was compared with its
sum. `tar xf FILE && sha256sum -c SHA256SUMS` does the same by hand.
"""

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gatepost_cli import private_file
from gatepost_cli.errors import CommandFailed

FORMAT = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
DIGITS = 6
Document = dict[str, Any]


@contextmanager
def writing(path: Path) -> Iterator["Writer"]:
    """Yield a backup to be written and, last, finished; it is at `path` when the block is left.

    Raises:
        CommandFailed: something is there.
        OSError: it cannot be written.
    """
    if path.exists():
        raise CommandFailed(f"{path} exists already; give another name")
    with private_file.replacing(path) as file, tarfile.open(fileobj=file, mode="w:") as tar:
        yield Writer(tar)


class Writer:
    """A backup being written.

    Args:
        tar: what it becomes.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._sums: list[str] = []
        self._now = int(time.time())

    def add(self, name: str, content: bytes) -> None:
        """Add a member."""
        self._put(name, content)
        self._sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")

    def finish(self, manifest: Document) -> None:
        """Add the manifest and the sums."""
        self.add(MANIFEST, json.dumps(manifest, indent=2).encode())
        self._put(SUMS, "".join(self._sums).encode())

    def _put(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = len(content), private_file.MODE, self._now
        self._tar.addfile(member, io.BytesIO(content))


@contextmanager
def reading(path: Path) -> Iterator["Reader"]:
    """Yield a backup whose every byte was found to be what was written.

    Raises:
        CommandFailed: it cannot be read, is damaged or cut off, or is of a later format.
    """
    with ExitStack() as ending:
        try:
            found = Reader(path, ending.enter_context(tarfile.open(path, mode="r:")))
        except (tarfile.TarError, OSError, KeyError, ValueError) as error:
            raise CommandFailed(f"{path} is no whole backup: {error}") from error
        yield found


class Reader:
    """A backup that can be read; see `reading`."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members = {member.name: member for member in tar if member.isreg()}
        self._check(path)
        self.manifest = _manifest(self.read(MANIFEST))
        if self.manifest["format"] != FORMAT:
            raise CommandFailed(f"{path} is of format {self.manifest['format']}: a newer Gatepost made it")

    def has(self, name: str) -> bool:
        """Tell whether there is such a member."""
        return name in self._members

    def read(self, name: str) -> bytes:
        """Return a member's content."""
        file = self._tar.extractfile(self._members[name])
        if file is None:
            raise KeyError(name)
        return file.read()

    def below(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Yield the members below a folder, in order: their names within it and contents."""
        prefix = f"{folder}/"
        for name in self._members:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), self.read(name)

    def _check(self, path: Path) -> None:
        if SUMS not in self._members:
            raise CommandFailed(f"{path} is no whole backup: its end is missing")
        sums = dict(line.split("  ")[::-1] for line in self.read(SUMS).decode().splitlines())
        if sums.keys() != self._members.keys() - {SUMS}:
            raise CommandFailed(f"{path} is damaged: its members are not those it was written with")
        for name, wanted in sums.items():
            if hashlib.sha256(self.read(name)).hexdigest() != wanted:
                raise CommandFailed(f"{path} is damaged: {name} is not what was written")


def _manifest(content: bytes) -> Document:
    try:
        found = json.loads(content)
    except RecursionError:
        found = None
    if not isinstance(found, dict) or "format" not in found:
        raise ValueError(f"{MANIFEST} is none")
    return found


def part(folder: str, number: int) -> str:
    """Return the name of the part with this number of what lies in a folder."""
    return f"{folder}/{number:0{DIGITS}}"
