"""Whether anything grows: a straight line through the second half of each series, and what is left when all is over.

Pure arithmetic on readings. A series leaks when its line rises by more than it may even if the noise were on its side.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from bench.soak.readings import Process, Reading

# By the hour. A hundred bytes kept of every operation of the soak would be 30 MB.
MEMORY_MB, FILES, THREADS, TASKS, CONNECTIONS = 30.0, 10.0, 10.0, 10.0, 30.0
LEAST_SECONDS = 240.0  # of the second half; shorter ones say nothing
_SPREADS = 2.0
_HOUR = 3600.0
_LEAST_POINTS = 3
# What may be there besides after the load: a stream that is being renewed, threads that stay until they are needed.
_LEFT_FILES, _LEFT_TASKS, _LEFT_THREADS, _LEFT_CONNECTIONS = 4, 4, 12, 4
_SERVERS = frozenset({"postgres", "valkey"})


@dataclass(frozen=True)
class Slope:
    """How a series goes.

    Attributes:
        of: what, such as `gateway memory MB`.
        first: at the beginning of the second half.
        last: at its end; both on the line.
        hourly: how much the line rises in an hour.
        spread: standard error of that.
        most: what it may rise; None for what is told but not judged.
    """

    of: str
    first: float
    last: float
    hourly: float
    spread: float
    most: float | None

    @property
    def leaks(self) -> bool:
        """Whether it rises by more than it may."""
        return self.most is not None and self.hourly - _SPREADS * self.spread > self.most


def slopes(readings: Sequence[Reading]) -> list[Slope]:
    """Return the line of every series through the second half."""
    half = readings[len(readings) // 2 :]
    if len(half) < _LEAST_POINTS:
        return []
    long_enough = half[-1].at - half[0].at >= LEAST_SECONDS
    return [_line(of, half, value, most if long_enough else None) for of, value, most in _series(half[0])]


def left_behind(before: Reading, after: Reading) -> list[str]:
    """Return what is there after the load that was not there before it, beyond what is kept for the next one.

    Pools keep their connections to databases and the mail server, so those are told apart from other files.
    """
    found: list[str] = []
    for name, was in before.processes.items():
        now = after.processes[name]
        if name not in _SERVERS:
            files = (now.files - _kept(name, after)) - (was.files - _kept(name, before))
            found += _said(files, _LEFT_FILES, f"{name}: files")
            found += _said(now.threads - was.threads, _LEFT_THREADS, f"{name}: threads")
        if now.tasks is not None and was.tasks is not None:
            found += _said(now.tasks - was.tasks, _LEFT_TASKS, f"{name}: tasks")
    found += _said(after.valkey_clients - before.valkey_clients, _LEFT_CONNECTIONS, "connections to Valkey")
    return found


def _said(more: int, most: int, what: str) -> Iterable[str]:
    return [f"{what}: {more} more"] if more > most else []


def _kept(name: str, reading: Reading) -> int:
    """Return the connections that a service's pools keep open."""
    mails = reading.mail_connections if name == "notify-service" else 0
    valkey = reading.valkey_clients if name == "auth-service" else 0
    return reading.postgres.get(name, 0) + mails + valkey


def _series(any_reading: Reading) -> Iterable[tuple[str, Callable[[Reading], float], float | None]]:
    for name in any_reading.processes:
        own = name not in _SERVERS  # PostgreSQL's memory is its cache of data that is being written
        # What is shared counts for less when others start on the machine, so a process is judged by what is its alone.
        yield f"{name} memory MB", _of(name, lambda p: p.memory_mb), None
        yield f"{name} private MB", _of(name, lambda p: p.private_mb), MEMORY_MB if own else None
        yield f"{name} files", _files(name), FILES if own else None
        yield f"{name} threads", _of(name, lambda p: p.threads), THREADS if own else None
        if any_reading.processes[name].tasks is not None:
            yield f"{name} tasks", _of(name, lambda p: p.tasks or 0), TASKS
    yield "connections to PostgreSQL", lambda reading: sum(reading.postgres.values()), CONNECTIONS
    yield "connections to Valkey", lambda reading: reading.valkey_clients, CONNECTIONS
    yield "Valkey's data MB", lambda reading: reading.valkey_mb, MEMORY_MB


def _of(name: str, value: Callable[[Process], float]) -> Callable[[Reading], float]:
    return lambda reading: value(reading.processes[name])


def _files(name: str) -> Callable[[Reading], float]:
    """Return what counts the files of a process beside the connections of its pools, which are told apart."""
    return lambda reading: reading.processes[name].files - _kept(name, reading)


def _line(of: str, half: Sequence[Reading], value: Callable[[Reading], float], most: float | None) -> Slope:
    times, values = [reading.at for reading in half], [float(value(reading)) for reading in half]
    slope, start, spread = regression(times, values)
    ends = (start + slope * times[0], start + slope * times[-1])
    return Slope(of, *ends, hourly=slope * _HOUR, spread=spread * _HOUR, most=most)


def regression(times: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """Return slope, value at time 0 and the slope's standard error of the least-squares line."""
    count = len(times)
    middle, mean = sum(times) / count, sum(values) / count
    width = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * value for time, value in zip(times, values, strict=True)) / width
    start = mean - slope * middle
    rest = sum((value - start - slope * time) ** 2 for time, value in zip(times, values, strict=True))
    return slope, start, sqrt(rest / max(count - 2, 1) / width)


def totals(reading: Reading) -> Mapping[str, float]:
    """Return the memory of everything together, and of our own processes."""
    own = sum(each.memory_mb for name, each in reading.processes.items() if name not in _SERVERS)
    return {"all": sum(each.memory_mb for each in reading.processes.values()), "own": own}
