"""Nobody learns who has an account: a known address and an unknown one get the same answer, in the same time."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, App, Person, new_email
from dialects.pages_client import form
from security.conftest import MANY, UNLIMITED
from security.timing import difference, told_apart
from security.world import World, make_world

from gatepost_cli import services
from gatepost_cli import stack as stacks
from gatepost_cli.operate import opened

_PAIRS = 45
_PEOPLE = 6
_WRONG = "not-the-password-1"
_NEW = "harbour-violin-97"
_DRAWN = re.compile(r"[0-9a-f]{32,}|[0-9a-f]{16}@example\.com|[0-9a-f]{16}%40example\.com|time_token\": ?[0-9]+")
# Names of people as a step's cookie packs them.
_COOKIE = re.compile(r"=[^;]*")
_AGE = re.compile(r"Max-Age=[0-9]+")  # of what is left, in whole seconds
_OWN_HEADERS = {"date", "x-request-id"}


@dataclass
class Addresses:
    """Addresses that have an account in each project, and such as have none."""

    world: World
    people: dict[str, list[Person]] = field(default_factory=dict)
    turns: dict[tuple[str, bool], Any] = field(default_factory=dict)

    async def get(self, app: App, *, known: bool) -> str:
        """Return the next of a project, in turn, so that each is as often asked about as the other."""
        key = (app.project, known)
        if key not in self.turns:
            emails = [new_email() for _ in range(_PEOPLE)]
            if known:
                emails = [(await self._person(app)).email for _ in range(_PEOPLE)]
            self.turns[key] = cycle(emails)
        return str(next(self.turns[key]))

    async def _person(self, app: App) -> Person:
        return await (self.world.site.person() if app is self.world.app else self.world.confirmed(app))


@dataclass(frozen=True)
class Told:
    """An answer, without what is drawn anew for each."""

    status: int
    headers: dict[str, str]
    body: str


Answering = Callable[..., Awaitable[Any]]


async def _ihopr_login(to: Addresses, app: App, *, known: bool) -> Any:
    body = app.credentials | {"email": await to.get(app, known=known), "password": _WRONG}
    return await to.world.ihopr.post("login", body)


async def _ihopr_signup(to: Addresses, app: App, *, known: bool) -> Any:
    email = await to.get(app, known=True) if known else new_email()
    names = {"first_name": "Ann", "last_name": "Lee", "mobile_number": "1"}
    return await to.world.ihopr.post("signup", app.credentials | names | {"email": email, "password": PASSWORD})


async def _ihopr_forget(to: Addresses, *, known: bool) -> Any:
    app = to.world.app
    body = app.credentials | {"email": await to.get(app, known=known)}
    return await to.world.ihopr.post("send-reset-password-code", body)


async def _ihopr_reset(to: Addresses, *, known: bool) -> Any:
    handle = (await _ihopr_forget(to, known=known)).body["reset_password_token"]
    body = {"reset_password_token": handle, "reset_password_code": "123456", "password": _NEW}
    return await to.world.ihopr.post("reset-password", body)


async def _ihopr_code(to: Addresses, *, known: bool) -> Any:
    handle = (await _ihopr_login(to, to.world.otp_app, known=known)).body["otp_token"]
    return await to.world.ihopr.post("otp-code", {"otp_token": handle, "otp_code": "123456"})


async def _shoop_login(to: Addresses, *, known: bool) -> Any:
    return await to.world.shoop.post("auth/login", email=await to.get(to.world.app, known=known), password=_WRONG)


async def _shoop_forget(to: Addresses, *, known: bool) -> Any:
    return await to.world.shoop.post("auth/forgot_password", email=await to.get(to.world.app, known=known))


async def _shoop_reset(to: Addresses, *, known: bool) -> Any:
    email = await to.get(to.world.app, known=known)
    await to.world.shoop.post("auth/forgot_password", email=email)
    return await to.world.shoop.post("auth/reset_password", email=email, token="123456", password=_NEW)


async def _ossn(to: Addresses, *, known: bool) -> Any:
    return await to.world.ossn.authenticate(await to.get(to.world.app, known=known), _WRONG)


_TOKENS: dict[int, str] = {}


async def _vorgid_email(to: Addresses, *, known: bool) -> Any:
    token = _TOKENS.get(id(to)) or (await to.world.vorgid.signed_in())[1]
    _TOKENS[id(to)] = token
    email = await to.get(to.world.app, known=known)
    return await to.world.vorgid.call("POST", "edit-email", token, json={"email": email})


def _page(path: str, then: str = "", **fields: str) -> Answering:
    """Fill a form at the door; `then` names another policy's project."""

    async def ask(to: Addresses, *, known: bool) -> Any:
        app = getattr(to.world, then or "app")
        door = to.world.door(app)
        email = await to.get(app, known=True) if known else new_email()
        return await door.submit(await door.open(path), email=email, **fields)

    return ask


async def _page_reset(to: Addresses, *, known: bool) -> Any:
    door = to.world.door()
    page = await door.follow(
        await door.submit(await door.open("/forgot-password"), email=await to.get(to.world.app, known=known))
    )
    assert form(page)
    return await door.submit(page, code="123456", password=_NEW)


async def _page_change(to: Addresses, *, known: bool) -> Any:
    visit = await to.world.visit()
    return await visit.send("/account/email", email=await to.get(to.world.app, known=known))


async def _page_change_page(to: Addresses, *, known: bool) -> Any:
    visit = await to.world.visit()
    await visit.send("/account/email", email=await to.get(to.world.app, known=known))
    return await visit.send("/account/email/code", code="123456")


