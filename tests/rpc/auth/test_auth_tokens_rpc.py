"""Codes, tokens and sessions over RPC: single use, rotation, and what ends them at once."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment, address

from gatepost.auth.v1 import accounts_pb2, apps_pb2, projects_pb2, sign_in_pb2, tokens_pb2
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]
PKCE = sign_in_pb2.Pkce(challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


async def set_state(deployment: Deployment, client: Client, email: str, state: Any) -> None:
    request = accounts_pb2.SetAccountStateRequest(account=client.ref(email), state=state)
    await deployment.accounts.SetAccountState(request)


async def change_password(deployment: Deployment, access_token: str, password: str) -> None:
    request = accounts_pb2.UpdateOwnAccountRequest(access_token=access_token, password=password)
    await deployment.accounts.UpdateOwnAccount(request)


async def test_tokens_are_at_most_77_url_safe_characters(deployment: Deployment) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    for token in (signed_up.tokens.access_token, signed_up.tokens.refresh_token):
        assert len(token) <= 77
        assert token.replace("-", "").replace("_", "").isalnum()
    assert signed_up.tokens.expires_in == 86_400


async def test_a_code_used_again_ends_what_it_opened(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    code = (await client.sign_up(address())).code
    tokens = (await client.exchange(code)).tokens
    await refused(client.exchange(code), Reason.CODE_INVALID)
    await refused(client.authenticate(tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(tokens.refresh_token), Reason.TOKEN_INVALID)


async def test_a_code_of_another_app_stays_usable_by_its_own(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    other = await deployment.app_of(client.project, "none")
    code = (await client.sign_up(address())).code
    await refused(other.exchange(code), Reason.CODE_INVALID)
    tokens = (await client.exchange(code)).tokens
    await refused(other.exchange(code), Reason.CODE_INVALID)
    await client.authenticate(tokens.access_token)


@pytest.mark.parametrize("verifier", ["x" * 43, "", "short"])
async def test_a_wrong_verifier_spends_the_code(deployment: Deployment, refused: Refused, verifier: str) -> None:
    client = await deployment.client()
    code = (await client.sign_up(address(), pkce=PKCE)).code
    await refused(client.exchange(code, verifier), Reason.CODE_INVALID)
    await refused(client.exchange(code, VERIFIER), Reason.CODE_INVALID)


@pytest.mark.parametrize("code", ["0" * 32, "x", "\x00", "ü" * 32, "0" * 100_000])
async def test_an_unknown_code_is_refused(deployment: Deployment, refused: Refused, code: str) -> None:
    client = await deployment.client()
    await refused(client.exchange(code), Reason.CODE_INVALID)


async def test_a_missing_code_or_refresh_token_is_named(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    error = await refused(client.exchange(""), Reason.MISSING_PARAMETER)
    assert error.violations[0].field == "code"
    error = await refused(client.refresh(""), Reason.MISSING_PARAMETER)
    assert error.violations[0].field == "refresh_token"


async def test_of_twenty_parallel_exchanges_on_two_instances_one_succeeds(deployment: Deployment) -> None:
    client = await deployment.client()
    code = (await client.sign_up(address())).code
    request = tokens_pb2.ExchangeCodeRequest(client=client.credentials, code=code)
    stubs = [deployment.tokens, deployment.second_tokens] * 10
    outcomes = await asyncio.gather(*(stub.ExchangeCode(request) for stub in stubs), return_exceptions=True)
    assert sum(isinstance(outcome, tokens_pb2.ExchangeCodeResponse) for outcome in outcomes) == 1
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, GatepostError)}
    assert reasons == {Reason.CODE_INVALID}


async def test_a_code_is_dead_after_a_password_change(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, signed_up = await client.person()
    code = (await client.sign_in(email)).code
    await change_password(deployment, signed_up.tokens.access_token, "another long password")
    await refused(client.exchange(code), Reason.CODE_INVALID)


async def test_a_code_is_dead_once_the_account_is_disabled_and_stays_so(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    first, second = (await client.sign_in(email)).code, (await client.sign_in(email)).code
    await set_state(deployment, client, email, accounts_pb2.ACCOUNT_STATE_DISABLED)
    await refused(client.exchange(first), Reason.CODE_INVALID)
    await set_state(deployment, client, email, accounts_pb2.ACCOUNT_STATE_ACTIVE)
    await refused(client.exchange(second), Reason.CODE_INVALID)


async def test_a_code_is_dead_once_its_app_is_disabled(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    code = (await client.sign_up(address())).code
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, disabled=True))
    await refused(client.exchange(code), Reason.CLIENT_UNKNOWN)


async def test_a_refresh_rotates_both_tokens(deployment: Deployment) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    refreshed = await client.refresh(signed_up.tokens.refresh_token)
    assert refreshed.tokens.refresh_token != signed_up.tokens.refresh_token
    assert refreshed.tokens.access_token != signed_up.tokens.access_token
    assert refreshed.account == signed_up.account
    await client.authenticate(refreshed.tokens.access_token)
    assert (await client.refresh(refreshed.tokens.refresh_token)).tokens.refresh_token


async def test_a_lost_answer_to_a_refresh_is_given_again(deployment: Deployment) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    first = await client.refresh(signed_up.tokens.refresh_token)
    again = await client.refresh(signed_up.tokens.refresh_token)
    assert again.tokens.refresh_token == first.tokens.refresh_token


async def test_a_refresh_token_of_an_older_generation_ends_the_session(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    second = await client.refresh(signed_up.tokens.refresh_token)
    third = await client.refresh(second.tokens.refresh_token)
    await refused(client.refresh(signed_up.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(third.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(client.authenticate(third.tokens.access_token), Reason.TOKEN_INVALID)


async def test_twenty_parallel_refreshes_on_two_instances_agree_on_one_successor(deployment: Deployment) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    token = signed_up.tokens.refresh_token
    request = tokens_pb2.RefreshTokensRequest(client=client.credentials, refresh_token=token)
    stubs = [deployment.tokens, deployment.second_tokens] * 10
    answers = await asyncio.gather(*(stub.RefreshTokens(request) for stub in stubs))
    assert len({answer.tokens.refresh_token for answer in answers}) == 1


async def test_a_refresh_while_the_session_sets_a_new_password_ends_nothing(deployment: Deployment) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    connection = await asyncpg.connect(deployment.auth_dsn)
    try:
        async with connection.transaction():  # as `own_account` does it
            for statement in (
                "UPDATE accounts SET security_version = security_version + 1 WHERE id = $1",
                "UPDATE sessions SET security_version = security_version + 1 WHERE account_id = $1",
            ):
                await connection.execute(statement, UUID(signed_up.account.user_id))
            refreshing = asyncio.create_task(client.refresh(signed_up.tokens.refresh_token))
            await asyncio.sleep(0.3)  # it waits for the row
    finally:
        await connection.close()
    await client.refresh((await refreshing).tokens.refresh_token)


async def test_another_app_cannot_refresh_and_ends_nothing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    other = await deployment.app_of(client.project, "none")
    _, signed_up = await client.person()
    await refused(other.refresh(signed_up.tokens.refresh_token), Reason.TOKEN_INVALID)
    await client.refresh(signed_up.tokens.refresh_token)


async def test_a_token_of_one_kind_is_refused_where_the_other_is_wanted(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    code = (await client.sign_up(address())).code
    tokens = (await client.exchange(code)).tokens
    await refused(client.authenticate(tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(tokens.access_token), Reason.TOKEN_INVALID)
    for value in (tokens.access_token, tokens.refresh_token):
        await refused(client.exchange(value), Reason.CODE_INVALID)
    await refused(client.authenticate(code), Reason.TOKEN_INVALID)


@pytest.mark.parametrize("token", ["", "x", "A" * 63, "\x00" * 63, "ü" * 63, "A" * 100_000])
async def test_what_is_no_token_is_refused(deployment: Deployment, refused: Refused, token: str) -> None:
    client = await deployment.client()
    await refused(client.authenticate(token), Reason.TOKEN_INVALID)


async def test_an_ended_session_is_dead_at_every_instance(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, signed_up = await client.person()
    other = await client.exchange((await client.sign_in(email)).code)
    token = signed_up.tokens.access_token
    await deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=token))
    check = tokens_pb2.AuthenticateRequest(access_token=token)
    await refused(deployment.second_tokens.Authenticate(check), Reason.TOKEN_INVALID)
    await refused(client.refresh(signed_up.tokens.refresh_token), Reason.TOKEN_INVALID)
    await client.authenticate(other.tokens.access_token)


async def test_all_sessions_end_at_once(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, signed_up = await client.person()
    waiting = (await client.sign_in(email)).code
    await deployment.tokens.EndAllSessions(tokens_pb2.EndAllSessionsRequest(account=client.ref(email)))
    await refused(client.authenticate(signed_up.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.exchange(waiting), Reason.CODE_INVALID)
    listed = await deployment.tokens.ListSessions(tokens_pb2.ListSessionsRequest(account=client.ref(email)))
    assert list(listed.sessions) == []


async def test_live_sessions_are_listed_latest_first(deployment: Deployment) -> None:
    client = await deployment.client()
    email, signed_up = await client.person()
    later = await client.exchange((await client.sign_in(email)).code)
    ids = [(await client.authenticate(each.tokens.access_token)).session.id for each in (later, signed_up)]
    listed = await deployment.tokens.ListSessions(tokens_pb2.ListSessionsRequest(account=client.ref(email)))
    assert [session.id for session in listed.sessions] == ids
    assert {session.client_id for session in listed.sessions} == {client.app.client_id}


async def test_a_disabled_account_holds_no_live_token_and_none_comes_back(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, signed_up = await client.person()
    await set_state(deployment, client, email, accounts_pb2.ACCOUNT_STATE_DISABLED)
    for state in (accounts_pb2.ACCOUNT_STATE_DISABLED, accounts_pb2.ACCOUNT_STATE_ACTIVE):
        await set_state(deployment, client, email, state)
        await refused(client.authenticate(signed_up.tokens.access_token), Reason.TOKEN_INVALID)
        await refused(client.refresh(signed_up.tokens.refresh_token), Reason.TOKEN_INVALID)


@pytest.mark.parametrize("what", ["app", "project"])
async def test_tokens_of_a_disabled_app_or_project_are_refused(
    deployment: Deployment, refused: Refused, what: str
) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    if what == "app":
        await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, disabled=True))
    else:
        await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=client.project, disabled=True))
    await refused(client.authenticate(signed_up.tokens.access_token), Reason.TOKEN_INVALID)


async def test_a_new_role_shows_with_the_next_request(deployment: Deployment) -> None:
    client = await deployment.client(roles=["user", "Admin"])
    email, signed_up = await client.person()
    await deployment.accounts.SetRole(accounts_pb2.SetRoleRequest(account=client.ref(email), role="ADMIN"))
    assert (await client.authenticate(signed_up.tokens.access_token)).account.role == "Admin"


async def test_tokens_of_an_instance_work_at_the_other(deployment: Deployment) -> None:
    client = await deployment.client()
    _, signed_up = await client.person()
    request = tokens_pb2.AuthenticateRequest(access_token=signed_up.tokens.access_token)
    assert (await deployment.second_tokens.Authenticate(request)).account == signed_up.account


async def test_apps_of_another_project_see_nothing(deployment: Deployment, refused: Refused) -> None:
    ours, theirs = await deployment.client(), await deployment.client()
    email, signed_up = await ours.person()
    await refused(theirs.sign_in(email), Reason.BAD_CREDENTIALS)
    await refused(theirs.exchange((await ours.sign_in(email)).code), Reason.CODE_INVALID)
    await refused(theirs.refresh(signed_up.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(
        deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=theirs.ref(email))), Reason.NOT_FOUND
    )
    assert (await theirs.sign_up(email)).code  # the address is another person's there
    again = await theirs.exchange((await theirs.sign_in(email)).code)
    assert again.account.user_id != signed_up.account.user_id
    change = accounts_pb2.UpdateOwnAccountRequest(access_token=again.tokens.access_token, password="their own password")
    await deployment.accounts.UpdateOwnAccount(change)
    await ours.authenticate(signed_up.tokens.access_token)
    assert (await ours.sign_in(email, PASSWORD)).code
