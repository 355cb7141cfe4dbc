"""Passwords: Argon2id in a bounded pool of threads, and what a new password must not be.

Beyond the queue the answer is OVERLOADED, never a stalled event loop. An unknown user costs the same as a wrong
password (`burn`). The cost is stored in each hash and raised when its owner signs in.
"""

import asyncio
import os
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn_rs_py import zxcvbn

from runtime.costs import spend
from runtime.errors import GatepostError, Reason, Rule, Violation

MAX_LENGTH = 256
_MIN_OWN_DATA_LENGTH = 5
_RETRY_SECONDS = 1.0
_COMMON_GUESSES = 10_000
_ESTIMATED_LENGTH = 72  # the estimate costs more than linear time, and a longer common password is none
T = TypeVar("T")


class Passwords:
    """Hashes and verifies passwords.

    Args:
        memory_kib: Memory of one hash.
        iterations: Passes of one hash.
        parallelism: Lanes of one hash.
        workers: Threads; 0 means one a core.
        queue_size: Hashes that may wait for a thread.
    """

    def __init__(self, *, memory_kib: int, iterations: int, parallelism: int, workers: int, queue_size: int) -> None:
        self._hasher = PasswordHasher(time_cost=iterations, memory_cost=memory_kib, parallelism=parallelism)
        count = workers or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="hash")
        self._room = count + queue_size
        self._under_way = 0
        self._decoy = self._hasher.hash("no user has this password")

    async def hash(self, password: str) -> str:
        """Return the encoded hash.

        Raises:
            GatepostError: OVERLOADED when too many hashes wait.
        """
        return await self._in_pool(lambda: self._hasher.hash(_normalise(password)))

    async def verify(self, password: str, encoded: str | None) -> tuple[bool, str | None]:
        """Say whether a password fits a hash; with a new hash of it if the stored one is cheaper than today's.

        Without a hash (nobody has this address, or no password) it costs the same and never fits: see `burn`.

        Raises:
            GatepostError: OVERLOADED when too many hashes wait.
        """
        if not encoded:
            return await self.burn(password)

        def work() -> tuple[bool, str | None]:
            text = _normalise(password)
            try:
                self._hasher.verify(encoded, text)
            except (VerificationError, InvalidHashError):
                return False, None
            return True, self._hasher.hash(text) if self._hasher.check_needs_rehash(encoded) else None

        if len(password) > MAX_LENGTH:
            return await self.burn("")
        return await self._in_pool(work)

    async def burn(self, password: str) -> tuple[bool, str | None]:
        """Do the work of a verification that fails: for accounts that do not exist or have no password."""
        await self.verify(password[:MAX_LENGTH], self._decoy)
        return False, None

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _in_pool(self, work: Callable[[], T]) -> T:
        if self._under_way >= self._room:
            raise GatepostError(Reason.OVERLOADED, "too many password checks", retry_after_seconds=_RETRY_SECONDS)
        self._under_way += 1
        spend("hash")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1


def check_new(password: str, min_length: int, own_data: Iterable[str] = ()) -> None:
    """Check a new password (NIST SP 800-63B-4 section 3.1.1.2): length, not common, not the user's own data.

    Args:
        password: As typed; neither trimmed nor truncated.
        min_length: In characters.
        own_data: Address and names of the user.

    Raises:
        GatepostError: WEAK_PASSWORD on `password`.
    """
    text = _normalise(password[: MAX_LENGTH + 1])  # what is longer is refused before the work of normalising it
    if len(text) < min_length:
        raise _weak(f"The password must be at least {min_length} characters.", min_length)
    if len(password) > MAX_LENGTH or len(text) > MAX_LENGTH:
        raise _weak(f"The password may not be greater than {MAX_LENGTH} characters.", min_length)
    folded = text.casefold()
    for datum in own_data:
        for part in {datum.casefold(), datum.casefold().partition("@")[0]}:
            if len(part) >= _MIN_OWN_DATA_LENGTH and part in folded:
                raise _weak("The password may not contain your name or address.", min_length)
    if _is_common(text):
        raise _weak("The password is too common.", min_length)


def _is_common(text: str) -> bool:
    """Say whether a guesser of common passwords and patterns is there within its first ten thousand tries (zxcvbn)."""
    return bool(zxcvbn(text[:_ESTIMATED_LENGTH]).guesses < _COMMON_GUESSES)


def _weak(description: str, min_length: int) -> GatepostError:
    violation = Violation("password", Rule.WEAK, description)
    return GatepostError(
        Reason.WEAK_PASSWORD, description, violations=(violation,), metadata={"min_length": str(min_length)}
    )


def _normalise(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
