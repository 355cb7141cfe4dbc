"""What gateways remember is in force no longer than a second after it changed: pushed, and with the push cut or hung.

Two gateways, as the services see them, keep tokens and profiles. One of them changes something: it must see that itself
at once, the other within a second, and neither may go by anything older, whatever happens to the streams.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, App, Ihopr
from google.protobuf.field_mask_pb2 import FieldMask
from prometheus_client import REGISTRY

from gatepost.auth.v1.accounts_pb2 import (
    AccountRef,
    AccountState,
    DeleteAccountRequest,
    SetAccountStateRequest,
    SetRoleRequest,
    UpdateOwnAccountRequest,
)
from gatepost.auth.v1.apps_pb2 import CreateAppRequest, UpdateAppRequest
from gatepost.auth.v1.projects_pb2 import CreateProjectRequest, SignInPolicy, UpdateProjectRequest
from gatepost.auth.v1.tokens_pb2 import EndAllOwnSessionsRequest, EndSessionRequest
from gatepost.users.v1.profiles_pb2 import Profile, UpdateProfileRequest
from gateway.clients import Clients
from gateway.main import connect_services
from gateway.settings import GatewaySettings
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason

SECOND = 1.0
BACK_SECONDS = 30
BYSTANDERS = 20
AT_WORK = 4
REFUSALS = {Reason.TOKEN_INVALID, Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED}


@dataclass(frozen=True)
class Member:
    """Somebody who is signed in with an app."""

    app: App
    user_id: str
    token: str


Act = Callable[[Clients, Member], Awaitable[Any]]


@dataclass(frozen=True)
class House:
    """A running stack, and two gateways of our own in front of its services."""

    stack: GatepostStack
    here: Clients
    there: Clients
    auth_dsn: str

    async def members(self, number: int) -> list[Member]:
        """Sign new people up; both gateways have seen them."""
        async with ClientSession() as session:
            client = Ihopr(session, self.stack.url)
            app = await self._app()
            found = []
            for _ in range(number):
                _, tokens = await client.signed_in(app)
                who = await self.here.authenticate(tokens["access_token"])
                found.append(Member(app, who.account.user_id, tokens["access_token"]))
        for member in found:
            await self.warm(member)
        return found

    async def _app(self) -> App:
        project, app_id = f"p{uuid4().hex}", str(uuid4())
        policy = SignInPolicy.SIGN_IN_POLICY_NONE
        await self.here._projects.CreateProject(
            CreateProjectRequest(id=str(uuid4()), name=project, sign_in_policy=policy)
        )
        made = await self.here.apps.CreateApp(CreateAppRequest(id=app_id, project=project, name="App"))
        return App(project, made.app.client_id, made.client_secret)

    async def warm(self, member: Member) -> None:
        """Let both gateways remember somebody for sure, and hear what changes of him."""
        async with asyncio.timeout(BACK_SECONDS):
            for gateway in (self.here, self.there):
                while not (await remembers(gateway, member) and heard()):  # noqa: ASYNC110 no event says it
                    await asyncio.sleep(0.02)

    async def processes(self, name: str) -> list[int]:
        """Return the process ids of a service, once everything is up again."""
        async with asyncio.timeout(BACK_SECONDS):
            while not (status := await asyncio.to_thread(self.stack.status))["ready"]:  # noqa: ASYNC110 likewise
                await asyncio.sleep(0.1)
        return [each["pid"] for each in status["processes"] if each["name"] == name]

    async def revoke_by_hand(self, member: Member) -> None:
        """End a session as an operator may, with no gateway or service in between."""
        connection = await asyncpg.connect(self.auth_dsn)
        try:
            done = await connection.execute(
                "UPDATE sessions SET revoked_at = now() WHERE account_id = $1 AND revoked_at IS NULL", member.user_id
            )
            assert done == "UPDATE 1"
        finally:
            await connection.close()


def heard() -> bool:
    """Whether both services are watched; gateways of one process share the gauge."""
    services = ("auth-service", "user-service")
    return all(REGISTRY.get_sample_value("gatepost_watch_connected", {"service": name}) for name in services)


async def remembers(gateway: Clients, member: Member) -> bool:
    """Ask for somebody and his profile; return whether no service was asked."""
    before = misses()
    with bound(CallContext(deadline=monotonic() + SECOND)), suppress(GatepostError):
        await gateway.authenticate(member.token)
        await gateway.profile(member.user_id)
    return misses() == before


def misses() -> float:
    return sum(
        REGISTRY.get_sample_value("gatepost_memory_lookups_total", {"kind": kind, "outcome": "miss"}) or 0
        for kind in ("token", "profile")
    )


async def accepted(gateway: Clients, member: Member, seconds: float = 0.3) -> bool:
    """Whether a token is good for a gateway; one that it cannot check in time is not."""
    try:
        with bound(CallContext(deadline=monotonic() + seconds)):
            await gateway.authenticate(member.token)
    except GatepostError as error:
        if error.reason not in REFUSALS:
            raise
        return False
    return True


async def assert_refused(gateway: Clients, member: Member, since: float) -> None:
    """Ask until the second is over, and a little longer; nothing asked after it may be accepted."""
    late = []
    while (asked := monotonic()) < since + SECOND * 1.3:
        if await accepted(gateway, member) and asked > since + SECOND:
            late.append(asked - since)
        await asyncio.sleep(0.01)
    assert not late


async def assert_soon(is_so: Callable[[], Awaitable[bool]], since: float) -> None:
    """Ask until it is so, which must be within the second, and see that it stays."""
    while not await is_so():
        assert monotonic() < since + SECOND
        await asyncio.sleep(0.005)
    for _ in range(20):
        assert await is_so()
        await asyncio.sleep(0.005)


@asynccontextmanager
async def load(house: House, bystanders: list[Member]) -> AsyncIterator[None]:
    """Keep both gateways at work inside the block; nobody may be refused."""
    done = asyncio.Event()

    async def work(number: int) -> None:
        turn = number
        while not done.is_set():
            turn += 1
            member, gateway = bystanders[turn % len(bystanders)], (house.here, house.there)[turn % 2]
            assert (await gateway.authenticate(member.token)).account.user_id == member.user_id
            await gateway.profile(member.user_id)
            await asyncio.sleep(0.001)

    working = [asyncio.create_task(work(number)) for number in range(AT_WORK)]
    try:
        yield
    finally:
        done.set()
        await asyncio.gather(*working)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(make_stack: Callable[..., GatepostStack]) -> AsyncIterator[House]:
    stack = make_stack()
    status = stack.up("--no-demo", "--auth", "2", "--users", "2")
    assert stack.data_dir is not None
    secrets = json.loads((stack.data_dir / "secrets.json").read_text(encoding="utf-8"))
    given = {"service_keys": secrets["service_keys"][0]}
    for word, name in (("auth", "auth-service"), ("users", "user-service"), ("notify", "notify-service")):
        addresses = [each["address"] for each in status["processes"] if each["name"] == name]
        given[f"{word}_target"] = f"ipv4:{','.join(addresses)}"
    here, there = (connect_services(GatewaySettings.model_validate(given)) for _ in range(2))
    here.start()
    there.start()
    yield House(stack, here, there, status["postgres"]["dsns"]["auth"])
    await here.close()
    await there.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bystanders(house: House) -> list[Member]:
    return await house.members(BYSTANDERS)


async def end_session(gateway: Clients, member: Member) -> None:
    await gateway.tokens.EndSession(EndSessionRequest(access_token=member.token))


async def end_all(gateway: Clients, member: Member) -> None:
    await gateway.tokens.EndAllOwnSessions(EndAllOwnSessionsRequest(access_token=member.token))


async def disable(gateway: Clients, member: Member) -> None:
    state = AccountState.ACCOUNT_STATE_DISABLED
    await gateway.accounts.SetAccountState(SetAccountStateRequest(account=ref(member), state=state))


async def delete(gateway: Clients, member: Member) -> None:
    await gateway.accounts.DeleteAccount(DeleteAccountRequest(account=ref(member)))


async def disable_app(gateway: Clients, member: Member) -> None:
    await gateway.apps.UpdateApp(UpdateAppRequest(client_id=member.app.client_id, disabled=True))


async def disable_project(gateway: Clients, member: Member) -> None:
    await gateway._projects.UpdateProject(UpdateProjectRequest(name=member.app.project, disabled=True))


def ref(member: Member) -> AccountRef:
    return AccountRef(user_id=member.user_id)


@pytest.mark.parametrize("act", [end_session, end_all, disable, delete, disable_app, disable_project])
async def test_what_ends_a_token_through_one_gateway_ends_it_on_every_other_under_load(
    house: House, bystanders: list[Member], act: Act
) -> None:
    (member,) = await house.members(1)
    async with load(house, bystanders):
        await act(house.here, member)
        since = monotonic()
        assert await refused(house.here, member)
        await assert_soon(lambda: refused(house.there, member), since)


async def refused(gateway: Clients, member: Member) -> bool:
    return not await accepted(gateway, member)


async def test_a_new_password_ends_the_other_sessions_on_every_gateway(house: House) -> None:
    (member,) = await house.members(1)
    async with ClientSession() as session:
        client = Ihopr(session, house.stack.url)
        email = (await house.here.authenticate(member.token)).account.email
        code = (await client.post("login", member.app.credentials | {"email": email, "password": PASSWORD})).body[
            "code"
        ]
        token = (await client.exchange(member.app, code))["access_token"]
    other = Member(member.app, member.user_id, token)
    await house.warm(other)
    change = UpdateOwnAccountRequest(
        access_token=member.token, password="another-lantern-43", current_password=PASSWORD
    )
    await house.here.accounts.UpdateOwnAccount(change)
    since = monotonic()
    assert not await accepted(house.here, other)
    await assert_soon(lambda: refused(house.there, other), since)
    assert await accepted(house.there, member)


async def test_a_role_and_a_profile_are_the_new_ones_on_every_gateway(house: House) -> None:
    (member,) = await house.members(1)
    await house.here.accounts.SetRole(SetRoleRequest(account=ref(member), role="admin"))
    await edit(house.here, member, "New")
    since = monotonic()

    async def told(gateway: Clients) -> bool:
        who, profile = await gateway.authenticate(member.token), await gateway.profile(member.user_id)
        return (who.account.role, profile.first_name) == ("admin", "New")

    assert await told(house.here)
    await assert_soon(lambda: told(house.there), since)


async def edit(gateway: Clients, member: Member, first_name: str) -> None:
    profile = Profile(user_id=member.user_id, first_name=first_name)
    mask = FieldMask(paths=["first_name"])
    await gateway.profiles.UpdateProfile(UpdateProfileRequest(profile=profile, update_mask=mask))


async def test_a_writer_reads_his_own_write_a_hundred_times(house: House, bystanders: list[Member]) -> None:
    (member,) = await house.members(1)
    async with load(house, bystanders):
        for number in range(100):
            name, role = f"Name {number}", ("user", "admin")[number % 2]
            await edit(house.here, member, name)
            assert (await house.here.profile(member.user_id)).first_name == name
            await house.here.accounts.SetRole(SetRoleRequest(account=ref(member), role=role))
            assert (await house.here.authenticate(member.token)).account.role == role


async def test_a_name_changed_by_token_is_read_at_once(house: House) -> None:
    (member,) = await house.members(1)
    await house.here.profile(member.user_id)
    change = UpdateOwnAccountRequest(access_token=member.token, first_name="Nora")
    await house.here.accounts.UpdateOwnAccount(change)
    assert (await house.here.profile(member.user_id)).first_name == "Nora"


@pytest.mark.parametrize("index", [0, 1])
async def test_a_revocation_is_in_force_while_a_watched_service_hangs(house: House, index: int) -> None:
    (member,) = await house.members(1)
    pid = (await house.processes("auth-service"))[index]
    os.kill(pid, signal.SIGSTOP)
    try:
        await house.revoke_by_hand(member)
        since = monotonic()
        await asyncio.gather(*(assert_refused(gateway, member, since) for gateway in (house.here, house.there)))
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("index", [0, 1])
async def test_a_revocation_is_in_force_when_a_watched_service_is_killed(house: House, index: int) -> None:
    (member,) = await house.members(1)
    pid = (await house.processes("auth-service"))[index]
    await house.revoke_by_hand(member)  # while it may be about to tell
    since = monotonic()
    os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*(assert_refused(gateway, member, since) for gateway in (house.here, house.there)))
    assert pid not in await house.processes("auth-service")


async def test_changes_are_pushed_again_when_postgresql_is_back(house: House) -> None:
    (member,) = await house.members(1)
    (pid,) = await house.processes("postgres")
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(SECOND)
    await house.warm(member)
    await house.revoke_by_hand(member)
    since = monotonic()
    await asyncio.gather(*(assert_refused(gateway, member, since) for gateway in (house.here, house.there)))
    await house.processes("postgres")
