"""The one Challenge engine: a question put to a person, answered by a six-digit code that went another way.

    open -> live -> claimed (answered right; tombstone until expiry)
                 -> dead (too many wrong answers, replaced by a newer one, or expired)

Lives in Valkey under one key per subject and purpose, so there is one live challenge for each; every step is one
script on that key. The handle hides the subject, and is alike for a decoy (an address without account), which cannot
be answered.
"""

import json
import secrets
from asyncio import gather
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from auth_service.keys import KeyRing, digest
from auth_service.limits import Limit, Limiter, of_address
from auth_service.model import OpenChallenge, Purpose
from auth_service.wrong_answers import WrongAnswers
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason
from runtime.valkey import Script, Valkey

_HANDLE_BYTES = 35  # key id (2), nonce (17), masked subject (16): 70 hex digits
HANDLE_LENGTH = 2 * _HANDLE_BYTES
CODE_LENGTH = 6
_NONCE = slice(2, 19)
_SUBJECT_BYTES = 16
_ATTEMPT_BYTES = 16
_CODE_SPAN = 900_000  # 100000 to 999999
_WRONG, _LAST_WRONG = 2, 3

_OPEN = Script("""
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'handle', ARGV[1], 'code', ARGV[2], 'data', ARGV[3], 'tries', 0)
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'key', ARGV[5], 'short', ARGV[6]) end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
""")
# 0: no such challenge or spent; 1: right; 2: wrong; 3: wrong, which has ended it. The stored code is a keyed hash:
# comparing it here leaks nothing. ARGV[4] names the attempt, so that a script run twice because its answer was lost
# still is one claim. ARGV[5] names the hash that is compared: `code` is bound to the handle itself, `short` to the hash
# of it, which is all we keep.
_CLAIM = Script("""
local v = redis.call('HMGET', KEYS[1], 'handle', ARGV[5], 'data', 'claimed')
if not v[1] or v[1] ~= ARGV[1] or (v[4] and v[4] ~= ARGV[4]) then return {0} end
if v[2] ~= ARGV[2] then
  if redis.call('HINCRBY', KEYS[1], 'tries', 1) < tonumber(ARGV[3]) then return {2, v[3]} end
  redis.call('DEL', KEYS[1])
  return {3, v[3]}
end
redis.call('HSET', KEYS[1], 'claimed', ARGV[4])
return {1, v[3]}
""")
_PEEK = Script("""
local v = redis.call('HMGET', KEYS[1], 'handle', 'data', 'claimed')
if not v[1] or v[1] ~= ARGV[1] or v[3] then return false end
return v[2]
""")
_LOOK = Script("""
local v = redis.call('HMGET', KEYS[1], 'handle', 'key', 'data', 'claimed')
if not v[1] or not v[2] or v[4] then return false end
return {v[1], v[2], v[3]}
""")
_RELEASE = Script("""
if redis.call('HGET', KEYS[1], 'handle') == ARGV[1] then redis.call('HDEL', KEYS[1], 'claimed') end
return 1
""")


@dataclass(frozen=True, slots=True)
class Opened:
    """A new challenge: what the client gets, and the code that is mailed."""

    challenge: OpenChallenge
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A challenge answered right: what was stored with it, and how to find it again."""

    data: dict[str, Any]
    key: str
    handle_hash: bytes


class GuessedAtError(GatepostError):
    """CHALLENGE_FAILED, by the wrong answer that ended the challenge. `data` is what was stored with it."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(Reason.CHALLENGE_FAILED)
        self.data = data


