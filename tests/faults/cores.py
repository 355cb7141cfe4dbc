"""What processes used of a machine's cores and what nobody did, for judging them on a machine that others use too."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


class Cores:
    """Reckons from the moment it is made.

    Args:
        pids: Processes that are looked at, with their children.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._began = time.monotonic()
        self._used = self._used_so_far()
        self._idle = psutil.cpu_times().idle

    def used(self) -> float:
        """Return the CPU seconds of the processes."""
        return self._used_so_far() - self._used

    def idle(self) -> float:
        """Return the part of all cores' time that nobody used, 0 to 1."""
        had = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return float(psutil.cpu_times().idle - self._idle) / had

    def _used_so_far(self) -> float:
        processes: set[psutil.Process] = set()
        for pid in self._pids:
            with suppress(psutil.NoSuchProcess):
                named = psutil.Process(pid)
                processes.update((named, *named.children(recursive=True)))
        return sum(map(_used, processes))


def _used(process: psutil.Process) -> float:
    """Return a process's CPU seconds, with those of its children that have ended; 0 when it has ended itself."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
