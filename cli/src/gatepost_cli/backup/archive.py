"""The file of a backup: a tar whose last members are `manifest.json` and `SHA256SUMS`.

Written under another name with mode 0600, synced and renamed, so half a backup is never found under the name. Read only
after every member was compared with its sum. `tar xf FILE && sha256sum -c SHA256SUMS` does the same by hand.
"""

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from gatepost_cli.errors import CommandFailed

FORMAT = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
MODE = 0o600
DIGITS = 6
Document = dict[str, Any]


class Writer:
    """A backup being written; `finish` it, or leave the block and nothing is left.

    Args:
        path: where it is to be; nothing may be there.

    Raises:
        CommandFailed: something is there, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        if path.exists():
            raise CommandFailed(f"{path} exists already; give another name")
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, MODE)
        except OSError as error:
            raise CommandFailed(f"{self._part} cannot be written: {error.strerror}") from error
        os.fchmod(descriptor, MODE)
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:")  # noqa: SIM115 closed at the end of the block
        self._sums: list[str] = []
        self._now = int(time.time())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, name: str, content: bytes) -> None:
        """Add a member."""
        self._put(name, content)
        self._sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")

    def finish(self, manifest: Document) -> int:
        """Add the manifest and the sums, and give the file its name; return its size in bytes."""
        self.add(MANIFEST, json.dumps(manifest, indent=2).encode())
        self._put(SUMS, "".join(self._sums).encode())
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._part.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return size

    def _put(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = len(content), MODE, self._now
        self._tar.addfile(member, io.BytesIO(content))


class Reader:
    """A backup whose every byte was found to be what was written.

    Args:
        path: the file.

    Raises:
        CommandFailed: it cannot be read, is damaged or cut off, or is of a later format.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tar = tarfile.open(path, mode="r:")  # noqa: SIM115 ends with the command
            self._members = {member.name: member for member in self._tar if member.isreg()}
            self._check(path)
            self.manifest: Document = json.loads(self.read(MANIFEST))
        except (tarfile.TarError, OSError, KeyError, ValueError) as error:
            raise CommandFailed(f"{path} is no whole backup: {error}") from error
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


def part(folder: str, number: int) -> str:
    """Return the name of the part with this number of what lies in a folder."""
    return f"{folder}/{number:0{DIGITS}}"
