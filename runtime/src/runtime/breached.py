"""A list of breached passwords, looked up in its file: `gatepost passwords` makes it, auth-service asks it.

    magic (8) | 65,537 numbers of 8 bytes, little-endian | fingerprints of 5 bytes, in order

A password is the first 7 bytes of the SHA-1 of its UTF-8: the first 2 say which run of fingerprints it would be in (the
numbers are where each begins, counted in fingerprints), the other 5 are the fingerprint. That is 5 bytes a password and
half a megabyte beside; of a thousand million listed ones one in 70 million others is taken for listed. The file is
mapped, not read: it takes the memory that the system has to spare, shared by all processes.

The source is what Have I Been Pwned publishes: lines `SHA1:COUNT` in order.
"""

import hashlib
import mmap
from array import array
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Self

_MAGIC = b"gpbreach"
_RUNS = 1 << 16
_FANOUT_BYTES = 8 * (_RUNS + 1)
_HEAD_BYTES = len(_MAGIC) + _FANOUT_BYTES
_RUN_BYTES = 2
_WIDTH = 5
_SHA1_DIGITS = 40
_CHUNK_BYTES = 1 << 20


class BreachedPasswords:
    """The list. Its file may be replaced while it is in use; it is read anew at the next start.

    Args:
        content: What is in the file.
    """

    def __init__(self, content: "mmap.mmap | bytes") -> None:
        self._content = content
        self._begins = memoryview(content)[len(_MAGIC) : _HEAD_BYTES].cast("Q")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no such file, or not a whole one.
        """
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < _HEAD_BYTES:
                raise ValueError(f"{path} is no list that `gatepost passwords compile` has made")
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        made = cls(content)
        if content[: len(_MAGIC)] != _MAGIC or size != _HEAD_BYTES + _WIDTH * len(made):
            raise ValueError(f"{path} is no list that `gatepost passwords compile` has made, or not a whole one")
        return made

    def __len__(self) -> int:
        return self._begins[_RUNS]

    def __contains__(self, password: str) -> bool:
        sha1 = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
        run, wanted = int.from_bytes(sha1[:_RUN_BYTES], "big"), sha1[_RUN_BYTES : _RUN_BYTES + _WIDTH]
        low, high = self._begins[run], self._begins[run + 1]
        while low < high:
            middle = (low + high) // 2
            found = self._fingerprint(middle)
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False

    def _fingerprint(self, number: int) -> bytes:
        begin = _HEAD_BYTES + _WIDTH * number
        return bytes(self._content[begin : begin + _WIDTH])


def compile_list(lines: Iterable[str], out: BinaryIO, *, at_least: int = 1) -> int:
    """Write the list that lines `SHA1:COUNT` (or `SHA1` alone) make; return how many passwords it holds.

    Args:
        lines: In order of the hashes; upper or lower case, empty ones are passed over.
        out: An empty file that can be sought in.
        at_least: Passwords seen more rarely are left out.

    Raises:
        ValueError: A line is none of these, or not in order.
    """
    counts = array("Q", bytes(_FANOUT_BYTES))
    out.write(bytes(_HEAD_BYTES))
    before, chunk = b"", bytearray()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        digits, _, seen = text.partition(":")
        try:
            sha1 = bytes.fromhex(digits)
            rare = bool(seen) and int(seen) < at_least
        except ValueError:
            sha1 = b""
            rare = False
        if len(digits) != _SHA1_DIGITS or len(sha1) * 2 != _SHA1_DIGITS:
            raise ValueError(f"line {number} is not SHA1:COUNT")
        if sha1 < before:
            raise ValueError(f"line {number} is not in order: sort the file first")
        known = before[: _RUN_BYTES + _WIDTH]
        before = sha1
        if rare or sha1[: _RUN_BYTES + _WIDTH] == known:
            continue
        counts[int.from_bytes(sha1[:_RUN_BYTES], "big") + 1] += 1
        chunk += sha1[_RUN_BYTES : _RUN_BYTES + _WIDTH]
        if len(chunk) >= _CHUNK_BYTES:
            out.write(chunk)
            chunk.clear()
    out.write(chunk)
    begins = array("Q", accumulate(counts))
    out.seek(0)
    out.write(_MAGIC + begins.tobytes())
    return begins[_RUNS]
