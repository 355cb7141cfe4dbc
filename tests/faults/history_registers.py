"""Registers of an account: whether what was read of them can be explained by what was written to them.

A read is impossible when nobody wrote its value, or when every write of it was certainly followed by an acknowledged
one before the read began. Where no value was written twice, this is decided exactly: there is an order in which each of
them took effect between its start and its end (Gibbons and Korach, "Testing shared memories", 1997), or there is none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from faults.history_events import Event, Violation


@dataclass(frozen=True, slots=True)
class _Write:
    value: str
    start: float
    end: float  # from when it is certainly in force; inf if it may not have happened
    latest: float  # until when it may come into force
    event: Event


@dataclass(frozen=True, slots=True)
class _Read:
    value: str
    start: float  # what was seen was so at this moment or later
    end: float
    event: Event


@dataclass(frozen=True, slots=True)
class _Zone:
    """Between the first end and the last start of what is about one value: if that is forward, it was in force then."""

    value: str
    first_end: float
    last_start: float
    event: Event

    @property
    def forward(self) -> bool:
        return self.first_end < self.last_start


class Registers:
    """The registers of one account.

    Args:
        events: Its history.
        late: See Rules.
    """

    def __init__(self, events: Iterable[Event], late: float) -> None:
        self._writes: defaultdict[str, list[_Write]] = defaultdict(list)
        self._reads: defaultdict[str, list[_Read]] = defaultdict(list)
        for event in events:
            if event.maybe:
                end, latest = (event.end, event.end) if event.ok else (inf, event.end + late)
                for name, value in event.writes.items():
                    self._writes[name].append(_Write(value, event.start, end, latest, event))
            if event.ok:
                for name, value in event.reads.items():
                    self._reads[name].append(_Read(value, event.start - event.stale, event.end, event))

    def violations(self) -> Iterator[Violation]:
        """Say which reads cannot be explained."""
        for name, reads in self._reads.items():
            writes = self._writes[name]
            impossible = list(_impossible(name, writes, reads))
            yield from impossible
            if not impossible and max(Counter(write.value for write in writes).values(), default=0) <= 1:
                yield from _disordered(name, writes, reads)

    def certainly(self, name: str, value: str, start: float, end: float) -> bool:
        """Say whether a register certainly had the value from start to end."""
        return any(
            not any(other.value != value and other.latest > since and other.start < end for other in self._writes[name])
            for since in self._in_force(name, value, start)
        )

    def _in_force(self, name: str, value: str, start: float) -> Iterator[float]:
        """Tell moments from which on the value was in force before `start`, if nothing else was written since."""
        for write in self._writes[name]:
            if write.value == value and write.end < start:
                yield write.start
        for read in self._reads[name]:
            if read.value == value and read.end < start:
                yield read.start


def _impossible(name: str, writes: Sequence[_Write], reads: Sequence[_Read]) -> Iterator[Violation]:
    for read in reads:
        candidates = [write for write in writes if write.value == read.value and write.start < read.end]
        if not candidates:
            yield Violation("invented", f"{name} was {read.value!r}, which nobody had written", read.event)
        elif all(_overwritten(write, writes, read) for write in candidates):
            yield Violation("stale", f"{name} was {read.value!r}, which an acknowledged change had ended", read.event)


def _overwritten(write: _Write, writes: Sequence[_Write], read: _Read) -> bool:
    return any(other.start > write.latest and other.end < read.start and other.value != read.value for other in writes)


def _disordered(name: str, writes: Sequence[_Write], reads: Sequence[_Read]) -> Iterator[Violation]:
    seen: defaultdict[str, list[_Read]] = defaultdict(list)
    for read in reads:
        seen[read.value].append(read)
    zones = [
        _Zone(
            write.value,
            min([write.end, *(read.end for read in seen[write.value])]),
            max([write.start, *(read.start for read in seen[write.value])]),
            max([write.event, *(read.event for read in seen[write.value])], key=lambda event: event.start),
        )
        for write in writes
        if write.end < inf or seen[write.value]
    ]
    forward = sorted((zone for zone in zones if zone.forward), key=lambda zone: zone.first_end)
    longest = forward[0] if forward else None
    for zone in forward[1:]:
        if longest and zone.first_end < longest.last_start:
            text = f"{name} was {longest.value!r} before and after it was {zone.value!r}"
            yield Violation("lost", text, longest.event)
        if longest and zone.last_start > longest.last_start:
            longest = zone
    for zone in zones:
        around = [one for one in forward if one.first_end < zone.last_start and zone.first_end < one.last_start]
        if not zone.forward and around:
            text = f"{name} was {around[0].value!r} before and after it became {zone.value!r}"
            yield Violation("lost", text, around[0].event)
