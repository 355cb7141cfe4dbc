"""Tokens of mailed links to set a new password: nothing but a MAC, so that nobody can spend them for somebody else.

    key id (2) | account (16) | expiry, seconds since 1970 (8) | MAC (16): 84 hex digits

Nothing is stored. The MAC is bound to the account's security version, which a new password raises: the first one that
is set ends every link. Whoever asks for more links ends none, and wrong answers to mailed codes are no matter here.
`recovery` issues and follows them.
"""

import hmac
from datetime import datetime
from uuid import UUID

from auth_service.keys import KeyRing
from auth_service.model import Account
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason

TOKEN_LENGTH = 84
_KEY = slice(2)
_ACCOUNT = slice(2, 18)
_EXPIRY = slice(18, 26)
_MAC = slice(26, 42)
_NOBODY = UUID(int=0)


class ResetLinks:
    """Makes and checks tokens.

    Args:
        keys: They are made with.
        clock: For their expiry.
    """

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def issue(self, account: Account | None, expires_at: datetime) -> str:
        """Return a token, good until then or until the account is made safe anew; as much work for nobody's."""
        account_id, version = (account.id, account.security_version) if account else (_NOBODY, 0)
        key_id = self._keys.active_id
        head = key_id.to_bytes(2, "big") + account_id.bytes + int(expires_at.timestamp()).to_bytes(8, "big")
        return (head + self._mac(head, key_id, version)).hex()

    async def account_id(self, token: str) -> UUID:
        """Return which account a token speaks of, if it is not too old. Whether it is one of ours, `check` says.

        Raises:
            GatepostError: CHALLENGE_FAILED.
        """
        raw = _read(token)
        expires_at = int.from_bytes(raw[_EXPIRY], "big")
        if not await self._keys.find(_key_id(raw)) or expires_at <= self._clock.now().timestamp():
            raise GatepostError(Reason.CHALLENGE_FAILED)
        return UUID(bytes=raw[_ACCOUNT])

    def check(self, token: str, account: Account) -> None:
        """Refuse a token that `account_id` has read, unless it was made for the account as it is now.

        Raises:
            GatepostError: CHALLENGE_FAILED.
        """
        raw = _read(token)
        right = self._mac(raw[: _MAC.start], _key_id(raw), account.security_version)
        if raw[_ACCOUNT] != account.id.bytes or not hmac.compare_digest(right, raw[_MAC]):
            raise GatepostError(Reason.CHALLENGE_FAILED)

    def _mac(self, head: bytes, key_id: int, security_version: int) -> bytes:
        data = head + security_version.to_bytes(8, "big")
        return self._keys.mac("reset-link", data, key_id)[: _MAC.stop - _MAC.start]


def _read(token: str) -> bytes:
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        raw = b""
    if len(raw) != _MAC.stop or token != raw.hex():
        raise GatepostError(Reason.CHALLENGE_FAILED)
    return raw


def _key_id(raw: bytes) -> int:
    return int.from_bytes(raw[_KEY], "big")
