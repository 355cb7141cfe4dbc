"""What is known of one operation on one account, in the only terms that the checker understands.

`history_workers` records events while it works, `history_model` judges them. An account is a few registers (password,
e-mail, name, role, state, consent), the sessions opened for it, and the one-time values given to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

EVERY = "*"  # of sessions: all there are


class Outcome(StrEnum):
    """How an operation ended, for whoever asked for it."""

    OK = "ok"
    REFUSED = "refused"  # certainly without effect
    UNKNOWN = "unknown"  # no answer, or a 5xx: it may have happened, or happen yet


class Reason(StrEnum):
    """Why one was refused, as far as it matters."""

    NONE = ""
    DEAD = "dead"  # the session is not alive
    CREDENTIALS = "credentials"
    ONCE = "once"  # a one-time value is not good (any more)
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One operation.

    Args:
        kind: What was done, for people.
        start: When it was asked for, in seconds.
        end: When the answer was there, or waiting for it ended.
        outcome: See Outcome.
        reason: See Reason; of those refused.
        writes: Registers and the values they have afterwards.
        reads: Registers and the values that an answer showed them to have. Only of those ok.
        denies: Registers and values that an answer says are not all so. Only of those refused.
        stale: By how many seconds what was seen may be older than `start`.
        uses: The session whose token was shown.
        opens: The session it opened.
        ends: The session it ends, or EVERY.
        may_end: Likewise, where an answer does not say that it did.
        spares: The one session that EVERY leaves alone.
        gives: A one-time value that it gave away.
        once: The one-time value or refresh token that was shown.
        successor: What a refresh token was exchanged for.
    """

    kind: str
    start: float
    end: float
    outcome: Outcome = Outcome.OK
    reason: Reason = Reason.NONE
    writes: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    denies: Mapping[str, str] = field(default_factory=dict)
    stale: float = 0.0
    uses: str = ""
    opens: str = ""
    ends: str = ""
    may_end: str = ""
    spares: str = ""
    gives: str = ""
    once: str = ""
    successor: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def maybe(self) -> bool:
        """Whether it may have had its effect."""
        return self.outcome is not Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class Rules:
    """What the deployment promises.

    Args:
        late: Seconds after its end until which something of unknown outcome may still happen.
        replay: Seconds for which the refresh token before the present one gets the same successor.
        margin: Seconds by which our clock and the services' may tell such a moment differently.
    """

    late: float = 20.0
    replay: float = 10.0
    margin: float = 0.5


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    Args:
        rule: Which.
        text: What was seen.
        event: The operation that showed it.
    """

    rule: str
    text: str
    event: Event
