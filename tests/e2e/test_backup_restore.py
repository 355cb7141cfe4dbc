"""A backup made under load, what happened after it, and the installation that `gatepost restore` makes of it.

One stack, one story (`restored`), which many tests look at: people sign up, edit, upload and are deleted while
`gatepost backup` works; then somebody is deleted, signs out, changes his password, and so on; the restore is killed
once, and repeated.
"""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import drawn
import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person, app_maker
from google.protobuf.field_mask_pb2 import FieldMask

from gatepost.auth.v1.accounts_pb2 import (
    AccountRef,
    AccountState,
    DeleteAccountRequest,
    EmailRef,
    GetAccountRequest,
    SetAccountStateRequest,
    SetRoleRequest,
)
from gatepost.users.v1.pictures_pb2 import (
    GetPictureRequest,
    PictureKind,
    SetProfilePictureRequest,
)
from gatepost.users.v1.profiles_pb2 import GetProfileRequest, Profile, UpdateProfileRequest
from gatepost_cli import invariants, services, stack
from gatepost_cli.backup import snapshots
from gatepost_cli.operate import Rpc, opened
from runtime.context import CallContext, bound

CLIENTS = 4
ANSWER_SECONDS = 20
NEW_PASSWORD = "harbour-violin-77"
UNSETTLED = "ending sessions"  # what the restore says when everything is loaded and nothing is exchanged


@dataclass
class Crowd:
    """People who come, change and go while the backup is made."""

    signed_up: list[Person] = field(default_factory=list)
    deleted: list[Person] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(kw_only=True)
class Restored:
    """What the story came to: who was who, and what the commands answered."""

    app: App
    other_app: App
    crowd: Crowd
    file: Path
    backup: dict[str, Any]
    stays: Person
    goes: Person
    renews: Person
    falls: Person
    is_closed: Person
    picture: str
    unused_code: str
    tokens: dict[str, Any]
    later_tokens: dict[str, Any]
    answer: dict[str, Any] = field(default_factory=dict)


async def user_id(rpc: Rpc, app: App, person: Person) -> str:
    who = AccountRef(email=EmailRef(project=app.project, email=person.email))
    return str((await rpc.accounts.GetAccount(GetAccountRequest(account=who))).account.user_id)


async def pictured(rpc: Rpc, who: str, content: bytes) -> str:
    request = SetProfilePictureRequest(user_id=who, kind=PictureKind.PICTURE_KIND_AVATAR, content=content)
    return str((await rpc.pictures.SetProfilePicture(request)).profile.picture)


async def come_and_go(client: Ihopr, rpc: Rpc, app: App, crowd: Crowd, done: asyncio.Event) -> None:
    """Sign up, edit, upload, upload again; every other one is deleted."""
    while not done.is_set():
        person, _ = await client.signed_in(app)
        who = await user_id(rpc, app, person)
        profile = Profile(user_id=who, biography=f"I am {person.email}")
        await rpc.profiles.UpdateProfile(
            UpdateProfileRequest(profile=profile, update_mask=FieldMask(paths=["biography"]))
        )
        for colour in ("red", "blue"):
            await pictured(rpc, who, drawn.plain(colour=colour))
        if len(crowd.signed_up) % 2:
            await rpc.accounts.DeleteAccount(DeleteAccountRequest(account=AccountRef(user_id=who)))
            crowd.deleted.append(person)
        else:
            crowd.signed_up.append(person)
            crowd.begun.set()


async def backed_up(own: GatepostStack, client: Ihopr, rpc: Rpc, app: App, file: Path) -> tuple[Crowd, dict[str, Any]]:
    crowd, done = Crowd(), asyncio.Event()
    crowding = [asyncio.create_task(come_and_go(client, rpc, app, crowd, done)) for _ in range(CLIENTS)]
    try:
        await crowd.begun.wait()
        answer = await asyncio.to_thread(own.cli, "backup", str(file))
    finally:
        done.set()
        await asyncio.gather(*crowding)
    return crowd, answer


