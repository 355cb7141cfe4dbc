"""Every security-relevant act leaves its event: one, whole, and in the transaction of the act.

The table below is the list. An act is done by calls that carry a request id of their own; what the trail holds under it
is compared with what the table says.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from rpc.auth.deployment import PASSWORD, PURPOSES, Client, Deployment, address
from rpc.auth.visitor import WEB, Door

from gatepost.auth.v1 import (
    accounts_pb2,
    apps_pb2,
    directory_pb2,
    grants_pb2,
    links_pb2,
    operations_pb2,
    sign_in_pb2,
    tokens_pb2,
)
from gatepost.auth.v1.projects_pb2 import UpdateProjectRequest
from runtime.context import CallContext, bound
from runtime.errors import GatepostError

ADDRESS = "203.0.113.9"
NEW = "an entirely new password"
WRONG_CODE = "000000"  # none that is mailed begins so
WRONG_ANSWER = "challenge.answer challenge_failed"
USER, PROJECT, APP = "user_id", "project", "client_id"
ALL_SCOPES = ["user:authenticate", "user:read", "user:create", "user:edit", "user:delete"]


@dataclass
class World:
    """A project with an app and a user, and an act in it.

    `request_id` is what the act's calls carry; what comes before goes without it.
    """

    deployment: Deployment
    client: Client
    email: str
    user_id: str
    token: str
    refresh_token: str
    request_id: str

    @property
    def door(self) -> Door:
        return Door(self.deployment, self.client.project, "none")

    @contextmanager
    def acting(self) -> Iterator[None]:
        with bound(CallContext(request_id=self.request_id, client_address=ADDRESS)):
            yield

    async def key(self, *scopes: str) -> tuple[str, str]:
        """Make an API key; return its id and itself."""
        request = apps_pb2.CreateApiKeyRequest(id=str(uuid4()), project=self.client.project, scopes=scopes)
        made = await self.deployment.api_keys.CreateApiKey(request)
        return made.key.id, made.token

    def ref(self) -> accounts_pb2.AccountRef:
        return accounts_pb2.AccountRef(user_id=self.user_id)


@dataclass(frozen=True)
class Act:
    """What is done, and what must stand in the trail.

    Args:
        do: Prepares, and acts inside `acting`.
        events: As action, or as action and outcome.
        actor: Its kind.
        fields: Which say something, besides those that always do.
    """

    do: Callable[[World], Awaitable[None]]
    events: tuple[str, ...]
    actor: str
    fields: frozenset[str]


ACTS: dict[str, Act] = {}
Do = Callable[[World], Awaitable[None]]


def act(*events: str, actor: str, fields: tuple[str, ...]) -> Callable[[Do], Do]:
    def add(do: Do) -> Do:
        ACTS[do.__name__] = Act(do, events, actor, frozenset(fields))
        return do

    return add


@act("account.create", actor="user", fields=(USER, PROJECT, APP))
async def signing_up_with_an_app(world: World) -> None:
    with world.acting():
        await world.client.sign_up(address())


@act("account.create", "session.create", actor="user", fields=(USER, PROJECT))
async def signing_up_at_the_gateway(world: World) -> None:
    with world.acting():
        await world.door.sign_up(address())


@act("account.sign_in", actor="user", fields=(USER, PROJECT, APP))
async def signing_in(world: World) -> None:
    with world.acting():
        await world.client.sign_in(world.email)


@act("account.sign_in bad_credentials", actor="service", fields=(USER, PROJECT, APP))
async def a_wrong_password(world: World) -> None:
    with world.acting(), suppress(GatepostError):
        await world.client.sign_in(world.email, "not the password")


@act("account.sign_in bad_credentials", actor="service", fields=(PROJECT, APP))
async def an_unknown_name(world: World) -> None:
    with world.acting(), suppress(GatepostError):
        await world.client.sign_in(address(), "not the password")


async def answer_wrong(world: World, client: Client, result: sign_in_pb2.SignInResult) -> None:
    request = sign_in_pb2.VerifyChallengeRequest(
        purpose=PURPOSES[client.policy], handle=result.challenge.handle, code=WRONG_CODE
    )
    with world.acting(), suppress(GatepostError):
        await world.deployment.sign_in.VerifyChallenge(request)


@act(WRONG_ANSWER, actor="service", fields=(USER, PROJECT, APP))
async def a_wrong_sign_in_code(world: World) -> None:
    client = await world.deployment.client("otp")
    email, _ = await client.person()
    await answer_wrong(world, client, await client.sign_in(email, ""))


@act(WRONG_ANSWER, actor="service", fields=(USER, PROJECT, APP))
async def a_wrong_two_step_code(world: World) -> None:
    client = await world.deployment.client("two-step")
    email, _ = await client.person()
    await answer_wrong(world, client, await client.sign_in(email))


@act(WRONG_ANSWER, actor="service", fields=(PROJECT, APP))
async def a_wrong_sign_in_code_for_nobody(world: World) -> None:
    client = await world.deployment.client("otp")
    await answer_wrong(world, client, await client.sign_in(address(), ""))


@act(WRONG_ANSWER, actor="service", fields=(PROJECT, APP))
async def a_wrong_sign_up_code(world: World) -> None:
    client = await world.deployment.client("two-step")
    await answer_wrong(world, client, await client.sign_up(address()))


@act(*[WRONG_ANSWER] * 5, actor="service", fields=(USER, PROJECT, APP))
async def a_wrong_reset_code_until_no_more_are_looked_at(world: World) -> None:
    challenge = await world.client.start_reset(world.email)
    for _ in range(6):
        with world.acting(), suppress(GatepostError):
            await world.client.complete_reset(challenge, WRONG_CODE, NEW)


@act(WRONG_ANSWER, actor="service", fields=(PROJECT,))
async def a_wrong_reset_code_for_an_unknown_address(world: World) -> None:
    email = address()
    await world.door.start_reset(email)
    with world.acting(), suppress(GatepostError):
        await world.door.complete_reset(NEW, project=world.client.project, email=email, code=WRONG_CODE)


@act("session.create", actor="user", fields=(USER, PROJECT, APP))
async def exchanging_a_code(world: World) -> None:
    code = (await world.client.sign_in(world.email)).code
    with world.acting():
        await world.client.exchange(code)


@act("session.create code_reuse", actor="app", fields=(USER, PROJECT, APP))
async def using_a_code_again(world: World) -> None:
    code = (await world.client.sign_in(world.email)).code
    await world.client.exchange(code)
    with world.acting(), suppress(GatepostError):
        await world.client.exchange(code)


@act("session.create code_invalid", actor="app", fields=(PROJECT, APP))
async def a_code_that_never_was(world: World) -> None:
    with world.acting(), suppress(GatepostError):
        await world.client.exchange("0" * 32)


@act("session.refresh refresh_reuse", actor="app", fields=(USER, PROJECT, APP))
async def using_a_refresh_token_again(world: World) -> None:
    second = await world.client.refresh(world.refresh_token)
    await world.client.refresh(second.tokens.refresh_token)
    with world.acting(), suppress(GatepostError):
        await world.client.refresh(world.refresh_token)


@act("session.refresh token_invalid", actor="app", fields=(PROJECT, APP))
async def refreshing_after_the_end(world: World) -> None:
    await world.deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=world.token))
    with world.acting(), suppress(GatepostError):
        await world.client.refresh(world.refresh_token)


@act("session.end", actor="user", fields=(USER, PROJECT))
async def logging_out(world: World) -> None:
    with world.acting():
        await world.deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=world.token))


@act("session.end", actor="user", fields=(USER, PROJECT))
async def ending_another_session(world: World) -> None:
    other = await world.client.exchange((await world.client.sign_in(world.email)).code)
    session = (await world.client.authenticate(other.tokens.access_token)).session
    with world.acting():
        request = tokens_pb2.EndOwnSessionRequest(access_token=world.token, session_id=session.id)
        await world.deployment.tokens.EndOwnSession(request)


@act("session.end_all", actor="user", fields=(USER, PROJECT))
async def ending_all_own_sessions(world: World) -> None:
    with world.acting():
        await world.deployment.tokens.EndAllOwnSessions(tokens_pb2.EndAllOwnSessionsRequest(access_token=world.token))


@act("session.end_all", actor="service", fields=(USER, PROJECT))
async def ending_all_sessions_of_a_user(world: World) -> None:
    with world.acting():
        await world.deployment.tokens.EndAllSessions(tokens_pb2.EndAllSessionsRequest(account=world.ref()))


@act("password.reset_start", actor="service", fields=(USER, PROJECT, APP))
async def asking_for_a_new_password(world: World) -> None:
    with world.acting():
        await world.client.start_reset(world.email)


@act("password.reset", actor="user", fields=(USER, PROJECT))
async def setting_a_new_password_by_mail(world: World) -> None:
    challenge = await world.client.start_reset(world.email)
    code = (await world.deployment.mail(world.email, "reset_code")).code
    with world.acting():
        await world.client.complete_reset(challenge, code, NEW)


async def update_own(world: World, **changes: Any) -> None:
    request = accounts_pb2.UpdateOwnAccountRequest(access_token=world.token, **changes)
    with world.acting():
        await world.deployment.accounts.UpdateOwnAccount(request)


@act("password.change", actor="user", fields=(USER, PROJECT))
async def changing_the_password(world: World) -> None:
    await update_own(world, password=NEW)


@act("username.change", actor="user", fields=(USER, PROJECT))
async def changing_the_user_name(world: World) -> None:
    await update_own(world, username=f"user{uuid4().hex[:12]}")


@act("role.change", actor="user", fields=(USER, PROJECT))
async def taking_a_role(world: World) -> None:
    await update_own(world, role="Dev")


@act("role.change", actor="service", fields=(USER, PROJECT))
async def giving_a_role(world: World) -> None:
    with world.acting():
        await world.deployment.accounts.SetRole(accounts_pb2.SetRoleRequest(account=world.ref(), role="Dev"))


async def set_state(world: World, state: Any) -> None:
    await world.deployment.accounts.SetAccountState(
        accounts_pb2.SetAccountStateRequest(account=world.ref(), state=state)
    )


@act("account.disable", actor="service", fields=(USER, PROJECT))
async def disabling(world: World) -> None:
    with world.acting():
        await set_state(world, accounts_pb2.ACCOUNT_STATE_DISABLED)


@act("account.enable", actor="service", fields=(USER, PROJECT))
async def enabling(world: World) -> None:
    await set_state(world, accounts_pb2.ACCOUNT_STATE_DISABLED)
    with world.acting():
        await set_state(world, accounts_pb2.ACCOUNT_STATE_ACTIVE)


@act("account.delete", actor="service", fields=(USER, PROJECT))
async def deleting(world: World) -> None:
    with world.acting():
        await world.deployment.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=world.ref()))


@act("account.create", actor="service", fields=(USER, PROJECT))
async def making_a_user(world: World) -> None:
    with world.acting():
        request = accounts_pb2.CreateAccountRequest(
            user_id=str(uuid4()), project=world.client.project, email=address(), password=PASSWORD
        )
        await world.deployment.accounts.CreateAccount(request)


@act("account.close", actor="user", fields=(USER, PROJECT))
async def closing(world: World) -> None:
    with world.acting():
        await world.deployment.accounts.CloseOwnAccount(accounts_pb2.CloseOwnAccountRequest(access_token=world.token))


@act("account.keep", actor="user", fields=(USER, PROJECT))
async def taking_a_closing_back(world: World) -> None:
    await world.deployment.accounts.CloseOwnAccount(accounts_pb2.CloseOwnAccountRequest(access_token=world.token))
    link = await world.deployment.link(world.email, "account_closing")
    with world.acting():
        await world.deployment.links.UseLink(links_pb2.UseLinkRequest(token=link))


@act("account.export", actor="user", fields=(USER, PROJECT))
async def downloading_ones_data(world: World) -> None:
    with world.acting():
        await world.deployment.accounts.ExportOwnAccount(accounts_pb2.ExportOwnAccountRequest(access_token=world.token))


async def start_email_change(world: World, email: str) -> str:
    request = accounts_pb2.StartEmailChangeRequest(access_token=world.token, email=email)
    return str((await world.deployment.accounts.StartEmailChange(request)).handle)


@act("email.change_start", actor="user", fields=(USER, PROJECT))
async def asking_for_another_address(world: World) -> None:
    with world.acting():
        await start_email_change(world, address())


async def move(world: World, email: str) -> accounts_pb2.CompleteEmailChangeRequest:
    handle = await start_email_change(world, email)
    code = (await world.deployment.mail(email, "email_change_code")).code
    return accounts_pb2.CompleteEmailChangeRequest(access_token=world.token, email=email, handle=handle, code=code)


@act("email.change", actor="user", fields=(USER, PROJECT))
async def changing_the_address(world: World) -> None:
    request = await move(world, address())
    with world.acting():
        await world.deployment.accounts.CompleteEmailChange(request)


@act(WRONG_ANSWER, actor="service", fields=(USER, PROJECT))
async def a_wrong_code_for_another_address(world: World) -> None:
    request = await move(world, address())
    request.code = WRONG_CODE
    with world.acting(), suppress(GatepostError):
        await world.deployment.accounts.CompleteEmailChange(request)


@act("email.change_undo", "password.reset_start", actor="", fields=(USER, PROJECT))
async def undoing_a_change_of_address(world: World) -> None:
    await world.deployment.accounts.CompleteEmailChange(await move(world, address()))
    link = await world.deployment.link(world.email, "email_changed")
    with world.acting():
        await world.deployment.links.UseLink(links_pb2.UseLinkRequest(token=link))


@act("email.proof_start", actor="user", fields=(USER, PROJECT))
async def asking_for_a_proof_of_the_address(world: World) -> None:
    with world.acting():
        await world.deployment.accounts.SendEmailProof(accounts_pb2.SendEmailProofRequest(access_token=world.token))


@act("email.confirm", actor="user", fields=(USER, PROJECT))
async def proving_the_address(world: World) -> None:
    await world.deployment.accounts.SendEmailProof(accounts_pb2.SendEmailProofRequest(access_token=world.token))
    link = await world.deployment.link(world.email, "confirm_email")
    with world.acting():
        await world.deployment.links.UseLink(links_pb2.UseLinkRequest(token=link))


@act("phone.change_start", actor="user", fields=(USER, PROJECT))
async def asking_for_another_number(world: World) -> None:
    with world.acting():
        request = accounts_pb2.StartPhoneChangeRequest(access_token=world.token, phone="+4915112345671")
        await world.deployment.accounts.StartPhoneChange(request)


@act("phone.change", actor="user", fields=(USER, PROJECT))
async def changing_the_number(world: World) -> None:
    phone = "+4915112345672"
    request = accounts_pb2.StartPhoneChangeRequest(access_token=world.token, phone=phone)
    handle = (await world.deployment.accounts.StartPhoneChange(request)).handle
    code = (await world.deployment.mail(phone, "phone_change_code")).code
    with world.acting():
        await world.deployment.accounts.CompletePhoneChange(
            accounts_pb2.CompletePhoneChangeRequest(access_token=world.token, phone=phone, handle=handle, code=code)
        )


@act(WRONG_ANSWER, actor="service", fields=(USER, PROJECT))
async def a_wrong_code_for_another_number(world: World) -> None:
    phone = "+4915112345673"
    request = accounts_pb2.StartPhoneChangeRequest(access_token=world.token, phone=phone)
    handle = (await world.deployment.accounts.StartPhoneChange(request)).handle
    with world.acting(), suppress(GatepostError):
        await world.deployment.accounts.CompletePhoneChange(
            accounts_pb2.CompletePhoneChangeRequest(
                access_token=world.token, phone=phone, handle=handle, code=WRONG_CODE
            )
        )


async def grant(world: World) -> grants_pb2.Grant:
    request = grants_pb2.CreateGrantRequest(access_token=world.token, client_id=world.client.app.client_id)
    answer: grants_pb2.CreateGrantResponse = await world.deployment.grants.CreateGrant(request)
    return answer.grant


@act("grant.create", actor="user", fields=(USER, PROJECT, APP))
async def consenting(world: World) -> None:
    with world.acting():
        await grant(world)


@act("grant.revoke", actor="user", fields=(USER, PROJECT, APP))
async def withdrawing_consent(world: World) -> None:
    given = await grant(world)
    with world.acting():
        request = grants_pb2.RevokeGrantRequest(access_token=world.token, id=given.id)
        await world.deployment.grants.RevokeGrant(request)


@act("project.create", "app.create", "app.secret_create", actor="service", fields=(PROJECT, APP))
async def making_a_project_and_an_app(world: World) -> None:
    with world.acting():
        await world.deployment.client()


@act("project.change", actor="service", fields=(PROJECT,))
async def changing_a_project(world: World) -> None:
    with world.acting():
        request = UpdateProjectRequest(name=world.client.project, display_name="Another")
        await world.deployment.projects.UpdateProject(request)


@act("app.change", actor="service", fields=(PROJECT, APP))
async def changing_an_app(world: World) -> None:
    with world.acting():
        request = apps_pb2.UpdateAppRequest(client_id=world.client.app.client_id, name="Another")
        await world.deployment.apps.UpdateApp(request)


@act("app.secret_create", actor="service", fields=(PROJECT, APP))
async def adding_a_secret(world: World) -> None:
    with world.acting():
        request = apps_pb2.CreateAppSecretRequest(client_id=world.client.app.client_id)
        await world.deployment.apps.CreateAppSecret(request)


@act("app.secret_revoke", actor="service", fields=(PROJECT, APP))
async def revoking_a_secret(world: World) -> None:
    (secret,) = world.client.app.secrets
    with world.acting():
        request = apps_pb2.RevokeAppSecretRequest(client_id=world.client.app.client_id, secret_id=secret.id)
        await world.deployment.apps.RevokeAppSecret(request)


async def own_app(world: World) -> str:
    app = apps_pb2.CreateAppRequest(id=str(uuid4()), name="My app")
    request = apps_pb2.CreateOwnAppRequest(access_token=world.token, app=app)
    return str((await world.deployment.own_apps.CreateOwnApp(request)).app.client_id)


@act("app.create", "app.secret_create", actor="user", fields=(USER, PROJECT, APP))
async def registering_ones_own_app(world: World) -> None:
    with world.acting():
        await own_app(world)


@act("app.delete", actor="user", fields=(USER, PROJECT, APP))
async def deleting_ones_own_app(world: World) -> None:
    client_id = await own_app(world)
    with world.acting():
        request = apps_pb2.DeleteOwnAppRequest(access_token=world.token, client_id=client_id)
        await world.deployment.own_apps.DeleteOwnApp(request)


@act("api_key.create", actor="service", fields=(PROJECT,))
async def making_an_api_key(world: World) -> None:
    with world.acting():
        await world.key()


@act("api_key.revoke", actor="service", fields=(PROJECT,))
async def revoking_an_api_key(world: World) -> None:
    key_id, _ = await world.key()
    with world.acting():
        await world.deployment.api_keys.RevokeApiKey(apps_pb2.RevokeApiKeyRequest(id=key_id))


@act("api_key.use scope_missing", actor="api_key", fields=(PROJECT,))
async def using_an_api_key_beyond_its_scopes(world: World) -> None:
    _, key = await world.key("user:read")
    with world.acting(), suppress(GatepostError):
        request = directory_pb2.RemoveAccountRequest(api_key=key, user_id=world.user_id)
        await world.deployment.directory.RemoveAccount(request)


@act("api_key.use api_key_invalid", actor="api_key", fields=(PROJECT,))
async def using_an_api_key_from_elsewhere(world: World) -> None:
    request = apps_pb2.CreateApiKeyRequest(id=str(uuid4()), project=world.client.project, networks=["192.0.2.0/24"])
    key = (await world.deployment.api_keys.CreateApiKey(request)).token
    with world.acting(), suppress(GatepostError):
        await world.deployment.directory.CheckApiKey(directory_pb2.CheckApiKeyRequest(api_key=key))


@act("account.check_password", actor="api_key", fields=(USER, PROJECT))
async def checking_a_password_by_api_key(world: World) -> None:
    _, key = await world.key(*ALL_SCOPES)
    with world.acting():
        request = directory_pb2.CheckPasswordRequest(api_key=key, login=world.email, password=PASSWORD)
        await world.deployment.directory.CheckPassword(request)


@act("account.create", actor="api_key", fields=(USER, PROJECT))
async def adding_a_user_by_api_key(world: World) -> None:
    _, key = await world.key(*ALL_SCOPES)
    with world.acting():
        request = directory_pb2.AddAccountRequest(api_key=key, user_id=str(uuid4()), email=address(), password=PASSWORD)
        await world.deployment.directory.AddAccount(request)


@act("password.change", "email.change", actor="api_key", fields=(USER, PROJECT))
async def editing_a_user_by_api_key(world: World) -> None:
    _, key = await world.key(*ALL_SCOPES)
    with world.acting():
        request = directory_pb2.EditAccountRequest(
            api_key=key, user_id=world.user_id, current_password=PASSWORD, password=NEW, email=address()
        )
        await world.deployment.directory.EditAccount(request)


@act("account.delete", actor="api_key", fields=(USER, PROJECT))
async def removing_a_user_by_api_key(world: World) -> None:
    _, key = await world.key(*ALL_SCOPES)
    with world.acting():
        request = directory_pb2.RemoveAccountRequest(api_key=key, user_id=world.user_id)
        await world.deployment.directory.RemoveAccount(request)


@act("key.rotate", actor="service", fields=())
async def rotating_keys(world: World) -> None:
    with world.acting():
        await world.deployment.key_service.RotateKeys(operations_pb2.RotateKeysRequest())


@act("key.revoke_all", actor="service", fields=())
async def revoking_all_keys(world: World) -> None:
    with world.acting():
        await world.deployment.key_service.RotateKeys(operations_pb2.RotateKeysRequest(emergency=True))


@act("key.reseal", actor="service", fields=())
async def resealing_keys(world: World) -> None:
    with world.acting():
        await world.deployment.key_service.ResealKeys(operations_pb2.ResealKeysRequest())


@pytest.mark.parametrize("name", ACTS)
async def test_an_act_leaves_exactly_its_events(deployment: Deployment, name: str) -> None:
    done = ACTS[name]
    client = await deployment.client(roles=["user", "Dev"], self_assignable_roles=["Dev"])
    email, person = await client.person()
    user_id, tokens = person.account.user_id, person.tokens
    world = World(deployment, client, email, user_id, tokens.access_token, tokens.refresh_token, str(uuid4()))
    began = datetime.now(UTC)
    await done.do(world)
    rows = await deployment.execute("SELECT * FROM audit_events WHERE request_id = $1 ORDER BY id", world.request_id)
    found = [row["action"] if row["outcome"] == "success" else f"{row['action']} {row['outcome']}" for row in rows]
    assert sorted(found) == sorted(done.events)
    for row in rows:
        kind, _, who = row["actor"].partition(":")
        assert (kind, bool(who)) == (done.actor or kind, True)
        assert row["address"] == ADDRESS
        assert began - timedelta(seconds=1) <= row["at"] <= datetime.now(UTC) + timedelta(seconds=1)
        said = {field for field in (PROJECT, APP) if row[field]} | ({USER} if row["account_id"] else set())
        assert said <= done.fields
    told = {field for row in rows for field in (PROJECT, APP) if row[field]}
    assert told | ({USER} if any(row["account_id"] for row in rows) else set()) == done.fields


async def test_an_act_whose_transaction_fails_leaves_no_event(deployment: Deployment) -> None:
    client = await deployment.client()
    request_id = str(uuid4())
    with bound(CallContext(request_id=request_id)), suppress(GatepostError):
        request = apps_pb2.UpdateAppRequest(client_id=client.app.client_id, name="x" * 1000)
        await deployment.apps.UpdateApp(request)
    assert await deployment.execute("SELECT 1 FROM audit_events WHERE request_id = $1", request_id) == []


async def test_what_a_web_session_does_is_its_users_act(deployment: Deployment) -> None:
    world = Door(deployment, (await deployment.client()).project, "none")
    session = (await world.sign_up(address())).session
    request_id = str(uuid4())
    with bound(CallContext(request_id=request_id, client_address=ADDRESS)):
        await deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=session.token, form=WEB))
    (row,) = await deployment.execute("SELECT actor FROM audit_events WHERE request_id = $1", request_id)
    assert row["actor"] == f"user:{session.account.user_id}"
