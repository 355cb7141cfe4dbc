"""Processes killed under load: the supervisor brings them back, and what was acknowledged is there.

People sign up through the gateway, by several clients at once, while one process after the other is killed. A sign-up
that was acknowledged can sign in and has its profile. One that was not is whole, or is not there and can be made again.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession, ClientTimeout
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person, app_maker, new_email

T = TypeVar("T")
CLIENTS = 6
PAUSE_SECONDS = 0.1  # enough people at work when a process dies, few enough to look at each afterwards
UNDISTURBED_SECONDS = 0.5
ANSWER_SECONDS = 20
BACK_SECONDS = 60
SERVICES = ("user-service", "auth-service", "notify-service", "gateway")
STORAGE = ("postgres", "valkey")


@dataclass
class Crowd:
    """People who signed up: those told that they did, and those who cannot know."""

    acknowledged: list[tuple[Person, Any]] = field(default_factory=list)
    unanswered: list[Person] = field(default_factory=list)


async def try_sign_up(client: Ihopr, app: App, crowd: Crowd) -> None:
    person = Person(new_email())
    body = {"email": person.email, "password": person.password, "first_name": "Ann", "last_name": "Lee"}
    try:
        answer = await client.post("signup", app.credentials | body | {"mobile_number": "1", "meta": person.email})
    except (ClientError, TimeoutError):
        crowd.unanswered.append(person)
        return
    if answer.status == 200:
        crowd.acknowledged.append((person, answer.body))
    else:
        assert answer.status == 503, answer.body
        assert "Retry-After" in answer.headers
        crowd.unanswered.append(person)


async def keep_signing_up(client: Ihopr, app: App, crowd: Crowd, done: asyncio.Event) -> None:
    while not done.is_set():
        await try_sign_up(client, app, crowd)
        await asyncio.sleep(PAUSE_SECONDS)


async def kill_in_turn(stack: GatepostStack, names: tuple[str, ...]) -> None:
    """Kill each process once; wait each time until everything is ready again."""
    for name in names:
        before = await asyncio.to_thread(stack.status)
        pid = next(each["pid"] for each in before["processes"] if each["name"] == name)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(BACK_SECONDS):
            while True:
                now = await asyncio.to_thread(stack.status)
                back = next(each["pid"] for each in now["processes"] if each["name"] == name)
                if now["ready"] and back != pid:
                    break
        await asyncio.sleep(UNDISTURBED_SECONDS)


async def disturbed(stack: GatepostStack, client: Ihopr, app: App, names: tuple[str, ...]) -> Crowd:
    """Return who signed up while the processes were killed in turn."""
    crowd, done = Crowd(), asyncio.Event()
    crowding = [asyncio.create_task(keep_signing_up(client, app, crowd, done)) for _ in range(CLIENTS)]
    killing = asyncio.create_task(kill_in_turn(stack, names))
    try:
        await asyncio.wait({killing, *crowding}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done.set()
        await asyncio.gather(*crowding)
        await killing
    assert crowd.acknowledged
    return crowd


async def for_each(people: Iterable[T], look: Callable[[T], Awaitable[None]]) -> None:
    """Look at everybody, at a few at a time."""
    free = asyncio.Semaphore(CLIENTS)

    async def one(person: T) -> None:
        async with free:
            await look(person)

    await asyncio.gather(*(one(person) for person in people))


async def assert_whole(client: Ihopr, app: App, person: Person) -> None:
    """Sign in, and compare the profile with what was said at sign-up."""
    user = (await client.signed_in_again(app, person))["user"]
    assert (user["email"], user["first_name"], user["meta"]) == (person.email, "Ann", person.email)


async def assert_whole_or_nothing(client: Ihopr, app: App, person: Person) -> None:
    answer = await client.post("login", app.credentials | {"email": person.email, "password": person.password})
    if answer.status == 401:
        said = {"email": person.email, "password": person.password, "mobile_number": "1", "meta": person.email}
        await client.signup(app, **said)
    await assert_whole(client, app, person)


@pytest.fixture(scope="module")
def own_stack(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return a stack that nobody else minds being killed."""
    stack = make_stack()
    stack.up("--no-demo")
    return stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(own_stack: GatepostStack) -> AsyncIterator[Ihopr]:
    async with ClientSession(timeout=ClientTimeout(ANSWER_SECONDS)) as session:
        yield Ihopr(session, own_stack.url)


@pytest.fixture(scope="module")
def make_app(own_stack: GatepostStack) -> Callable[..., App]:
    return app_maker(own_stack)


@pytest.mark.parametrize("names", [SERVICES, STORAGE], ids=["services", "storage"])
async def test_sign_ups_under_kills_leave_nothing_or_a_whole_account(
    own_stack: GatepostStack, client: Ihopr, make_app: Callable[..., App], names: tuple[str, ...]
) -> None:
    app = await asyncio.to_thread(make_app)
    crowd = await disturbed(own_stack, client, app, names)
    await for_each((person for person, _ in crowd.acknowledged), partial(assert_whole, client, app))
    await for_each(crowd.unanswered, partial(assert_whole_or_nothing, client, app))


async def test_every_acknowledged_sign_up_gets_its_mail_whoever_is_killed(
    own_stack: GatepostStack, client: Ihopr, make_app: Callable[..., App]
) -> None:
    app = await asyncio.to_thread(make_app, "otp")
    crowd = await disturbed(own_stack, client, app, ("notify-service", "auth-service"))

    async def assert_verifiable(signed_up: tuple[Person, Any]) -> None:
        person, answer = signed_up
        code = await client.mailed_code(person.email)
        verified = await client.success("POST", "otp-code", {"otp_code": code, "otp_token": answer["otp_token"]})
        user = (await client.exchange(app, verified["code"]))["user"]
        assert (user["email"], user["meta"]) == (person.email, person.email)

    await for_each(crowd.acknowledged, assert_verifiable)