QUESTIONS: dict[str, Answering] = {
    "ihopr: a wrong password": lambda to, known: _ihopr_login(to, to.world.app, known=known),
    "ihopr: a wrong password before a second step": lambda to, known: _ihopr_login(
        to, to.world.two_step_app, known=known
    ),
    "ihopr: sign-in by mailed code": lambda to, known: _ihopr_login(to, to.world.otp_app, known=known),
    "ihopr: a wrong mailed code": _ihopr_code,
    "ihopr: sign-up before a second step": lambda to, known: _ihopr_signup(to, to.world.two_step_app, known=known),
    "ihopr: sign-up by mailed code": lambda to, known: _ihopr_signup(to, to.world.otp_app, known=known),
    "ihopr: a reset": _ihopr_forget,
    "ihopr: a reset with a wrong code": _ihopr_reset,
    "shoop: a wrong password": _shoop_login,
    "shoop: a reset": _shoop_forget,
    "shoop: a reset with a wrong code": _shoop_reset,
    "ossn: a wrong password": _ossn,
    "vorgid: another address": _vorgid_email,
    "pages: a wrong password": _page("/sign-in", password=_WRONG),
    "pages: a wrong password before a second step": _page("/sign-in", "two_step_app", password=_WRONG),
    "pages: sign-in by mailed code": _page("/sign-in", "otp_app"),
    "pages: sign-up before a second step": _page("/sign-up", "two_step_app", first_name="Ann", password=PASSWORD),
    "pages: sign-up by mailed code": _page("/sign-up", "otp_app", first_name="Ann"),
    "pages: a reset": _page("/forgot-password"),
    "pages: a reset with a wrong code": _page_reset,
    "pages: another address": _page_change,
    "pages: another address with a wrong code": _page_change_page,
}
# One of each way through the core: the wires and the pages share them.
TIMED = (
    "ihopr: a wrong password",
    "ihopr: sign-up before a second step",
    "ihopr: sign-in by mailed code",
    "ihopr: a wrong mailed code",
    "ihopr: a reset",
    "ihopr: a reset with a wrong code",
    "shoop: a reset with a wrong code",
    "vorgid: another address",
)


@pytest.fixture(scope="module")
def careful_stack(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return a stack that hashes as it does by default, and lets everybody ask as often as he likes."""
    hashing = {"GATEPOST_ARGON2_MEMORY_KIB": "19456", "GATEPOST_ARGON2_ITERATIONS": "2"}
    made = make_stack(**UNLIMITED, **hashing, GATEPOST_MAILS_PER_ACCOUNT=MANY)
    made.up("--no-demo")
    return made


@pytest.fixture(scope="module")
async def addresses(careful_stack: GatepostStack, session: ClientSession) -> AsyncIterator[Addresses]:
    async with opened(services.of(stacks.load(careful_stack.data_dir))) as rpc:
        yield Addresses(await make_world(careful_stack, session, rpc))


def told(answer: Any) -> Told:
    """Return what an answer says of the address."""
    headers = {
        name.lower(): _DRAWN.sub("", _COOKIE.sub("=", _AGE.sub("", value), count=1) if name == "Set-Cookie" else value)
        for name, value in answer.headers.items()
        if name.lower() not in _OWN_HEADERS
    }
    return Told(answer.status, headers, _DRAWN.sub("", answer.text if hasattr(answer, "text") else repr(answer.body)))


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_known_address_gets_the_answer_of_an_unknown_one(addresses: Addresses, question: str) -> None:
    known, unknown = [told(await QUESTIONS[question](addresses, known=known)) for known in (True, False)]
    assert known == unknown


@pytest.mark.parametrize("question", TIMED)
async def test_a_known_address_takes_the_time_of_an_unknown_one(addresses: Addresses, question: str) -> None:
    async def ask(*, known: bool) -> object:
        return await QUESTIONS[question](addresses, known=known)

    for known in (True, False):
        await ask(known=known)
    found = await told_apart(ask, _PAIRS, Random(question))  # noqa: S311 an order, no secret
    assert not found, [f"{1000 * each:+.2f} ms for a known address" for each in found]


async def test_an_answer_that_takes_longer_is_told_apart_by_the_same_measure(addresses: Addresses) -> None:
    async def ask(*, known: bool) -> object:
        if known:
            await asyncio.sleep(0.015)  # beyond any noise of a machine at work
        return await _shoop_forget(addresses, known=known)

    found: list[float] = []
    for seed in range(3):  # noise may hide it once
        found = found or await told_apart(ask, _PAIRS, Random(seed))  # noqa: S311 an order, no secret
    assert len(found) == 3
    assert all(0.008 < each < 0.08 for each in found)


async def test_the_same_question_twice_is_not_told_apart(addresses: Addresses) -> None:
    async def ask(*, known: bool) -> object:
        return await _shoop_forget(addresses, known=False)

    assert await told_apart(ask, _PAIRS, Random(2)) == []  # noqa: S311 an order, no secret


@pytest.mark.parametrize(("more", "is_told"), [(0.0, False), (0.02, False), (0.15, True), (-0.15, True)])
def test_a_share_of_a_hash_more_or_less_is_told_apart_in_noise(more: float, is_told: bool) -> None:  # noqa: FBT001
    """Answers of 20 ms on a machine that now and then does something else."""
    random = Random(4)  # noqa: S311 noise, no secret
    first, second = [[0.02 + random.expovariate(1 / 0.001) for _ in range(_PAIRS)] for _ in range(2)]
    told_more = difference([each + 0.02 * more for each in first], second)
    assert (told_more != 0.0) is is_told
    assert not is_told or (told_more > 0) is (more > 0)
