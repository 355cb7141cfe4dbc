"""Answers remembered for a short while, so that the same question is not asked on every request.

Bounded in time and number; the oldest go first. Used for CORS origins and projects; never for whether a token lives.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

from runtime.errors import GatepostError, Reason

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")
_NOT_THERE = frozenset({Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.OVERLOADED})


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

    async def get(self, key: Key) -> Answer:
        """Return the answer; while it cannot be asked for, the last one known, however old.

        Raises:
            GatepostError: As `ask` raises it.
        """
        known = self._known.get(key)
        if known is not None and monotonic() - known[0] < self._seconds:
            return known[1]
        try:
            answer = await self._ask(key)
        except GatepostError as error:
            if known is not None and error.reason in _NOT_THERE:
                return known[1]
            raise
        self._known[key] = (monotonic(), answer)
        self._known.move_to_end(key)
        if len(self._known) > self._entries:
            self._known.popitem(last=False)
        return answer
