"""Devices that an account was signed in on before: a token that a browser keeps, and shows when it signs in again.

    key id (2) | whose (8) | device (16) | MAC (16): 84 hex digits

It proves nothing of who somebody is. It only says that wrong passwords of strangers do not count for him: see
`guesses`. Nothing is stored; the MAC is bound to the account and its security version, so a token is worth nothing once
the password is another. `whose` lets a browser keep one for each of its accounts without knowing them.
"""

import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

from auth_service.keys import KeyRing, digest
from auth_service.model import Account

MOST_SHOWN = 5
_KEY_BYTES = 2
_WHOSE = slice(2, 10)
_DEVICE = slice(10, 26)
_MAC = slice(26, 42)
_NOBODY = UUID(int=0)


class KnownDevices:
    """Makes and checks tokens.

    Args:
        keys: They are made with.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def issue(self, account_id: UUID, security_version: int) -> str:
        """Return a token for the device at hand."""
        key_id = self._keys.active_id
        device = secrets.token_bytes(_DEVICE.stop - _DEVICE.start)
        head = key_id.to_bytes(_KEY_BYTES, "big") + digest(account_id.bytes)[: _WHOSE.stop - _WHOSE.start] + device
        return (head + self._mac(head, key_id, account_id, security_version)).hex()

    def recognize(self, shown: Sequence[str], account: Account | None) -> str:
        """Return the device that one of these tokens says an account was signed in on, empty for none.

        As much work for nobody's. Tokens beyond MOST_SHOWN are not looked at.
        """
        account_id, version = (account.id, account.security_version) if account else (_NOBODY, 0)
        good = [raw[_DEVICE].hex() for raw in map(_read, shown[:MOST_SHOWN]) if self._is_good(raw, account_id, version)]
        return good[0] if good else ""

    def _is_good(self, raw: bytes, account_id: UUID, security_version: int) -> bool:
        key_id = int.from_bytes(raw[:_KEY_BYTES], "big")
        if not self._keys.knows(key_id):  # 0 where nothing could be read
            return False
        right = self._mac(raw[: _MAC.start], key_id, account_id, security_version)
        return hmac.compare_digest(right, raw[_MAC])

    def _mac(self, head: bytes, key_id: int, account_id: UUID, security_version: int) -> bytes:
        data = head + account_id.bytes + security_version.to_bytes(8, "big")
        return self._keys.mac("known-device", data, key_id)[: _MAC.stop - _MAC.start]


def _read(token: str) -> bytes:
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return b""
    return raw if len(raw) == _MAC.stop else b""
