"""Workers: each does one random operation after the other on a few people, who are replaced when they have seen enough.

An account's history is judged whole, so it is kept short: after some operations nobody chooses it any more, what is
left unknown is asked for until there is an answer, and it is put aside.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from faults.history_events import Outcome
from faults.history_operator import Operator
from faults.history_own import Own
from faults.history_pages import Pages
from faults.history_people import Held, Person

_SETTLE_SECONDS = 90
_MOST_SESSIONS = 8
_DELETED = 0.3  # of those who have seen enough
_TRIES = 8


@dataclass
class Dose:
    """How much is done.

    Args:
        workers: How many at once.
        people: How many accounts at once.
        operations: After how many an account has seen enough.
        pause: Longest rest of a worker between two, in seconds.
    """

    workers: int = 10
    people: int = 5
    operations: int = 120
    pause: float = 0.15


@dataclass
class Workers:
    """Everybody at work.

    Args:
        own: Operations of owners by an app.
        pages: Likewise in a browser.
        operator: Operations of an operator.
        random: Chooses.
        dose: How much.

    Attributes:
        people: Those who are worked on.
        past: Those who have seen enough.
    """

    own: Own
    pages: Pages
    operator: Operator
    random: Random
    dose: Dose = field(default_factory=Dose)
    people: list[Person] = field(default_factory=list)
    past: list[Person] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def work(self, until: float) -> None:
        """Work until a moment."""
        await asyncio.gather(
            *(self._replace(until) for _ in range(self.dose.people)),
            *(self._one(until) for _ in range(self.dose.workers)),
        )

    async def settle(self) -> None:
        """Put everybody aside, after a last look at what he has."""
        people, self.people = self.people, []
        await asyncio.gather(*(self._put_aside(person) for person in people))

    async def _one(self, until: float) -> None:
        while time.monotonic() < until:
            if self.people:
                await self._act(self.random.choice(self.people))
            await asyncio.sleep(self.random.uniform(0, self.dose.pause))

    async def _replace(self, until: float) -> None:
        """Keep one place filled."""
        while time.monotonic() < until:
            person = await self._newcomer()
            if person is None:
                await asyncio.sleep(0.2)
                continue
            self.people.append(person)
            while time.monotonic() < until and len(person.events) < self.dose.operations:  # noqa: ASYNC110  others work
                await asyncio.sleep(0.2)
            if time.monotonic() < until:
                self.people.remove(person)
                await self._put_aside(person)

    async def _newcomer(self) -> Person | None:
        """Sign somebody up; None if it cannot be known soon that it is done."""
        person = Person(next(self._numbers))
        said = await self.own.sign_up(person)
        for _ in range(_TRIES):
            person.id = await self.operator.find(person) if said.outcome is not Outcome.REFUSED else ""
            if person.id:
                return person
            await asyncio.sleep(0.5)
        until = time.monotonic() + _SETTLE_SECONDS
        while said.ok and not person.id:
            if time.monotonic() > until:
                person.complain("an acknowledged sign-up is not there")
                break
            await asyncio.sleep(0.5)
            person.id = await self.operator.find(person)
        if person.id:
            return person
        self.past.append(person)
        return None

    async def _put_aside(self, person: Person) -> None:
        """Ask until everything about an account is known, and end it with some."""
        person.closing = True
        deadline = time.monotonic() + _SETTLE_SECONDS
        async with person.operated:  # nobody leaves it disabled
            entered = await self.own.settled(person, deadline)
        while entered and person.codes and time.monotonic() < deadline:
            await self.own.exchange(person)
        for held in list(person.sessions):
            await (self.own.look(person, held) if held.access else self.pages.look(person, held))
        for held in [each for each in person.sessions if each.access][:3]:
            await self.own.refresh(person, held)
        if self.random.random() < _DELETED and (await self.operator.delete(person)).ok:
            for held in list(person.sessions):
                await asyncio.sleep(0.1)
                await (self.own.look(person, held) if held.access else self.pages.look(person, held))
            await self.own.sign_in(person)
        self.past.append(person)

    async def _act(self, person: Person) -> None:
        apps = [each for each in person.sessions if each.access]
        browsers = [each for each in person.sessions if each.browser is not None]
        if not apps or (len(apps) < _MOST_SESSIONS and self.random.random() < 0.15):
            await (self.own.exchange(person) if person.codes else self.own.sign_in(person))
            return
        held = self.random.choice(apps)
        choices: list[tuple[float, Callable[[], Awaitable[Any]]]] = [
            (30, lambda: self.own.look(person, held)),
            (14, lambda: self.own.refresh(person, held)),
            (8, lambda: self.own.sign_in_otherwise(person)),
            (6, lambda: self.own.rename(person, held)),
            (2, lambda: self.own.take_role(person, held)),
            (3, lambda: self.own.log_out(person, held)),
            (2, lambda: self.own.change_password(person, held)),
            (1.5, lambda: self.own.reset(person)),
            (1.5, lambda: self.own.exchange_again(person)),
            (1.5, lambda: self.operator.give_role(person)),
            (0.8, lambda: self.operator.close_and_open(person)),
            (0.8, lambda: self.operator.end_all(person)),
            (3, lambda: self.pages.sign_in(person)),
        ]
        if browsers:
            choices += _in_browser(self.pages, person, self.random.choice(browsers))
        weights, acts = zip(*choices, strict=True)
        await self.random.choices(acts, weights)[0]()


def _in_browser(pages: Pages, person: Person, held: Held) -> list[tuple[float, Callable[[], Awaitable[Any]]]]:
    return [
        (8, lambda: pages.look(person, held)),
        (1, lambda: pages.end_one(person, held)),
        (0.5, lambda: pages.end_all(person, held)),
        (2, lambda: pages.move(person, held)),
        (3, lambda: pages.consent(person, held)),
        (3, lambda: pages.withdraw(person, held)),
    ]
