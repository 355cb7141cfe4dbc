"""The judge of histories: what can be explained is no violation, and each broken promise is found."""

from typing import Any

import pytest
from faults.history_events import EVERY, Event, Outcome, Reason, Rules
from faults.history_model import violations

RULES = Rules(late=20, replay=10, margin=0.5)
OK, REFUSED, UNKNOWN = Outcome
FIRST = {"password": "one", "email": "a@b.example", "name": "Ann", "role": "user", "state": "active"}


def did(start: float, kind: str = "act", /, *, took: float = 0.1, **known: Any) -> Event:
    return Event(kind=kind, start=start, end=start + took, **known)


def signed_up(outcome: Outcome = OK) -> Event:
    return did(0, "sign-up", writes=FIRST, outcome=outcome)


def signed_in(start: float, word: str = "one", **known: Any) -> Event:
    return did(start, "sign-in", reads={"password": word, "state": "active"}, **known)


def turned_away(start: float, word: str = "one") -> Event:
    denies = {"password": word, "email": "a@b.example", "state": "active"}
    return did(start, "sign-in", outcome=REFUSED, reason=Reason.CREDENTIALS, denies=denies)


def changed(start: float, password: str, outcome: Outcome = OK, **known: Any) -> Event:
    return did(start, "password", writes={"password": password}, outcome=outcome, ends=EVERY, **known)


def opened(start: float, name: str = "s", code: str = "c") -> Event:
    return did(start, "exchange", opens=name, once=code)


def used(start: float, name: str = "s", **known: Any) -> Event:
    return did(start, "look", uses=name, stale=1.0, **known)


def dead(start: float, name: str = "s", **known: Any) -> Event:
    return did(start, "look", uses=name, stale=1.0, outcome=REFUSED, reason=Reason.DEAD, **known)


def refreshed(start: float, token: str, successor: str = "", **known: Any) -> Event:
    return did(start, "refresh", uses="s", once=token, successor=successor, **known)


RIGHT = {
    "nothing": [],
    "old then new password": [signed_up(), signed_in(1), changed(2, "two"), signed_in(3, "two"), turned_away(4)],
    "old password while it is changed": [signed_up(), changed(1, "two", took=2), signed_in(1.5), signed_in(2, "two")],
    "an unknown change that did not happen": [signed_up(), changed(1, "two", UNKNOWN), signed_in(2), signed_in(30)],
    "an unknown change that happened late": [
        signed_up(),
        changed(1, "two", UNKNOWN),
        signed_in(2),
        signed_in(9, "two"),
        turned_away(10),
    ],
    "right password refused while it may be changed": [signed_up(), changed(1, "two", UNKNOWN), turned_away(5)],
    "an unknown sign-up that is not there": [signed_up(UNKNOWN), turned_away(5)],
    "refused while disabled": [
        signed_up(),
        did(1, writes={"state": "disabled"}, ends=EVERY),
        turned_away(2),
        did(3, writes={"state": "active"}),
        signed_in(4),
    ],
    "a name seen late, as gateways may": [
        signed_up(),
        did(1, writes={"name": "Bea"}),
        used(1.9, reads={"name": "Ann"}),
        used(3, reads={"name": "Bea"}),
    ],
    "a session that was left": [signed_up(), opened(1), used(2), did(3, ends="s", uses="s"), used(3.5), dead(6)],
    "a session whose end is unknown": [signed_up(), opened(1), did(2, ends="s", outcome=UNKNOWN), used(3), dead(4)],
    "a session spared": [signed_up(), opened(1), changed(2, "two", uses="s", spares="s"), used(5)],
    "a session opened while all were ended": [signed_up(), did(1, ends=EVERY, took=2), opened(2), used(9)],
    "a code shown again ends its session": [
        signed_up(),
        opened(1),
        did(2, "exchange", once="c", outcome=REFUSED, reason=Reason.ONCE),
        dead(3),
    ],
    "a refresh token replayed in its window": [
        signed_up(),
        opened(1),
        refreshed(2, "t1", "t2"),
        refreshed(3, "t1", "t2"),
        refreshed(4, "t2", "t3"),
    ],
    "a refresh token reused ends the session": [
        signed_up(),
        opened(1),
        refreshed(2, "t1", "t2"),
        refreshed(15, "t1", outcome=REFUSED, reason=Reason.DEAD),
        dead(17),
    ],
    "a refresh whose answer was lost, tried again too late": [
        signed_up(),
        opened(1),
        refreshed(2, "t1", outcome=UNKNOWN),
        refreshed(13, "t1", outcome=REFUSED, reason=Reason.DEAD),
    ],
    "a code refused after all sessions were ended": [
        signed_up(),
        signed_in(1, gives="c"),
        did(2, ends=EVERY),
        did(3, "exchange", once="c", outcome=REFUSED, reason=Reason.ONCE),
    ],
}

