"""Closing an account, keeping it, and what a user downloads, over RPC."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from google.protobuf.json_format import MessageToDict
from rpc.auth.deployment import PASSWORD, Client, Deployment, address
from store.auth.engines import ProfileSink

from auth_service.audit import Audit
from auth_service.closing import Expiry
from auth_service.enrolment import Enrolment
from auth_service.profiles import Profiles
from gatepost.auth.v1 import accounts_pb2, links_pb2
from runtime.clock import SystemClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

Refused = Callable[..., Any]
DISABLED, ACTIVE = accounts_pb2.ACCOUNT_STATE_DISABLED, accounts_pb2.ACCOUNT_STATE_ACTIVE


async def close(deployment: Deployment, token: str, password: str = "") -> accounts_pb2.CloseOwnAccountResponse:
    request = accounts_pb2.CloseOwnAccountRequest(access_token=token, current_password=password)
    answer: accounts_pb2.CloseOwnAccountResponse = await deployment.accounts.CloseOwnAccount(request)
    return answer


async def move(deployment: Deployment, token: str, email: str) -> None:
    """Change the address of an account."""
    begin = accounts_pb2.StartEmailChangeRequest(access_token=token, email=email)
    handle = (await deployment.accounts.StartEmailChange(begin)).handle
    code = (await deployment.mail(email, "email_change_code")).code
    await deployment.accounts.CompleteEmailChange(
        accounts_pb2.CompleteEmailChangeRequest(access_token=token, email=email, handle=handle, code=code)
    )


async def use(deployment: Deployment, token: str) -> links_pb2.Link:
    link: links_pb2.Link = (await deployment.links.UseLink(links_pb2.UseLinkRequest(token=token))).link
    return link


async def account_of(deployment: Deployment, user_id: str) -> accounts_pb2.Account:
    ref = accounts_pb2.AccountRef(user_id=user_id)
    answer = await deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=ref))
    account: accounts_pb2.Account = answer.account
    return account


async def set_state(deployment: Deployment, user_id: str, state: Any) -> None:
    ref = accounts_pb2.AccountRef(user_id=user_id)
    await deployment.accounts.SetAccountState(accounts_pb2.SetAccountStateRequest(account=ref, state=state))


async def expire(deployment: Deployment) -> None:
    """Do what the background loop does, until there is nothing left to do."""
    database = await Database.connect(deployment.auth_dsn, max_size=2)
    try:
        clock = SystemClock()
        profiles = Profiles(ProfileSink())  # type: ignore[arg-type]  # not called: the profile follows later
        step = Expiry(database, Enrolment(database, profiles, Audit(clock), clock), Audit(clock), clock).step
        while await step():
            pass
    finally:
        await database.close()


async def test_closing_ends_every_session_and_every_way_in(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    answer = await close(deployment, person.tokens.access_token)
    account = await account_of(deployment, person.account.user_id)
    assert (account.state, account.close_time) == (DISABLED, answer.close_time)
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(person.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)
    await refused(client.sign_up(email), Reason.EMAIL_TAKEN)
    assert "/keep-account?token=" in (await deployment.mail(email, "account_closing")).link


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_a_closed_account_is_not_opened_by_a_mailed_code(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email, person = await client.person()
    before = [message.id for message in await deployment.mails(email)]
    step = await client.sign_in(email)
    code = await client.mailed_code(email, before)
    await close(deployment, person.tokens.access_token)
    await refused(client.answer(step, code), Reason.CHALLENGE_FAILED)


async def test_an_old_sign_in_needs_the_present_password(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    await deployment.age_sign_ins(person.account.user_id)
    await refused(close(deployment, token), Reason.REAUTH_REQUIRED)
    await refused(close(deployment, token, "not the password at all"), Reason.REAUTH_REQUIRED)
    await close(deployment, token, PASSWORD)


async def test_the_mailed_link_keeps_the_account_and_the_password_is_asked_for_as_ever(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await close(deployment, person.tokens.access_token)
    link = await deployment.link(email, "account_closing")
    assert (await use(deployment, link)).purpose == links_pb2.LINK_PURPOSE_KEEP_ACCOUNT
    account = await account_of(deployment, person.account.user_id)
    assert account.state == ACTIVE
    assert not account.HasField("close_time")
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.sign_in(email, "not the password at all"), Reason.BAD_CREDENTIALS)
    assert (await client.sign_in(email)).code
    await deployment.mail(email, "account_kept")
    await refused(use(deployment, link), Reason.CHALLENGE_FAILED)


async def test_of_twenty_uses_at_once_one_keeps_the_account(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await close(deployment, person.tokens.access_token)
    link = await deployment.link(email, "account_closing")
    answers = await asyncio.gather(*(use(deployment, link) for _ in range(20)), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, links_pb2.Link)]) == 1
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.CHALLENGE_FAILED}


async def test_an_account_is_deleted_when_its_time_is_over_and_not_before(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    _, kept = await client.person()
    email, due = await client.person()
    for person in (kept, due):
        await close(deployment, person.tokens.access_token)
    await deployment.execute("UPDATE accounts SET closing_at = now() WHERE id = $1", UUID(due.account.user_id))
    await expire(deployment)
    await refused(account_of(deployment, due.account.user_id), Reason.NOT_FOUND)
    assert (await account_of(deployment, kept.account.user_id)).state == DISABLED
    removal = "SELECT true FROM profile_removals WHERE account_id = $1"
    gone = await deployment.execute(removal, UUID(due.account.user_id))
    assert gone or not await deployment.execute("SELECT FROM accounts WHERE id = $1", UUID(due.account.user_id))
    await client.sign_up(email)


async def test_no_account_is_deleted_while_its_owner_can_undo_a_change_of_address(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, user_id, new = person.tokens.access_token, person.account.user_id, address()
    await move(deployment, token, new)
    await close(deployment, token)
    await deployment.execute("UPDATE accounts SET closing_at = now() WHERE id = $1", UUID(user_id))
    await expire(deployment)
    await use(deployment, await deployment.link(email, "email_changed"))
    assert (await account_of(deployment, user_id)).state == ACTIVE


async def test_a_link_is_forgotten_when_its_time_is_over(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    await close(deployment, person.tokens.access_token)
    user_id = UUID(person.account.user_id)
    await deployment.execute("UPDATE links SET expires_at = now() WHERE account_id = $1", user_id)
    await expire(deployment)
    assert await deployment.execute("SELECT FROM links WHERE account_id = $1", user_id) == []


async def test_an_operator_may_open_a_closed_account(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await close(deployment, person.tokens.access_token)
    await set_state(deployment, person.account.user_id, ACTIVE)
    assert not (await account_of(deployment, person.account.user_id)).HasField("close_time")
    assert (await client.sign_in(email)).code


async def test_what_an_operator_closes_too_the_users_link_does_not_open(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await close(deployment, person.tokens.access_token)
    await set_state(deployment, person.account.user_id, DISABLED)
    link = await deployment.link(email, "account_closing")
    await refused(use(deployment, link), Reason.CHALLENGE_FAILED)
    assert (await account_of(deployment, person.account.user_id)).HasField("close_time")


async def test_what_an_operator_closes_too_is_not_opened_by_undoing_a_change_of_address(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, user_id, new = person.tokens.access_token, person.account.user_id, address()
    await move(deployment, token, new)
    await close(deployment, token)
    await set_state(deployment, user_id, DISABLED)
    await use(deployment, await deployment.link(email, "email_changed"))
    account = await account_of(deployment, user_id)
    assert (account.email, account.state) == (email, DISABLED)
    assert account.HasField("close_time")


async def test_an_operator_who_closes_an_account_beside_its_user_is_obeyed(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    user_id = person.account.user_id
    connection = await asyncpg.connect(deployment.auth_dsn)
    try:
        async with connection.transaction():  # the operator comes while the user is closing
            await connection.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", UUID(user_id))
            closing = asyncio.create_task(close(deployment, person.tokens.access_token))
            await waiting(connection, 1)
            disabling = asyncio.create_task(set_state(deployment, user_id, DISABLED))
            await waiting(connection, 2)
    finally:
        await connection.close()
    await asyncio.gather(closing, disabling)
    link = await deployment.link(email, "account_closing")
    await refused(use(deployment, link), Reason.CHALLENGE_FAILED)
    assert (await account_of(deployment, user_id)).state == DISABLED


async def waiting(connection: asyncpg.Connection, number: int) -> None:
    """Return when so many wait for a row that the connection holds."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while await connection.fetchval(sql) < number:  # noqa: ASYNC110 PostgreSQL tells nobody
            await asyncio.sleep(0.02)


