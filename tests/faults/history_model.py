"""Judges the history of one account: is there a promise that it breaks?

Pure: events in, violations out. An outcome that nobody was told counts both ways. Times are those of whoever asked, so
what it says of an order is certain; what cannot be decided is no violation.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from faults.history_events import EVERY, Event, Reason, Rules, Violation
from faults.history_registers import Registers
from faults.history_sessions import Sessions

_REFRESH = "refresh"


def violations(history: Iterable[Event], rules: Rules) -> list[Violation]:
    """Return every promise that an account's history breaks, in no order."""
    events = sorted(history, key=lambda event: event.start)
    registers = Registers(events, rules.late)
    return [
        *registers.violations(),
        *_refused_though_right(events, registers),
        *Sessions(events, rules).violations(),
        *_used_twice(events),
        *_codes(events),
        *_refreshes(events, rules),
    ]


def _refused_though_right(events: Sequence[Event], registers: Registers) -> Iterator[Violation]:
    for event in events:
        if event.denies and all(
            registers.certainly(name, value, event.start, event.end) for name, value in event.denies.items()
        ):
            text = f"{event.kind} was refused though it was right: {dict(event.denies)}"
            yield Violation("refused", text, event)


def _used_twice(events: Sequence[Event]) -> Iterator[Violation]:
    used: set[str] = set()
    for event in events:
        if event.ok and event.once and event.kind != _REFRESH:
            if event.once in used:
                yield Violation("twice", f"{event.kind}: a one-time value was good twice", event)
            used.add(event.once)


def _codes(events: Sequence[Event]) -> Iterator[Violation]:
    """Look for codes that outlived an end of all sessions, and for codes that were good for nothing."""
    given = {event.gives: event for event in events if event.ok and event.gives}
    ends = [event for event in events if event.maybe and EVERY in {event.ends, event.may_end}]
    shown: set[str] = set()
    for event in events:
        giver = given.get(event.once)
        if giver is None:
            continue
        if event.ok and any(
            end.ok and end.ends == EVERY and giver.end < end.start and end.end < event.start for end in ends
        ):
            yield Violation("undead", "a code was good after every session had been ended", event)
        first = event.once not in shown
        shown.add(event.once)
        lost = first and event.reason is Reason.ONCE and not any(end.start < event.end for end in ends)
        if lost:
            yield Violation("lost code", "a code was refused that nobody had used", event)


def _refreshes(events: Sequence[Event], rules: Rules) -> Iterator[Violation]:
    refreshes: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind == _REFRESH:
            refreshes[event.once].append(event)
    for shown in refreshes.values():
        good = [event for event in shown if event.ok]
        if len({event.successor for event in good}) > 1:
            yield Violation("twice", "a refresh token had two successors", good[-1])
        for first in good[:1]:
            moved_on = [event.end for event in refreshes.get(first.successor, ()) if event.ok]
            for event in good[1:]:
                if any(end < event.start for end in moved_on):
                    yield Violation("reuse", "a refresh token was good after its successor had been used", event)
                elif event.start - first.end > rules.replay:
                    yield Violation("reuse", f"a refresh token was good {event.start - first.end:.1f} s late", event)
