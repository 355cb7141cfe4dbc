"""Answers remembered for a short while, so that the same question is not asked on every request.

Bounded in time and number; the oldest go first. What is known is told while nobody can answer anew, and without waiting
long to find that out: a request has further questions, and each would wait as long. Used for CORS origins and projects;
never for whether a token lives.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

from runtime.errors import AWAY, GatepostError

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")
_PATIENCE_SECONDS = 0.1


class Recent(Generic[Key, Answer]):
    """Asks, and remembers what was answered; refusals are not remembered.

    Args:
        ask: Answers a question, or raises GatepostError.
        seconds: How long an answer is kept.
        entries: How many are kept.
    """

    def __init__(self, ask: Callable[[Key], Awaitable[Answer]], *, seconds: float, entries: int) -> None:
        self._ask = ask
        self._seconds = seconds
        self._entries = entries
        self._known: OrderedDict[Key, tuple[float, Answer]] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[Answer]] = {}

    async def get(self, key: Key) -> Answer:
        """Return the answer; while it cannot be asked for, or takes long, the last one known, however old.

        Raises:
            GatepostError: As `ask` raises it.
        """
        known = self._known.get(key)
        if known is not None and monotonic() - known[0] < self._seconds:
            return known[1]
        if known is None:
            return await self._renew(key)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await asyncio.shield(self._renewal(key))
        except TimeoutError:
            return known[1]
        except GatepostError as error:
            if error.reason in AWAY:
                return known[1]
            raise

    def _renewal(self, key: Key) -> asyncio.Task[Answer]:
        """Ask, once for everybody; it goes on when they have lost patience."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._renew(key))
            asking.add_done_callback(lambda renewed: self._renewed(key, renewed))
        return asking

    def _renewed(self, key: Key, renewed: asyncio.Task[Answer]) -> None:
        del self._asking[key]
        if not renewed.cancelled():
            renewed.exception()  # nobody may be left who wants to know

    async def _renew(self, key: Key) -> Answer:
        answer = await self._ask(key)
        self._known[key] = (monotonic(), answer)
        self._known.move_to_end(key)
        if len(self._known) > self._entries:
            self._known.popitem(last=False)
        return answer
