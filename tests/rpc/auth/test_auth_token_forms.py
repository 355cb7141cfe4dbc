"""Forms of tokens and of the codes they are exchanged for: none passes for another, and single use is single."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from rpc.auth.deployment import Client, Deployment, address
from rpc.auth.visitor import FORMS, PAIR, SESSION_KEY, SHORT_PAIR, SINGLE, WEB, Door, exchange
from store.auth.engines import at_once

from gatepost.auth.v1 import accounts_pb2, apps_pb2, grants_pb2, tokens_pb2
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]
CALLBACK = "https://app.example/callback"
of_apps = pytest.mark.parametrize("form", [PAIR, SHORT_PAIR, SINGLE], ids=["pair", "short pair", "single"])


async def visitor(deployment: Deployment) -> tuple[Door, Client, str]:
    """Return a door, an app of its project that its visitor has consented to, and the visitor's token."""
    client = await deployment.client(redirect_urls=[CALLBACK], scopes=["birthdate"])
    here = Door(deployment, client.project, "none")
    token = (await here.sign_up(address())).session.token
    await here.grant(token, client, "birthdate")
    return here, client, token


@of_apps
async def test_a_code_is_exchanged_for_the_form_it_was_issued_for(deployment: Deployment, form: Any) -> None:
    here, client, token = await visitor(deployment)
    code = await here.code(token, client, form, scopes=["birthdate"])
    assert re.fullmatch("[0-9a-f]{64}" if form == SINGLE else "[0-9a-f]{32}", code)
    tokens = (await exchange(client, code, form)).tokens
    assert tokens.expires_in == (86_400 if form == PAIR else 3600)
    assert bool(tokens.refresh_token) == (form != SINGLE)
    who = await here.authenticate(tokens.access_token, form, second=True)
    assert who.token_expire_time.ToMilliseconds() == tokens.access_expire_time.ToMilliseconds()
    assert who.app_id == client.app.id
    assert (who.session.form, who.session.client_id, list(who.session.scopes)) == (
        form,
        client.app.client_id,
        ["birthdate"],
    )
    if form == SINGLE:
        assert re.fullmatch("[0-9a-f]{64}", tokens.access_token)


@of_apps
async def test_a_code_is_refused_where_another_form_is_asked_for_and_stays_good_for_its_own(
    deployment: Deployment, refused: Refused, form: Any
) -> None:
    here, client, token = await visitor(deployment)
    code = await here.code(token, client, form)
    for other in FORMS.values():
        if other != form:
            await refused(exchange(client, code, other), Reason.CODE_INVALID)
    assert (await exchange(client, code, form)).tokens.access_token


