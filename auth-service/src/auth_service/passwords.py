"""Passwords: whether one is right, and what a new one must not be. Argon2id in a bounded pool of threads.

Beyond the queue the answer is OVERLOADED, never a stalled event loop. An unknown user costs the same as a wrong
password (`burn`). The cost is stored in each hash and raised when its owner signs in.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import partial

from zxcvbn_rs_py import zxcvbn

from auth_service.argon2id import Argon2id
from auth_service.hashing import HashPool
from runtime.breached import BreachedPasswords
from runtime.errors import GatepostError, Reason, Rule, Violation

MAX_LENGTH = 256
_MIN_OWN_DATA_LENGTH = 5
# As many as its list of common passwords has, and some patterns: whatever is on the list is refused.
_COMMON_GUESSES = 50_000
_PRODUCT = "gatepost"
_SHORTEST_WORD = 3
_ESTIMATED_LENGTH = 72  # the estimate costs more than linear time, and a longer common password is none


class Passwords:
    """Hashes and verifies passwords.

    Args:
        argon2id: The work.
        pool: Where it is done.
        breached: No new password is one of these; None for no list beside that of common ones.
    """

    def __init__(self, argon2id: Argon2id, pool: HashPool, breached: BreachedPasswords | None = None) -> None:
        self._argon2id = argon2id
        self._pool = pool
        self._breached = breached
        self._decoy = argon2id.hash(b"no user has this password")

    def demand_room(self) -> None:
        """Refuse at once whom the queue has no room or no time for.

        Raises:
            GatepostError: OVERLOADED.
        """
        self._pool.demand_room()

    def check_new(
        self, password: str, min_length: int, own_data: Iterable[str] = (), context: Iterable[str] = ()
    ) -> None:
        """Check a new password; arguments and errors as of the function `check_new`, which see. Not breached either."""
        check_new(password, min_length, own_data, context)
        if self._breached is not None and _normalise(password) in self._breached:
            raise _weak("The password has been published in a breach of another service.", min_length)

    async def hash(self, password: str) -> str:
        """Return the encoded hash.

        Raises:
            GatepostError: OVERLOADED when too many hashes wait.
        """
        return await self._pool.run(partial(self._argon2id.hash, _secret(password)))

    async def verify(self, password: str, encoded: str | None) -> bool:
        """Say whether a password fits a hash.

        Without a hash (nobody has this address, or no password) it costs the same and never fits: see `burn`.

        Raises:
            GatepostError: OVERLOADED when too many hashes wait.
        """
        if not encoded or len(password) > MAX_LENGTH:
            return await self.burn(password)
        return bool(await self._pool.run(partial(self._argon2id.verify, encoded, _secret(password))))

    async def renew(self, password: str, encoded: str) -> str | None:
        """Return a hash at today's cost of a password that fits one of another cost; None if the cost is today's.

        Raises:
            GatepostError: OVERLOADED when too many hashes wait.
        """
        return None if self._argon2id.is_of_this_cost(encoded) else await self.hash(password)

    async def burn(self, password: str) -> bool:
        """Do the work of a verification that fails: for accounts that do not exist or have no password."""
        await self._pool.run(partial(self._argon2id.verify, self._decoy, _secret(password[:MAX_LENGTH])))
        return False

    def close(self) -> None:
        """End the threads."""
        self._pool.close()


def check_new(password: str, min_length: int, own_data: Iterable[str] = (), context: Iterable[str] = ()) -> None:
    """Check a new password (NIST SP 800-63B-4 section 3.1.1.2): length, not common, not the user's own data.

    Args:
        password: As typed; neither trimmed nor truncated.
        min_length: In characters.
        own_data: Address and names of the user.
        context: Names of the project; a guesser tries their words first, and the product's name.

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
    if _is_common(text, context):
        raise _weak("The password is too common.", min_length)


def _is_common(text: str, context: Iterable[str]) -> bool:
    """Say whether a guesser of common passwords and patterns is there within fifty thousand tries (zxcvbn)."""
    return bool(zxcvbn(text[:_ESTIMATED_LENGTH], _words(context)).guesses < _COMMON_GUESSES)


def _words(names: Iterable[str]) -> list[str]:
    """Return what a guesser tries before all else: names as people write them in one word, then their words."""
    split = [re.findall(r"\w+", name.casefold()) for name in (_PRODUCT, *names)]
    whole = [between.join(words) for between in ("", "-", "_", " ") for words in split]
    found = dict.fromkeys([*whole, *(word for words in split for word in words)])
    return [word for word in found if len(word) >= _SHORTEST_WORD]


def _weak(description: str, min_length: int) -> GatepostError:
    violation = Violation("password", Rule.WEAK, description)
    return GatepostError(
        Reason.WEAK_PASSWORD, description, violations=(violation,), metadata={"min_length": str(min_length)}
    )


def _secret(password: str) -> bytes:
    return _normalise(password).encode()


def _normalise(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
