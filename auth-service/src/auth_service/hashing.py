"""Where passwords are hashed: a few threads and a bounded queue before them. Used by `passwords`.

Hashing fills every core, so its threads give way to whatever else the machine has to do: the event loop, which checks
tokens, first of all. Whoever would wait in vain is told so before any work is done for him, and who has gone away is
not hashed for.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from runtime.context import current
from runtime.costs import spend
from runtime.errors import GatepostError, Reason

_RETRY_SECONDS = 1.0
# Whoever waits longer may have gone by his turn, whatever his deadline is; a queue of such would be work for nobody.
_LONGEST_WAIT_SECONDS = 5.0
# While sign-ins fill two cores, a profile is read in 21 ms or less (95 of 100) so much below the rest, and in 33 beside
# them; with two more busy processes in 227 and 446. Lower is worse there: who holds the GIL and is put off stops all.
_NICE = 10
_LOWEST = 19
_MEMORY = 0.9  # of how long hashes took
T = TypeVar("T")


class HashPool:
    """Runs hashes.

    Args:
        workers: Threads; 0 means one a core.
        queue_size: Hashes that may wait for a thread.
    """

    def __init__(self, *, workers: int, queue_size: int) -> None:
        self._workers = workers or len(os.sched_getaffinity(0))
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="hash", initializer=_give_way)
        self._room = self._workers + queue_size
        self._under_way = 0
        self._seconds = 0.0  # one hash, lately

    def demand_room(self) -> None:
        """Refuse where `run` would; for use cases, before they read anything.

        Raises:
            GatepostError: OVERLOADED when too many hashes wait, or so many that the turn would come in five seconds or
                after the caller's deadline.
        """
        if self._under_way < self._workers:
            return
        wait = (self._under_way + 1) * self._seconds / self._workers
        remaining = current().remaining_seconds()
        patience = _LONGEST_WAIT_SECONDS if remaining is None else min(remaining, _LONGEST_WAIT_SECONDS)
        if self._under_way >= self._room or wait > patience:
            raise GatepostError(
                Reason.OVERLOADED, "too many password checks", retry_after_seconds=max(wait, _RETRY_SECONDS)
            )

    async def run(self, work: Callable[[], T]) -> T:
        """Do a piece of work, one hash, in its turn.

        Args:
            work: Little but one call that lets go of the GIL: while a thread that gives way to everybody holds it, the
                event loop cannot go on.

        Raises:
            GatepostError: OVERLOADED as for `demand_room`.
        """
        self.demand_room()
        self._under_way += 1
        spend("hash")
        try:
            result, seconds = await asyncio.get_running_loop().run_in_executor(self._threads, _timed, work)
        finally:
            self._under_way -= 1
        self._seconds = _MEMORY * self._seconds + (1 - _MEMORY) * seconds if self._seconds else seconds
        return result

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = perf_counter()
    return work(), perf_counter() - began


def _give_way() -> None:
    """Lower the priority of the calling thread, where the system has one for each."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness + _NICE, _LOWEST))