def killed_in_time(own: GatepostStack, *arguments: str) -> None:
    """Run a restore and kill it when everything is loaded."""
    command = [sys.executable, "-m", "gatepost_cli", "restore", *arguments, "--data-dir", str(own.data_dir)]
    with subprocess.Popen(command, env=own.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if UNSETTLED in line:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


async def told(own: GatepostStack, make_app: Callable[..., App], file: Path) -> Restored:
    app = make_app("none", "--role", "guest", "--role", "chief", app_options=())
    other_app = replace(app, **_second_app(own, app))
    async with AsyncExitStack() as ending:
        session = await ending.enter_async_context(ClientSession(timeout=ClientTimeout(ANSWER_SECONDS)))
        ending.enter_context(bound(CallContext(request_id="backup")))
        client = Ihopr(session, own.url)
        rpc = await ending.enter_async_context(opened(services.of(stack.load(own.data_dir))))
        people = [await client.signed_in(app) for _ in range(5)]
        stays, goes, renews, falls, is_closed = (person for person, _ in people)
        tokens = people[0][1]
        content = drawn.plain(colour="green")
        picture = await pictured(rpc, await user_id(rpc, app, stays), content)
        fallen = AccountRef(user_id=await user_id(rpc, app, falls))
        await rpc.accounts.SetRole(SetRoleRequest(account=fallen, role="chief"))
        own.cli("key", "create", "--project", app.project)
        unused = (await client.login(app, stays))["code"]
        crowd, backup = await backed_up(own, client, rpc, app, file)
        await client.success("POST", "logout", token=people[2][1]["access_token"])
        renewed = await client.signed_in_again(app, renews)
        await client.success("PUT", "user/update", {"password": NEW_PASSWORD}, token=renewed["access_token"])
        later_tokens = await client.signed_in_again(app, stays)
        gone = AccountRef(user_id=await user_id(rpc, app, goes))
        closed = AccountRef(user_id=await user_id(rpc, app, is_closed))
        await rpc.accounts.DeleteAccount(DeleteAccountRequest(account=gone))
        await rpc.accounts.SetRole(SetRoleRequest(account=fallen, role="guest"))
        await rpc.accounts.SetAccountState(
            SetAccountStateRequest(account=closed, state=AccountState.ACCOUNT_STATE_DISABLED)
        )
    (key,) = own.cli("key", "list", "--project", app.project)["keys"]
    own.cli("key", "revoke", key["id"])
    (secret,) = own.cli("app", "show", other_app.client_id)["secrets"]
    own.cli("app", "secret", "revoke", other_app.client_id, secret["id"])
    return Restored(
        app=app,
        other_app=other_app,
        crowd=crowd,
        file=file,
        backup=backup,
        stays=stays,
        goes=goes,
        renews=renews,
        falls=falls,
        is_closed=is_closed,
        picture=picture,
        unused_code=unused,
        tokens=tokens,
        later_tokens=later_tokens,
    )


def _second_app(own: GatepostStack, app: App) -> dict[str, str]:
    made = own.cli("app", "create", "Another app", "--project", app.project)
    return {"client_id": made["client_id"], "client_secret": made["client_secret"]}


@pytest.fixture(scope="module")
def own(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    return make_stack()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def restored(own: GatepostStack, tmp_path_factory: pytest.TempPathFactory) -> Restored:
    file = tmp_path_factory.mktemp("backup") / "gatepost.tar"
    await asyncio.to_thread(own.up, "--no-demo")
    after = await told(own, app_maker(own), file)
    own.down()
    killed_in_time(own, str(file), "--replace")
    after.answer = own.cli("restore", str(file), "--replace")
    own.up("--no-demo")
    return after


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(own: GatepostStack, restored: Restored) -> AsyncIterator[Ihopr]:
    async with ClientSession(timeout=ClientTimeout(ANSWER_SECONDS)) as session:
        yield Ihopr(session, own.url)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rpc(own: GatepostStack, restored: Restored) -> AsyncIterator[Rpc]:
    with bound(CallContext(request_id="restored")):
        async with opened(services.of(stack.load(own.data_dir))) as stubs:
            yield stubs


def test_a_backup_is_for_its_owner_alone_and_says_what_it_lacks(restored: Restored) -> None:
    assert stat.S_IMODE(restored.file.stat().st_mode) == 0o600
    assert "cannot be restored without the master key" in restored.backup["note"]


def test_a_copy_made_under_load_holds_together(restored: Restored) -> None:
    assert restored.crowd.deleted
    assert restored.answer["invariants"] == {"ok": True, "violations": []}


async def test_invariants_hold_in_the_running_copy(own: GatepostStack, restored: Restored) -> None:
    async with snapshots.held(stack.load(own.data_dir).dsns) as moment:
        assert await invariants.violations(moment) == []


async def test_others_sign_in_and_see_profile_and_picture(client: Ihopr, rpc: Rpc, restored: Restored) -> None:
    user = (await client.signed_in_again(restored.app, restored.stays))["user"]
    assert (user["email"], user["first_name"]) == (restored.stays.email, "Ann")
    who = await user_id(rpc, restored.app, restored.stays)
    profile = (await rpc.profiles.GetProfile(GetProfileRequest(user_id=who))).profile
    assert profile.picture == restored.picture
    assert (await rpc.pictures.GetPicture(GetPictureRequest(id=restored.picture))).content


async def test_who_was_deleted_after_the_backup_stays_deleted(client: Ihopr, restored: Restored) -> None:
    person = restored.goes
    answer = await client.post("login", restored.app.credentials | {"email": person.email, "password": person.password})
    assert answer.status == 401, answer.body


async def test_who_was_deleted_while_it_was_made_stays_deleted(client: Ihopr, restored: Restored) -> None:
    for person in restored.crowd.deleted:
        said = restored.app.credentials | {"email": person.email, "password": person.password}
        assert (await client.post("login", said)).status == 401


async def test_a_password_changed_after_the_backup_is_the_new_one(client: Ihopr, restored: Restored) -> None:
    person = restored.renews
    answer = await client.post("login", restored.app.credentials | {"email": person.email, "password": person.password})
    assert answer.status == 401, answer.body
    await client.signed_in_again(restored.app, replace(person, password=NEW_PASSWORD))


async def test_a_role_lowered_after_the_backup_stays_low(own: GatepostStack, restored: Restored) -> None:
    user = own.cli("user", "show", restored.falls.email, "--project", restored.app.project)["user"]
    assert user["role"] == "guest"


async def test_an_account_disabled_after_the_backup_stays_closed(client: Ihopr, restored: Restored) -> None:
    said = restored.app.credentials | {"email": restored.is_closed.email, "password": restored.is_closed.password}
    assert (await client.post("login", said)).status in {401, 403}


@pytest.mark.parametrize("which", ["tokens", "later_tokens"])
async def test_no_token_of_before_is_good(client: Ihopr, restored: Restored, which: str) -> None:
    tokens = getattr(restored, which)
    assert (await client.call("GET", "user", token=tokens["access_token"])).status == 401
    again = restored.app.credentials | {"refresh_token": tokens["refresh_token"]}
    assert (await client.post("refresh-token", again)).status in {400, 401}


async def test_no_code_of_before_is_good(client: Ihopr, restored: Restored) -> None:
    said = restored.app.credentials | {"code": restored.unused_code}
    assert (await client.post("api-tauth-token", said)).status in {400, 401}


async def test_keys_and_secrets_revoked_after_the_backup_stay_revoked(
    own: GatepostStack, client: Ihopr, restored: Restored
) -> None:
    assert own.cli("key", "list", "--project", restored.app.project)["keys"] == []
    assert own.cli("app", "show", restored.other_app.client_id)["secrets"] == []
    said = {"email": restored.stays.email, "password": restored.stays.password}
    assert (await client.post("login", restored.other_app.credentials | said)).status == 401


async def test_the_audit_trail_has_what_happened_after_the_backup(own: GatepostStack, restored: Restored) -> None:
    events = own.cli("audit", "tail", "--limit", "500")["events"]
    assert "account.delete" in {each["action"] for each in events if each["actor"] == "service:cli"}
    assert restored.answer["history"] == "the installation replaced"


async def test_pictures_of_nobody_are_gone(own: GatepostStack, restored: Restored) -> None:
    running = stack.load(own.data_dir)
    connection = await asyncpg.connect(running.dsns["users"])
    known = {row["id"] for row in await connection.fetch("SELECT id FROM pictures")}
    await connection.close()
    kept = {file.name.partition("-")[0] for file in running.data_dir.media.glob("??/??/*")}
    assert restored.picture in kept
    assert kept <= known
