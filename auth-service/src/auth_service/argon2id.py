"""Argon2id, by the quicker of two libraries that write the same PHC strings and read each other's. Run by `passwords`.

libsodium (PyNaCl) finds AVX2 and AVX-512 at run time: 16 ms of CPU a hash of 19 MiB, where the wheel of argon2-cffi,
made for any x86-64, takes 22, and one that was compiled for the very machine 12. So they race once, at the start. What
libsodium does not do (several lanes, Argon2i, Argon2d) argon2-cffi does.
"""

import re
from collections.abc import Callable
from time import thread_time

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from nacl.exceptions import InvalidkeyError
from nacl.pwhash import argon2id as sodium

_KIB = 1024
# One that was compiled for the machine is a third faster, one that was not is slower: what lies between is noise.
_DOUBT = 0.85
_ROUNDS = 5  # the first takes memory from the system, which one of them keeps; and others may be at work
# What libsodium reads: one lane, 8 bytes of salt and 16 of hash or more, and not longer than its own.
_ONE_LANE = re.compile(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=1\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}")
_LONGEST = 127


class Argon2id:
    """Hashes and verifies at one cost. Every call but `is_of_this_cost` takes milliseconds and lets go of the GIL.

    Args:
        memory_kib: Memory of one hash.
        iterations: Passes of one hash.
        parallelism: Lanes of one hash.
    """

    def __init__(self, *, memory_kib: int, iterations: int, parallelism: int) -> None:
        self._reference = PasswordHasher(time_cost=iterations, memory_cost=memory_kib, parallelism=parallelism)
        self._iterations = iterations
        self._memory = memory_kib * _KIB
        self.choose(sodium=parallelism == 1 and _cost(self._hash_by_sodium) * _DOUBT < _cost(self._reference.hash))

    def choose(self, *, sodium: bool) -> None:
        """Leave the work to libsodium where it can do it, or to argon2-cffi."""
        self.hash: Callable[[bytes], str] = self._hash_by_sodium if sodium else self._reference.hash
        self._verify_one_lane = _verify_by_sodium if sodium else self._verify_by_reference
        self.library = "libsodium" if sodium else "argon2-cffi"

    def verify(self, encoded: str, secret: bytes) -> bool:
        """Say whether a secret fits a hash; what is no Argon2 hash fits nothing."""
        if len(encoded) <= _LONGEST and _ONE_LANE.fullmatch(encoded):
            return self._verify_one_lane(encoded, secret)
        return self._verify_by_reference(encoded, secret)

    def is_of_this_cost(self, encoded: str) -> bool:
        """Say whether a hash that something has fitted was made like a new one."""
        return not self._reference.check_needs_rehash(encoded)

    def _hash_by_sodium(self, secret: bytes) -> str:
        return sodium.str(secret, opslimit=self._iterations, memlimit=self._memory).decode()

    def _verify_by_reference(self, encoded: str, secret: bytes) -> bool:
        try:
            return self._reference.verify(encoded, secret)
        except (VerificationError, InvalidHashError):
            return False


def _verify_by_sodium(encoded: str, secret: bytes) -> bool:
    try:
        return sodium.verify(encoded.encode(), secret)
    except InvalidkeyError:
        return False


def _cost(work: Callable[[bytes], str]) -> float:
    """Return seconds of CPU, once it has what it needs."""
    least = float("inf")
    for _ in range(_ROUNDS):
        before = thread_time()
        work(b"a word to measure with")
        least = min(least, thread_time() - before)
    return least
