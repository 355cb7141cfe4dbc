"""Whether requests can be served now: the services they need answer, and the gateway is not going down.

notify-service is asked too, but is no reason to turn requests away: what it would send waits in auth-service's outbox.

`house` and the private listener ask; `main` says when it is `accepting` requests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

_DISPENSABLE = frozenset({"notify-service"})


class Readiness:
    """Remembers the last answer for a moment, so that health checks cost nothing however often they come.

    Args:
        ask: Returns each service by name and whether it serves.
        cache_seconds: How long an answer is kept.
    """

    def __init__(self, ask: Callable[[], Awaitable[dict[str, bool]]], cache_seconds: float) -> None:
        self._ask = ask
        self._cache = cache_seconds
        self._asked = float("-inf")
        self._services: dict[str, bool] = {}
        self._asking = asyncio.Lock()
        self.accepting = False

    async def checks(self) -> dict[str, bool]:
        """Return each dependency that requests need, and `gateway` itself, and whether it can be used now."""
        return {name: usable for name, usable in (await self.everything()).items() if name not in _DISPENSABLE}

    async def everything(self) -> dict[str, bool]:
        """Return each dependency by name, needed or not, and `gateway` itself, and whether it can be used now."""
        async with self._asking:
            if monotonic() - self._asked >= self._cache:
                self._services = await self._ask()
                self._asked = monotonic()
        return {"gateway": self.accepting, **self._services}