async def export(deployment: Deployment, token: str) -> dict[str, Any]:
    answer = await deployment.accounts.ExportOwnAccount(accounts_pb2.ExportOwnAccountRequest(access_token=token))
    return dict(MessageToDict(answer.data))


async def test_an_export_holds_what_is_known_and_no_secret(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    _, stranger = await client.person()
    data = await export(deployment, person.tokens.access_token)
    assert data["account"]["email"] == email
    assert [each["kind"] for each in data["identifiers"]] == ["email"]
    assert data["sessions"][0]["client_id"] == client.app.client_id
    assert {"account.create", "session.create", "account.export"} <= {each["action"] for each in data["events"]}
    text = json.dumps(data)
    secrets = (PASSWORD, person.tokens.access_token, person.tokens.refresh_token, client.secret, "argon2", "hash")
    assert not [secret for secret in secrets if secret in text]
    assert stranger.account.user_id not in text
    await refused(export(deployment, person.tokens.refresh_token), Reason.TOKEN_INVALID)


async def rename(deployment: Deployment, token: str, **changes: Any) -> accounts_pb2.UpdateOwnAccountResponse:
    request = accounts_pb2.UpdateOwnAccountRequest(access_token=token, **changes)
    answer: accounts_pb2.UpdateOwnAccountResponse = await deployment.accounts.UpdateOwnAccount(request)
    return answer


async def test_a_user_takes_a_user_name_and_signs_in_with_it(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, name = person.tokens.access_token, f"Ada{person.account.user_id[:8]}"
    changed = await rename(deployment, token, username=name)
    assert (changed.account.username, list(changed.changed)) == (name, ["username"])
    assert (await client.sign_in(name.upper())).code
    assert list((await rename(deployment, token, username=name)).changed) == []
    assert (await rename(deployment, token, username=name.lower())).account.username == name.lower()


async def test_a_user_name_that_is_taken_or_wrong_changes_nothing(deployment: Deployment, refused: Refused) -> None:
    client: Client = await deployment.client(roles=["user", "Dev"], self_assignable_roles=["Dev"])
    _, first = await client.person()
    email, second = await client.person()
    token = second.tokens.access_token
    await rename(deployment, first.tokens.access_token, username="Hildegard")
    wanted = {"role": "Dev", "first_name": "Eve", "password": "an entirely new password"}
    await refused(rename(deployment, token, username="HILDEGARD", **wanted), Reason.USERNAME_TAKEN)
    for name in ("four", "with blank", "x" * 65):
        await refused(rename(deployment, token, username=name, **wanted), Reason.INVALID_PARAMETER)
    assert (await client.authenticate(token)).account.role == "user"
    assert (await client.sign_in(email)).code
