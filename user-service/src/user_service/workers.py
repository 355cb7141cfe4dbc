"""A bounded pool of threads for work that would stall the event loop. Beyond its queue the answer is OVERLOADED."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from runtime.errors import GatepostError, Reason

_RETRY_SECONDS = 1.0
T = TypeVar("T")


class Workers:
    """Threads, and places to wait for them.

    Args:
        name: Of the threads.
        count: How many work at once.
        queue_size: How many may wait.
    """

    def __init__(self, name: str, *, count: int, queue_size: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._room = count + queue_size

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in a thread; what still waits when its caller leaves is not begun.

        Raises:
            GatepostError: OVERLOADED when too many wait.
        """
        if self._room <= 0:
            raise GatepostError(Reason.OVERLOADED, f"too much {self._name} work", retry_after_seconds=_RETRY_SECONDS)
        self._room -= 1
        running = self._pool.submit(work)
        # The place is free when the thread is, not when the caller leaves: one that left does not make room.
        loop = asyncio.get_running_loop()
        running.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """End the threads; what waits is not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self) -> None:
        self._room += 1
