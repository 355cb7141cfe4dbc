"""CPU time and memory of groups of processes, from /proc. The load generator belongs to no group."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

Seconds = dict[str, float]


@dataclass(frozen=True)
class Group:
    """Named processes; each stands for itself and its children.

    Attributes:
        pids: by name, such as `gateway` or `postgres`.
        alone: those of them that stand for themselves only, since their children are named too.
    """

    pids: Mapping[str, int]
    alone: frozenset[str] = frozenset()

    def __or__(self, other: "Group") -> "Group":
        """Return both together."""
        return Group({**self.pids, **other.pids}, self.alone | other.alone)

    def cpu_seconds(self) -> Seconds:
        """Return user and system time so far, by name, children that have ended included."""
        return {name: sum(map(_cpu, self.processes(name))) for name in self.pids}

    def run_seconds(self) -> float:
        """Return how long their threads have run so far: to the nanosecond, but only of those that have not ended."""
        return sum(_run(process) for name in self.pids for process in self.processes(name))

    def memory_mb(self) -> dict[str, float]:
        """Return the proportional set size, by name."""
        return {name: sum(map(_pss, self.processes(name))) / 1e6 for name in self.pids}

    def processes(self, name: str) -> list[psutil.Process]:
        """Return what a name stands for, as far as it runs."""
        try:
            process = psutil.Process(self.pids[name])
            return [process] if name in self.alone else [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def spent(before: Seconds, after: Seconds) -> Seconds:
    """Return the difference of two readings."""
    return {name: max(after[name] - seconds, 0.0) for name, seconds in before.items() if name in after}


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _run(process: psutil.Process) -> float:
    ran = 0.0
    for file in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        try:
            ran += int(file.read_text(encoding="ascii").split()[0]) / 1e9
        except OSError:
            continue
    return ran


def _pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
