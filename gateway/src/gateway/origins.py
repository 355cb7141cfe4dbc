"""CORS (Fetch standard, section 3.2): which pages of other origins may read our answers. None but those an app lists.

Never with credentials: tokens travel in headers that scripts set themselves.
"""

import re
from collections.abc import Awaitable, Callable

from gateway.recent import Recent
from runtime.errors import GatepostError

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,255}")
_REQUEST_HEADERS = "Accept, Authorization, Content-Type, X-API-KEY, X-Requested-With"
_RESPONSE_HEADERS = "Deprecation, Retry-After, WWW-Authenticate, X-Error, X-Request-Id"


class Origins:
    """Remembers for a short while which origins are listed.

    Args:
        ask: Says whether an origin is listed; raises GatepostError.
        cache_seconds: How long an answer is kept.
        cache_entries: How many are kept; the oldest go first.
    """

    def __init__(self, ask: Callable[[str], Awaitable[bool]], *, cache_seconds: float, cache_entries: int) -> None:
        self._seconds = cache_seconds
        self._known = Recent(ask, seconds=cache_seconds, entries=cache_entries)

    async def allows(self, origin: str) -> bool:
        """Say whether pages of `origin` may read; when it cannot be found out, what was last known, else no."""
        if not _ORIGIN.fullmatch(origin):
            return False
        try:
            return await self._known.get(origin)
        except GatepostError:
            return False

    def preflight(self, methods: tuple[str, ...]) -> dict[str, str]:
        """Headers that permit a request by one of `methods`."""
        return {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": str(int(self._seconds)),
        }


def permit(origin: str) -> dict[str, str]:
    """Headers that let a page of `origin` read the answer."""
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _RESPONSE_HEADERS}
