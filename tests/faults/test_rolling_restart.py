"""Two instances of each service under constant flow: stopped in order one after the other nobody notices (P6).

Killed or hung ones cost what is under way on them, answered with 503 and `Retry-After` or a broken connection, for two
seconds at most; and in no case is a session lost. The supervisor starts again what ends.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession, ClientTimeout
from conftest import GatepostStack
from dialects.ihopr_client import Answer, App, Ihopr, Person, app_maker
from faults.proxied_house import dose

SERVICES = ("gateway", "auth-service", "user-service", "notify-service")
PEOPLE = 6
BACK_SECONDS = 60
NOTICED_SECONDS = 2.5  # two, and the noise of a busy machine
HUNG_SECONDS = 6.0
PAUSE_SECONDS = 0.02


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(pairs: GatepostStack) -> AsyncIterator[Ihopr]:
    async with ClientSession(timeout=ClientTimeout(20)) as session:
        yield Ihopr(session, pairs.url)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(pairs: GatepostStack) -> App:
    return await asyncio.to_thread(app_maker(pairs))


@dataclass
class Member:
    """Somebody with a session, which he uses and refreshes without end."""

    person: Person
    tokens: dict[str, Any]


@dataclass
class Flow:
    """What everybody's requests came to."""

    client: Ihopr
    app: App
    answered: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)

    async def use(self, member: Member, done: asyncio.Event) -> None:
        """Read, refresh and sign in until told to stop."""
        while not done.is_set():
            await self.ask("GET", "user", token=member.tokens["access_token"])
            refreshed = await self.ask(
                "POST", "refresh-token", self.app.credentials | {"refresh_token": member.tokens["refresh_token"]}
            )
            if refreshed is not None:
                member.tokens = refreshed.body
            login = {"email": member.person.email, "password": member.person.password}
            await self.ask("POST", "login", self.app.credentials | login)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Answer | None:
        """Make a request; return the answer if it succeeded."""
        asked_at = time.monotonic()
        try:
            answer = await self.client.call(method, path, body, token)
        except (ClientError, OSError) as exc:
            self.failed.append((asked_at, f"{method} {path}: {type(exc).__name__}"))
            return None
        if answer.status == 200:
            self.answered += 1
            return answer
        assert answer.status == 503, (path, answer)
        assert int(answer.headers["Retry-After"]) >= 1
        self.failed.append((asked_at, f"{method} {path}: {answer.body}"))
        return None


@asynccontextmanager
async def flow(client: Ihopr, app: App) -> AsyncIterator[Flow]:
    """Let people use their sessions inside the block; each session lives after it."""
    members = [Member(*await client.signed_in(app)) for _ in range(PEOPLE)]
    made, done = Flow(client, app), asyncio.Event()
    using = [asyncio.create_task(made.use(member, done)) for member in members]
    try:
        yield made
    finally:
        done.set()
        await asyncio.gather(*using)
    for member in members:
        refreshed = await client.success(
            "POST", "refresh-token", app.credentials | {"refresh_token": member.tokens["refresh_token"]}
        )
        user = (await client.success("GET", "user", token=refreshed["access_token"]))["user"]
        assert user["email"] == member.person.email


async def each_of(stack: GatepostStack, name: str) -> list[dict[str, Any]]:
    status = await asyncio.to_thread(stack.status)
    return [each for each in status["processes"] if each["name"] == name]


async def until_back(stack: GatepostStack, name: str, gone: int) -> None:
    """Wait until both instances are ready, with another process in the place of the one that has gone."""
    async with asyncio.timeout(BACK_SECONDS):
        while not all(each["healthy"] and each["pid"] != gone for each in await each_of(stack, name)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", SERVICES)
async def test_no_request_fails_while_the_instances_of_a_service_are_stopped_in_turn(
    pairs: GatepostStack, client: Ihopr, app: App, name: str
) -> None:
    async with flow(client, app) as seen:
        for each in await each_of(pairs, name):
            os.kill(each["pid"], signal.SIGTERM)
            await until_back(pairs, name, each["pid"])
            await asyncio.sleep(0.5)
    assert seen.failed == []
    assert seen.answered > 100


@pytest.mark.parametrize("name", dose(("auth-service",), SERVICES))
async def test_a_killed_instance_costs_what_was_under_way_and_no_session(
    pairs: GatepostStack, client: Ihopr, app: App, name: str, record_property: Callable[[str, Any], None]
) -> None:
    killed_at = []
    async with flow(client, app) as seen:
        for each in await each_of(pairs, name):
            killed_at.append(time.monotonic())
            os.kill(each["pid"], signal.SIGKILL)
            await until_back(pairs, name, each["pid"])
            await asyncio.sleep(0.5)
    late = [what for asked_at, what in seen.failed if all(not 0 < asked_at - at + 1 < 2 for at in killed_at)]
    assert late == []
    assert len(seen.failed) <= 4 * PEOPLE
    record_property("failed", len(seen.failed))
    record_property("answered", seen.answered)


@pytest.mark.parametrize("name", dose(("auth-service",), ("auth-service", "user-service", "notify-service")))
async def test_a_hung_instance_is_noticed_in_two_seconds_and_gets_its_share_when_it_is_back(
    pairs: GatepostStack, client: Ihopr, app: App, name: str, record_property: Callable[[str, Any], None]
) -> None:
    stopped = (await each_of(pairs, name))[0]["pid"]
    async with flow(client, app) as seen:
        await asyncio.sleep(0.5)
        stopped_at = time.monotonic()
        os.kill(stopped, signal.SIGSTOP)
        try:
            await asyncio.sleep(HUNG_SECONDS)
        finally:
            os.kill(stopped, signal.SIGCONT)
        await asyncio.sleep(2)
    late = [(asked_at - stopped_at, what) for asked_at, what in seen.failed if asked_at > stopped_at + NOTICED_SECONDS]
    assert late == []
    assert seen.answered > 100
    record_property("failed", len(seen.failed))
    record_property("last failure asked after", max((at - stopped_at for at, _ in seen.failed), default=0.0))
