"""Whether the other side is alive: it is asked when it has been silent, and given up when it stays so.

Each stream of `calls_stream` has one. It goes on only while something is waited for. Time is counted in ticks of our
own event loop, so that a loop that has stood still takes nobody else for dead.
"""

import asyncio
from collections.abc import Callable

_TICK_SECONDS = 0.25
# Ticks without a word. Whoever lives answers at once, however much there is to do: the event loop does, not the call.
_ASKED = 2
_DOUBTFUL = 4
_DEAD = 8  # 1.75 to 2 seconds


class Heartbeat:
    """Listens for signs of life.

    Args:
        waiting: Says whether something is waited for.
        ask: Asks for a sign; nothing may come of it.
        dead: Told once, when none has come.
    """

    def __init__(self, waiting: Callable[[], bool], ask: Callable[[], None], dead: Callable[[], None]) -> None:
        self._waiting = waiting
        self._ask = ask
        self._dead = dead
        self._loop = asyncio.get_running_loop()
        self._silent = 0
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def doubtful(self) -> bool:
        """Whether it was asked and has not answered for half a second."""
        return self._silent >= _DOUBTFUL

    def watch(self) -> None:
        """Listen for as long as something is waited for."""
        if self._timer is None and not self._ended:
            self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def heard(self) -> None:
        """Take note of a sign of life."""
        self._silent = 0

    def end(self) -> None:
        """Listen no more."""
        self._ended = True
        self._silent = 0
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._timer = None
        if not self._waiting():
            self._silent = 0
            return
        self._silent += 1
        if self._silent == _ASKED:
            self._ask()
        if self._silent < _DEAD:
            self.watch()
        else:
            self._dead()