async def test_a_code_of_an_apps_own_sign_in_is_for_a_pair(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    code = await client.code_for(email)
    await refused(exchange(client, code, SINGLE), Reason.CODE_INVALID)
    assert (await client.exchange(code)).tokens.refresh_token


@pytest.mark.parametrize("form", [SESSION_KEY, WEB], ids=["session key", "web"])
async def test_no_code_is_issued_for_what_no_app_can_have(deployment: Deployment, refused: Refused, form: Any) -> None:
    here, client, token = await visitor(deployment)
    await refused(here.code(token, client, form), Reason.INVALID_PARAMETER)


async def test_a_token_is_refused_where_another_form_is_asked_for(deployment: Deployment, refused: Refused) -> None:
    here, client, web = await visitor(deployment)
    email = (await here.authenticate(web)).account.email
    tokens = {WEB: web, SESSION_KEY: (await here.of(SESSION_KEY).sign_in(email)).session.token}
    for form in (PAIR, SHORT_PAIR, SINGLE):
        code = await here.code(web, client, form)
        tokens[form] = (await exchange(client, code, form)).tokens.access_token
    for form, token in tokens.items():
        for asked in FORMS.values():
            if asked == form:
                assert (await here.authenticate(token, asked)).account.email == email
            else:
                await refused(here.authenticate(token, asked), Reason.TOKEN_INVALID)


@pytest.mark.parametrize("token", ["", "0" * 40, "0" * 64, "g" * 64, "A" * 64, "0" * 63, "٣" * 64, "0" * 100_000])
async def test_what_is_no_token_is_refused_in_every_form(deployment: Deployment, refused: Refused, token: str) -> None:
    here = Door(deployment, "default", "none")
    for form in FORMS.values():
        await refused(here.authenticate(token, form), Reason.TOKEN_INVALID)


@pytest.mark.parametrize(("form", "other"), [(PAIR, SHORT_PAIR), (SHORT_PAIR, PAIR)], ids=["pair", "short pair"])
async def test_a_refresh_token_is_refused_where_the_other_pair_is_asked_for(
    deployment: Deployment, refused: Refused, form: Any, other: Any
) -> None:
    here, client, token = await visitor(deployment)
    tokens = (await exchange(client, await here.code(token, client, form), form)).tokens

    async def refresh(asked: Any) -> tokens_pb2.RefreshTokensResponse:
        request = tokens_pb2.RefreshTokensRequest(
            client=client.credentials, refresh_token=tokens.refresh_token, form=asked
        )
        answer: tokens_pb2.RefreshTokensResponse = await deployment.tokens.RefreshTokens(request)
        return answer

    for asked in (other, SINGLE, SESSION_KEY, WEB):
        await refused(refresh(asked), Reason.TOKEN_INVALID)
    fresh = (await refresh(form)).tokens
    assert (await here.authenticate(fresh.access_token, form)).session.form == form
    assert fresh.expires_in == (86_400 if form == PAIR else 3600)


async def test_a_single_code_works_once_however_often_it_is_used_at_once(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment)
    for _ in range(3):
        code = await here.code(token, client, SINGLE)
        answers = await at_once(*(exchange(client, code, SINGLE, second=n % 2 == 0) for n in range(20)))
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        assert len(failures) == 19
        assert {error.reason for error in failures if isinstance(error, GatepostError)} == {Reason.CODE_INVALID}


async def test_a_single_code_used_again_revokes_the_token_it_gave(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment)
    code = await here.code(token, client, SINGLE)
    given = (await exchange(client, code, SINGLE)).tokens.access_token
    await here.authenticate(given, SINGLE)
    await refused(exchange(client, code, SINGLE), Reason.CODE_INVALID)
    await refused(here.authenticate(given, SINGLE, second=True), Reason.TOKEN_INVALID)


async def test_a_code_is_bound_to_where_it_was_sent(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment)
    await refused(here.code(token, client, SHORT_PAIR, redirect_url=f"{CALLBACK}/other"), Reason.INVALID_PARAMETER)
    code = await here.code(token, client, SHORT_PAIR, redirect_url=CALLBACK)
    await refused(exchange(client, code, SHORT_PAIR, redirect_url="https://evil.example/"), Reason.CODE_INVALID)
    await refused(exchange(client, code, SHORT_PAIR, redirect_url=CALLBACK), Reason.CODE_INVALID)  # spent by the lie
    code = await here.code(token, client, SHORT_PAIR, redirect_url=CALLBACK)
    assert (await exchange(client, code, SHORT_PAIR, redirect_url=CALLBACK)).tokens.access_token


@pytest.mark.parametrize("end", ["app", "account", "grant", "all"])
async def test_a_single_token_is_dead_as_soon_as_what_it_stands_on_is(
    deployment: Deployment, refused: Refused, end: str
) -> None:
    here, client, token = await visitor(deployment)
    who = (await here.authenticate(token)).account
    given = (await exchange(client, await here.code(token, client, SINGLE), SINGLE)).tokens.access_token
    ref = accounts_pb2.AccountRef(user_id=who.user_id)
    if end == "app":
        await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, disabled=True))
    elif end == "account":
        state = accounts_pb2.SetAccountStateRequest(account=ref, state=accounts_pb2.ACCOUNT_STATE_DISABLED)
        await deployment.accounts.SetAccountState(state)
    elif end == "grant":
        grant = (await here.deployment.grants.ListGrants(grants_pb2.ListGrantsRequest(account=ref))).grants[0]
        request = grants_pb2.RevokeGrantRequest(access_token=token, form=WEB, id=grant.id)
        await deployment.grants.RevokeGrant(request)
    else:
        await deployment.tokens.EndAllSessions(tokens_pb2.EndAllSessionsRequest(account=ref))
    await refused(here.authenticate(given, SINGLE, second=True), Reason.TOKEN_INVALID)
