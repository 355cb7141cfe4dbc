"""Proof of work at the forms of a project under attack: whoever sends one lets his machine calculate for a moment.

Asked for only while more goes wrong at the forms of a project than its operator finds usual. `sign_in`, `sign_up` and
`recovery` demand it before they hash or mail anything; the pages show what `offer` answers. Never demanded of apps: a
request without the field is not a form.

A challenge is kept nowhere: it says when it was made and how hard it is, under a MAC that names project and client
address. Valkey holds what was counted, and which challenges are spent. Without script a person waits instead: a
challenge is good by itself after a while, so many times for one address. See ADR 17.
"""

import hmac
import secrets
from dataclasses import dataclass

from auth_service.keys import KeyRing, digest
from auth_service.limits import Limit, Limiter, of_address
from auth_service.model import Proof, ProofDemand
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import missing
from runtime.valkey import Script, Valkey

LIFETIME_SECONDS = 600
_PURPOSE = "proof-of-work"
# Key id (2), when it was made (8, in milliseconds), difficulty (1), what makes it one of its kind (13), MAC (16).
_BODY_BYTES = 24
_MAC_BYTES = 16
_LENGTH = 2 * (_BODY_BYTES + _MAC_BYTES)
_LONGEST_NONCE = 16
_ATTEMPT_BYTES = 16
# Twice as hard with every doubling of what is counted, up to this many times.
_MOST_DOUBLINGS = 3

_LOOK = Script("return tonumber(redis.call('GET', KEYS[1]) or 0)")
# From where proofs are demanded, every further one prolongs the window: it ends when the attack does.
_COUNT = Script("""
local n = redis.call('INCR', KEYS[1])
if n == 1 or n >= tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return n
""")
# Once. ARGV[1] names the attempt, so that a script run twice because its answer was lost still is one; nothing that a
# client says, as the id of a request behind some proxies.
_SPEND = Script("""
local by = redis.call('GET', KEYS[1])
if by then return by == ARGV[1] and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")


@dataclass(frozen=True, slots=True)
class Terms:
    """When proofs are demanded, and how hard they are.

    Args:
        after: What may go wrong at a project's forms in a window before proofs are demanded; 0 for never.
        window_seconds: The window, and how long proofs are demanded after the last that went wrong.
        bits: Zero bits that the hash begins with; the work is two to the power of it, on average.
        wait_seconds: After which a challenge is good without work.
        waits: How many of those one client address may use.
    """

    after: int
    window_seconds: int
    bits: int
    wait_seconds: int
    waits: Limit


class ProofOfWork:
    """Counts what goes wrong, and makes and checks challenges.

    Args:
        valkey: Where what is counted and spent lives.
        keys: For the MAC.
        clock: For the age of challenges.
        limiter: Counts those who wait.
        terms: See Terms.
    """

    def __init__(self, valkey: Valkey, keys: KeyRing, clock: Clock, limiter: Limiter, terms: Terms) -> None:
        self._valkey = valkey
        self._keys = keys
        self._clock = clock
        self._limiter = limiter
        self._terms = terms

    async def offer(self, project: str) -> ProofDemand | None:
        """Return a challenge for the client at hand, None while nobody needs one.

        Args:
            project: Name of the project whose form is shown.
        """
        pressure = await self._valkey.run(_LOOK, _attack(project)) if self._terms.after else 0
        if pressure < max(1, self._terms.after):
            return None
        bits = self._terms.bits + min(_MOST_DOUBLINGS, (pressure // self._terms.after).bit_length() - 1)
        body = self._keys.active_id.to_bytes(2, "big") + self._now().to_bytes(8, "big") + bytes([bits])
        body += secrets.token_bytes(_BODY_BYTES - len(body))
        return ProofDemand((body + self._mac(body, project)).hex(), bits, self._terms.wait_seconds)

    async def demand(self, project: str, given: Proof | None, *, counted: bool = False) -> None:
        """Refuse a form without a proof, while they are demanded.

        Args:
            project: Name of the project whose form it is.
            given: What the form held; None for what is no form, which nothing is demanded of.
            counted: Whether the form counts whatever becomes of it: what costs a mail or makes an account.

        Raises:
            GatepostError: MISSING_PARAMETER of the field `proof`; RATE_LIMITED for who waits too often.
        """
        if given is None or not self._terms.after:
            return
        before = await self._count(project) - 1 if counted else await self._valkey.run(_LOOK, _attack(project))
        if before < self._terms.after or await self._redeem(project, given):
            return
        if not counted:
            await self._count(project)
        raise missing("proof")

    async def failed(self, project: str, given: Proof | None) -> None:
        """Count what went wrong at a form; for None nothing, as in `demand`."""
        if given is not None and self._terms.after:
            await self._count(project)

    async def _count(self, project: str) -> int:
        terms = self._terms
        count: int = await self._valkey.run(_COUNT, _attack(project), terms.after, terms.window_seconds * 1000)
        return count

    async def _redeem(self, project: str, given: Proof) -> bool:
        """Say whether a proof is right and new; from now on it is used."""
        try:
            raw = bytes.fromhex(given.challenge) if len(given.challenge) == _LENGTH else b""
        except ValueError:
            return False
        body, mac = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
        if not mac or not self._keys.knows(int.from_bytes(body[:2], "big")):
            return False
        age = (self._now() - int.from_bytes(body[2:10], "big")) / 1000
        if not hmac.compare_digest(self._mac(body, project), mac) or not 0 <= age <= LIFETIME_SECONDS:
            return False
        if not _worked(given, body[10]):
            if age < self._terms.wait_seconds:
                return False
            await self._limiter.take((self._terms.waits, of_address(current().client_address)))
        attempt = secrets.token_bytes(_ATTEMPT_BYTES)
        return bool(await self._valkey.run(_SPEND, _spent(body), attempt, LIFETIME_SECONDS * 1000))

    def _mac(self, body: bytes, project: str) -> bytes:
        whom = f"{project}\n{of_address(current().client_address)}".encode()
        return self._keys.mac(_PURPOSE, body + whom, int.from_bytes(body[:2], "big"))[:_MAC_BYTES]

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _worked(given: Proof, bits: int) -> bool:
    """Say whether SHA-256 of challenge, colon and nonce, as shown, begins with so many zero bits."""
    if not given.nonce.isascii() or not given.nonce.isdigit() or len(given.nonce) > _LONGEST_NONCE:
        return False
    hashed = digest(f"{given.challenge}:{given.nonce}")
    return int.from_bytes(hashed, "big") >> (8 * len(hashed) - bits) == 0


def _attack(project: str) -> str:
    return f"gatepost:{{proof-attack:{digest(project).hex()[:32]}}}"


def _spent(body: bytes) -> str:
    return f"gatepost:{{proof-spent:{digest(body).hex()[:32]}}}"
