"""Sessions of an account: none lives on after an acknowledged end, and none dies that nobody ended."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from faults.history_events import EVERY, Event, Reason, Rules, Violation


class Sessions:
    """The sessions of one account.

    Args:
        events: Its history, by start.
        rules: See Rules.
    """

    def __init__(self, events: Sequence[Event], rules: Rules) -> None:
        self._rules = rules
        self._uses: defaultdict[str, list[Event]] = defaultdict(list)
        self._openings: dict[str, Event] = {}
        self._shown: defaultdict[str, list[Event]] = defaultdict(list)  # by one-time value
        self._endings = [event for event in events if event.maybe and (event.ends or event.may_end)]
        for event in events:
            if event.uses:
                self._uses[event.uses].append(event)
            if event.ok and event.opens:
                self._openings[event.opens] = event
            if event.once:
                self._shown[event.once].append(event)

    def violations(self) -> Iterator[Violation]:
        """Say which sessions broke a promise."""
        for session, opening in self._openings.items():
            yield from self._of(session, opening)

    def _of(self, session: str, opening: Event) -> Iterator[Violation]:
        uses = self._uses[session]
        ended = [event for event in self._endings if event.ok and _ends(event, session, opening)]
        died = [event for event in uses if event.reason is Reason.DEAD]
        last_alive = max((use.start - use.stale for use in uses if use.ok), default=opening.end)
        for use in uses:
            if use.ok:
                since = use.start - use.stale
                if ender := next((event for event in ended if event.end < since and event is not use), None):
                    text = f"a session was used {since - ender.end:.3f} s after {ender.kind} had ended it"
                    yield Violation("undead", text, use)
                elif death := next((event for event in died if event.end < since), None):
                    text = f"a session was used again after {death.kind} had been told that it is dead"
                    yield Violation("risen", text, use)
            elif use.reason is Reason.DEAD and not self._explained(session, opening, use, last_alive):
                yield Violation("lost session", "a session is dead that nobody ended", use)

    def _explained(self, session: str, opening: Event, use: Event, last_alive: float) -> bool:
        """Say whether somebody may have ended the session before this use of it was refused."""
        for event in self._endings:
            concerned = session in {event.ends, event.may_end}
            concerned |= EVERY in {event.ends, event.may_end} and event.spares != session
            if concerned and event is not use and event.start < use.end and self._may_come_after(event, last_alive):
                return True
        if any(event is not opening and event.start < use.end for event in self._shown[opening.once] if opening.once):
            return True  # its code was shown again
        refreshes = [event for event in self._uses[session] if event.once and event.start < use.end]
        return any(self._may_be_reuse(event) for event in refreshes)

    def _may_come_after(self, event: Event, last_alive: float) -> bool:
        return event.ok or event.end + self._rules.late > last_alive

    def _may_be_reuse(self, event: Event) -> bool:
        """Say whether a refresh token was perhaps shown again when it was not to be."""
        for before in self._shown[event.once]:
            if before is event or not before.maybe or before.start >= event.end:
                continue
            until = event.end if event.outcome == "refused" or event.ok else event.end + self._rules.late
            if until - before.start > self._rules.replay - self._rules.margin:
                return True
            if before.successor and any(e.maybe and e.start < until for e in self._shown[before.successor]):
                return True
        return False


def _ends(event: Event, session: str, opening: Event) -> bool:
    if event.ends == EVERY:
        return event.spares != session and opening.end < event.start
    return event.ends == session