class Challenges:
    """Opens, claims and releases challenges.

    Args:
        valkey: Where they live.
        keys: For the keyed hash of codes and the mask of subjects.
        clock: For expiry times.
        limiter: Counts wrong answers over all challenges of a subject.
        wrong_answers: Records them.
        max_tries: Wrong answers that end one challenge.
        failures: Wrong answers after which no more challenges are opened for a subject.
        per_address: Wrong answers from one client address, over all subjects, after which none is looked at.
    """

    def __init__(
        self,
        valkey: Valkey,
        keys: KeyRing,
        clock: Clock,
        limiter: Limiter,
        wrong_answers: WrongAnswers,
        *,
        max_tries: int,
        failures: Limit,
        per_address: Limit,
    ) -> None:
        self._valkey = valkey
        self._keys = keys
        self._clock = clock
        self._limiter = limiter
        self._wrong_answers = wrong_answers
        self._max_tries = max_tries
        self._failures = failures
        self._per_address = per_address

    async def open(
        self,
        purpose: Purpose,
        subject: str,
        data: dict[str, Any],
        seconds: int,
        *,
        decoy: bool = False,
        by_subject: bool = False,
    ) -> Opened:
        """Open a challenge in place of an earlier one for the subject and purpose.

        Args:
            purpose: What for.
            subject: Whom it is about (project and normalised address), whether or not there is an account.
            data: Stored with it and returned by `claim`; `wrong_answers` names what of it a wrong answer's event says.
            seconds: Its lifetime.
            decoy: There is nobody to answer it, so no code will.
            by_subject: It can be answered without the handle too, by whoever says whom it is about (`claim_of`). A link
                that nobody can guess is mailed with it: after too many wrong answers it is opened as a decoy.

        Raises:
            GatepostError: RATE_LIMITED after too many wrong answers, unless `by_subject`.
        """
        hashed = _hashed(subject)
        key = _key(purpose, hashed)
        try:
            await self._limiter.check((self._failures, key))
        except GatepostError as error:
            if not by_subject or error.reason is not Reason.RATE_LIMITED:
                raise
            decoy = True
        key_id = self._keys.active_id
        head = key_id.to_bytes(2, "big") + secrets.token_bytes(17)
        handle = (head + _xor(hashed, self._keys.mac("challenge-mask", head, key_id))).hex()
        code = str(100_000 + secrets.randbelow(_CODE_SPAN))
        right = self._code_hash(handle, code)
        short = self._short_hash(digest(handle), code, key_id)
        if decoy:
            right, short = secrets.token_bytes(len(right)), secrets.token_bytes(len(short))
        named = (str(key_id), short) if by_subject else ("", "")
        await self._valkey.run(_OPEN, key, digest(handle), right, json.dumps(data), seconds * 1000, *named)
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        return Opened(OpenChallenge(handle, purpose, expires_at), code)

    async def peek(self, purpose: Purpose, handle: str) -> dict[str, Any]:
        """Return what is stored with a live challenge, decoy or not, without answering it.

        Raises:
            GatepostError: CHALLENGE_FAILED if there is none.
        """
        data = await self._valkey.run(_PEEK, await self._locate(purpose, handle), digest(handle))
        if data is None:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        found: dict[str, Any] = json.loads(data)
        return found

    async def claim(self, purpose: Purpose, handle: str, code: str) -> Claim:
        """Answer a challenge: at most one caller succeeds, ever.

        Raises:
            GatepostError: CHALLENGE_FAILED whatever is wrong, as GuessedAtError if that ended it; RATE_LIMITED after
                too many wrong answers.
        """
        key = await self._locate(purpose, handle)
        return await self._claim(key, digest(handle), self._code_hash(handle, code), "code")

    async def peek_of(self, purpose: Purpose, subject: str) -> dict[str, Any]:
        """Return what is stored with the live challenge of a subject, if it can be answered without its handle.

        Raises:
            GatepostError: CHALLENGE_FAILED if there is none.
        """
        _, _, data = await self._look(purpose, subject)
        found: dict[str, Any] = json.loads(data)
        return found

    async def claim_of(self, purpose: Purpose, subject: str, code: str) -> Claim:
        """Answer the challenge of a subject without its handle; else as `claim`.

        Raises:
            GatepostError: CHALLENGE_FAILED whatever is wrong; RATE_LIMITED after too many wrong answers.
        """
        handle_hash, key_id, _ = await self._look(purpose, subject)
        short = self._short_hash(handle_hash, code, int(key_id))
        return await self._claim(_key(purpose, _hashed(subject)), handle_hash, short, "short")

    async def _look(self, purpose: Purpose, subject: str) -> tuple[bytes, bytes, bytes]:
        found = await self._valkey.run(_LOOK, _key(purpose, _hashed(subject)))
        if found is None or not await self._keys.find(int(found[1])):
            raise GatepostError(Reason.CHALLENGE_FAILED)
        handle_hash, key_id, data = found
        return handle_hash, key_id, data

    async def _claim(self, key: str, handle_hash: bytes, code_hash: bytes, field_name: str) -> Claim:
        address = of_address(current().client_address)
        await self._limiter.check((self._per_address, address))
        attempt = secrets.token_bytes(_ATTEMPT_BYTES)
        status, *rest = await self._valkey.run(
            _CLAIM, key, handle_hash, code_hash, self._max_tries, attempt, field_name
        )
        if not rest:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        data = json.loads(rest[0])
        if status in (_WRONG, _LAST_WRONG):
            counting = self._limiter.count_failures((self._failures, key), (self._per_address, address))
            await gather(counting, self._wrong_answers.record(data))
            raise GatepostError(Reason.CHALLENGE_FAILED) if status == _WRONG else GuessedAtError(data)
        return Claim(data, key, handle_hash)

    async def release(self, claim: Claim) -> None:
        """Make a claimed challenge answerable again, because what it was claimed for could not be done."""
        await self._valkey.run(_RELEASE, claim.key, claim.handle_hash)

    async def _locate(self, purpose: Purpose, handle: str) -> str:
        try:
            raw = bytes.fromhex(handle)
        except ValueError:
            raw = b""
        key_id = int.from_bytes(raw[:2], "big")
        if len(raw) != _HANDLE_BYTES or handle != raw.hex() or not await self._keys.find(key_id):
            raise GatepostError(Reason.CHALLENGE_FAILED)
        head, masked = raw[: _NONCE.stop], raw[_NONCE.stop :]
        return _key(purpose, _xor(masked, self._keys.mac("challenge-mask", head, key_id)))

    def _code_hash(self, handle: str, code: str) -> bytes:
        key_id = int(handle[:4], 16)
        return self._keys.mac("challenge-code", f"{handle}:{code}".encode(), key_id)

    def _short_hash(self, handle_hash: bytes, code: str, key_id: int) -> bytes:
        return self._keys.mac("challenge-code-of-subject", handle_hash + code.encode(), key_id)


def _hashed(subject: str) -> bytes:
    return digest(subject)[:_SUBJECT_BYTES]


def _key(purpose: Purpose, subject: bytes) -> str:
    return f"gatepost:{{challenge:{purpose}:{subject.hex()}}}"


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right[: len(left)], strict=True))
