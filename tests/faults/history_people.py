"""Who the workers work on: accounts with what their owners know, and the history of each.

What is known here only chooses what is tried next; whether an answer is right is for `history_model` alone.
"""

import asyncio
import struct
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from dialects.ihopr_client import new_email
from dialects.redirect_client import Browser
from faults.history_client import Said
from faults.history_events import Event, Reason, Violation

ROLES = tuple(f"role{number}" for number in range(60))  # none is given twice to one account
NO_CONSENT, CONSENT = "none", "given"
_SESSION_ID = struct.Struct(">3x16s")
_names = count(1)


@dataclass(eq=False)
class Held:
    """A session as its owner holds it.

    Args:
        name: Ours, for the history.
        access: Access token; empty for a browser's.
        refresh: The newest refresh token.
        former: Refresh tokens before, each with when it was exchanged.
        browser: Its browser, if it is one's.
        csrf: What that one's forms hold.
    """

    name: str
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    former: list[tuple[str, float]] = field(default_factory=list, repr=False)
    browser: Browser | None = None
    csrf: str = field(default="", repr=False)

    @property
    def id(self) -> str:
        """The service's own name of a session with tokens."""
        return str(UUID(bytes=_SESSION_ID.unpack(urlsafe_b64decode(self.access)[: _SESSION_ID.size])[0]))


@dataclass(eq=False)
class Person:
    """An account, or somebody who tried to get one.

    Attributes:
        emails: Addresses, the newest last.
        passwords: Likewise; the last is thought to be in force.
        sessions: Those not yet seen to be dead.
        codes: Those given and not exchanged yet.
        spent: A few that were exchanged.
        events: The history.
        closing: Nobody is to choose him any more.
        id: The account's, once it is known.
        complaints: What should have been possible and was not.
        operated: Held by the operator who changes the account's state.
    """

    number: int
    emails: list[str] = field(default_factory=lambda: [new_email()])
    passwords: list[str] = field(default_factory=list)
    sessions: list[Held] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    spent: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    closing: bool = False
    id: str = ""
    complaints: list[Violation] = field(default_factory=list)
    operated: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    roles: Iterator[str] = field(default_factory=lambda: iter(ROLES))

    def note(
        self,
        kind: str,
        start: float,
        said: Said,
        *,
        reads: Mapping[str, str] | None = None,
        denies: Mapping[str, str] | None = None,
        opens: str = "",
        gives: str = "",
        successor: str = "",
        **known: Any,
    ) -> Said:
        """Add an operation that has just ended. Whoever shows a live session, or signs in, is seen to be active."""
        seen = dict(reads or {})
        if known.get("uses") or gives:
            seen["state"] = "active"
        told: dict[str, Any] = {}
        if said.ok:
            told = {"reads": seen, "opens": opens, "gives": gives, "successor": successor}
        elif said.reason is Reason.CREDENTIALS:
            told = {"denies": dict(denies or {})}
        event = Event(
            kind=kind,
            start=start,
            end=time.monotonic(),
            outcome=said.outcome,
            reason=said.reason,
            **told,
            **known,
        )
        self.events.append(event)
        return said

    def complain(self, text: str) -> None:
        """Note that something could not be done in time, however often it was tried."""
        self.complaints.append(Violation("not done", text, self.events[-1]))

    def drop(self, held: Held, said: Said) -> None:
        """Forget a session that was seen to be dead. One that is said to have ended is tried again."""
        if said.reason is Reason.DEAD and held in self.sessions:
            self.sessions.remove(held)


def unique(word: str) -> str:
    """Return a name that nothing else has."""
    return f"{word}{next(_names)}"
