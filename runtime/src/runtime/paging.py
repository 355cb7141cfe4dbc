"""Page tokens of lists ordered by time: the place of the last row shown, opaque to callers. Used by the rpc layers."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from runtime.errors import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BYTES = 8

Place = tuple[datetime, UUID]


def encode(place: Place) -> str:
    """Return the token that continues after a place."""
    microseconds = (place[0] - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(microseconds.to_bytes(_TIME_BYTES) + place[1].bytes).decode()


def decode(token: str) -> Place | None:
    """Return the place a token continues after; None for the empty token of a first page.

    Raises:
        GatepostError: INVALID_PARAMETER if it is none of ours.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        at = _EPOCH + timedelta(microseconds=int.from_bytes(raw[:_TIME_BYTES]))
        return at, UUID(bytes=raw[_TIME_BYTES:])  # which wants its 16 bytes
    except (binascii.Error, ValueError, OverflowError):
        raise invalid("page_token", "The page token is none of ours.") from None