WRONG = {
    "a sign-up lost": ("refused", [signed_up(), turned_away(1)]),
    "a password lost": (
        "stale",
        [signed_up(), signed_in(1), changed(2, "two"), changed(9, "x", UNKNOWN), signed_in(9)],
    ),
    "a password that came back": ("stale", [signed_up(), changed(1, "two"), signed_in(3)]),
    "a new password refused": ("refused", [signed_up(), changed(1, "two"), turned_away(3, "two")]),
    "a refused password accepted": ("invented", [signed_up(), changed(1, "two", REFUSED), signed_in(3, "two")]),
    "a password that comes and goes": (
        "lost",
        [signed_up(), changed(1, "two", UNKNOWN), signed_in(2), signed_in(3, "two"), signed_in(4)],
    ),
    "a wrong password accepted": ("invented", [signed_up(), signed_in(1, "other")]),
    "a role lost": ("stale", [signed_up(), did(1, writes={"role": "admin"}), used(5, reads={"role": "user"})]),
    "a name seen too late": ("stale", [signed_up(), did(1, writes={"name": "Bea"}), used(3, reads={"name": "Ann"})]),
    "consent lost": (
        "stale",
        [
            did(0, writes={"consent": "none"}),
            did(1, writes={"consent": "given"}),
            did(5, reads={"consent": "none"}),
        ],
    ),
    "a disabled account let in": (
        "stale",
        [signed_up(), did(1, writes={"state": "disabled"}, ends=EVERY), signed_in(3)],
    ),
    "a deleted account let in": ("stale", [signed_up(), did(1, writes={"state": "deleted"}, ends=EVERY), signed_in(3)]),
    "a session after its end": ("undead", [signed_up(), opened(1), did(2, ends="s", uses="s"), used(3.2)]),
    "a session after the end of all": ("undead", [signed_up(), opened(1), did(2, ends=EVERY), used(3.2)]),
    "a refresh after the end": ("undead", [signed_up(), opened(1), did(2, ends=EVERY), refreshed(2.2, "t1", "t2")]),
    "a session lost": ("lost session", [signed_up(), opened(1), used(2), dead(3)]),
    "a spared session lost": ("lost session", [signed_up(), opened(1), changed(2, "two", spares="s"), dead(5)]),
    "a session lost long after an unknown end that did not happen": (
        "lost session",
        [signed_up(), opened(1), did(2, ends="s", outcome=UNKNOWN), used(40), dead(41)],
    ),
    "a refresh refused though valid": (
        "lost session",
        [signed_up(), opened(1), refreshed(2, "t1", outcome=REFUSED, reason=Reason.DEAD)],
    ),
    "a replay refused in its window": (
        "lost session",
        [
            signed_up(),
            opened(1),
            refreshed(2, "t1", "t2"),
            refreshed(3, "t1", outcome=REFUSED, reason=Reason.DEAD),
        ],
    ),
    "a session risen": ("risen", [signed_up(), opened(1), did(2, may_end=EVERY), dead(3), used(5)]),
    "a code good twice": ("twice", [signed_up(), opened(1), opened(2, "other")]),
    "a reset code good twice": ("twice", [signed_up(), did(1, "reset", once="r"), did(2, "reset", once="r")]),
    "a refresh token with two successors": (
        "twice",
        [signed_up(), opened(1), refreshed(2, "t1", "t2"), refreshed(3, "t1", "t9")],
    ),
    "a refresh token good after its successor": (
        "reuse",
        [signed_up(), opened(1), refreshed(2, "t1", "t2"), refreshed(3, "t2", "t3"), refreshed(4, "t1", "t2")],
    ),
    "a refresh token good too long": (
        "reuse",
        [signed_up(), opened(1), refreshed(2, "t1", "t2"), refreshed(13, "t1", "t2")],
    ),
    "a code that outlived the end of all": (
        "undead",
        [signed_up(), signed_in(1, gives="c"), did(2, ends=EVERY), opened(3)],
    ),
    "a code lost": (
        "lost code",
        [signed_up(), signed_in(1, gives="c"), did(3, "exchange", once="c", outcome=REFUSED, reason=Reason.ONCE)],
    ),
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT.keys())
def test_what_can_be_explained_is_no_violation(history: list[Event]) -> None:
    assert violations(history, RULES) == []


@pytest.mark.parametrize(("rule", "history"), WRONG.values(), ids=WRONG.keys())
def test_a_broken_promise_is_found_and_named(rule: str, history: list[Event]) -> None:
    assert {violation.rule for violation in violations(history, RULES)} == {rule}
