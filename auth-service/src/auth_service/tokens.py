"""Token codec: access and refresh tokens are computed, not stored.

A token names its kind, key, session and generation, and carries a MAC over them and the session's salt. Forging one
takes both the key (sealed, see `keys`) and the session row; a leaked database alone yields no token. That a token is
well made says nothing about whether its session lives: `sessions` asks PostgreSQL every time. No clock, and no I/O but
for a key that this instance has not heard of yet.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, unique
from struct import Struct, error
from uuid import UUID

from auth_service.keys import KeyRing
from runtime.errors import GatepostError, Reason

_BODY = Struct(">BH16sIQ")  # kind, key id, session id, generation, expiry in unix milliseconds (0: see the session)
_MAC_BYTES = 20
_TOKEN_CHARS = 68  # base64url of body and MAC, which needs no padding


@unique
class Kind(IntEnum):
    """What a token is for; a token of one kind never passes for another."""

    ACCESS = 1
    REFRESH = 2


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; neither its key is looked for yet nor its MAC checked."""

    kind: Kind
    key_id: int
    session_id: UUID
    generation: int
    expires_at: datetime | None
    body: bytes
    mac: bytes


class TokenCodec:
    """Makes and takes apart tokens.

    Args:
        keys: The keys to make MACs with.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    @property
    def key_id(self) -> int:
        """The key that new sessions and generations are made with."""
        return self._keys.active_id

    def mint(
        self,
        kind: Kind,
        session_id: UUID,
        salt: bytes,
        generation: int,
        expires_at: datetime | None = None,
        *,
        key_id: int = 0,
    ) -> str:
        """Return the token: 68 URL-safe characters. The same arguments and key give the same token.

        Args:
            kind: What it is for.
            session_id: Whose it is.
            salt: The session's.
            generation: The session's.
            expires_at: When it expires; None: with the session.
            key_id: The key that this generation is made with; 0 for the one that new ones are.

        Raises:
            GatepostError: UNAVAILABLE if the key is gone.
        """
        expiry = 0 if expires_at is None else int(expires_at.timestamp() * 1000)
        key_id = key_id or self._keys.active_id
        body = _BODY.pack(kind, key_id, session_id.bytes, generation, expiry)
        return urlsafe_b64encode(body + self._mac(key_id, salt, body)).decode()

    def parse(self, text: str, kind: Kind) -> Token:
        """Take a token apart.

        Raises:
            GatepostError: TOKEN_INVALID if it is no token of this kind.
        """
        if len(text) != _TOKEN_CHARS or not text.isascii():
            raise GatepostError(Reason.TOKEN_INVALID)
        try:
            raw = urlsafe_b64decode(text)
            found, key_id, session, generation, expiry = _BODY.unpack(raw[: _BODY.size])
            expires_at = datetime.fromtimestamp(expiry / 1000, UTC) if expiry else None
        except (Base64Error, ValueError, OverflowError, OSError, error):
            raise GatepostError(Reason.TOKEN_INVALID) from None
        if found != kind or urlsafe_b64encode(raw).decode() != text:
            raise GatepostError(Reason.TOKEN_INVALID)
        return Token(kind, key_id, UUID(bytes=session), generation, expires_at, raw[: _BODY.size], raw[_BODY.size :])

    async def find_key(self, key_id: int) -> bool:
        """Say whether a key is good, so that `check` and `mint` can use it; see `KeyRing.find`."""
        return await self._keys.find(key_id)

    def check(self, token: Token, salt: bytes) -> None:
        """Check the MAC against the session's salt, in constant time.

        Raises:
            GatepostError: TOKEN_INVALID if it does not fit, or its key is not on the ring.
        """
        if not self._keys.knows(token.key_id):
            raise GatepostError(Reason.TOKEN_INVALID)
        if not hmac.compare_digest(token.mac, self._mac(token.key_id, salt, token.body)):
            raise GatepostError(Reason.TOKEN_INVALID)

    def _mac(self, key_id: int, salt: bytes, body: bytes) -> bytes:
        return self._keys.mac("token", salt + body, key_id)[:_MAC_BYTES]
