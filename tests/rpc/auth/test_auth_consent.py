"""Consent: when a person need not be asked again, what he has given to whom, and taking it back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from rpc.auth.deployment import Client, Deployment, address
from rpc.auth.visitor import PAIR, SINGLE, WEB, Door, exchange

from gatepost.auth.v1 import apps_pb2, grants_pb2, projects_pb2
from runtime.errors import Reason

Refused = Callable[..., Any]


async def visitor(deployment: Deployment, *scopes: str) -> tuple[Door, Client, str]:
    """Return a door, an app of its project, and a visitor's token."""
    client = await deployment.client(scopes=list(scopes))
    here = Door(deployment, client.project, "none")
    return here, client, (await here.sign_up(address())).session.token


async def confirmed_ago(deployment: Deployment, grant: grants_pb2.Grant, **ago: int) -> None:
    """Make a grant older."""
    connection = await asyncpg.connect(deployment.auth_dsn)
    try:
        await connection.execute(
            "UPDATE grants SET granted_at = granted_at - $2::interval WHERE id = $1", UUID(grant.id), timedelta(**ago)
        )
    finally:
        await connection.close()


async def test_a_person_is_asked_once_for_what_he_gave(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment, "gender", "website")
    before = await here.consent(token, client, "gender")
    assert not before.granted
    assert (before.app.name, before.account.project) == ("App", here.project)
    await here.grant(token, client, "gender")
    assert (await here.consent(token, client, "gender")).granted
    assert (await here.consent(token, client)).granted
    assert not (await here.consent(token, client, "gender", "website")).granted
    await here.grant(token, client, "website")
    assert (await here.consent(token, client, "gender", "website")).granted


@pytest.mark.parametrize(
    ("public", "redirect_url", "days"),
    [
        (False, "https://app.example/back", 90),
        (False, "http://127.0.0.1/back", 90),
        (True, "https://app.example/back", 90),
        (True, "http://127.0.0.1/back", 0),
        (True, "http://localhost:8080/back", 0),
        (True, "app.example:/back", 0),
        (True, "", 0),
    ],
)
async def test_an_app_that_others_could_pass_for_is_asked_about_every_time(
    deployment: Deployment, *, public: bool, redirect_url: str, days: int
) -> None:
    client = await deployment.client(public=public)
    here = Door(deployment, client.project, "none")
    token = (await here.sign_up(address())).session.token
    await here.grant(token, client, "basic")
    answer = await here.consent(token, client, "basic", redirect_url=redirect_url)
    assert (answer.granted, answer.lasting_seconds) == (days > 0, days * 86_400)


async def test_consent_that_is_too_old_is_not_renewed_by_consent_to_something_else(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment, "gender", "website")
    await confirmed_ago(deployment, await here.grant(token, client, "gender"), days=91)
    await here.grant(token, client, "website")
    assert (await here.consent(token, client, "website")).granted
    assert not (await here.consent(token, client, "gender")).granted


async def test_consent_to_more_makes_what_was_given_before_no_younger(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment, "gender", "website")
    await confirmed_ago(deployment, await here.grant(token, client, "gender"), days=60)
    await confirmed_ago(deployment, await here.grant(token, client, "website"), days=31)
    assert not (await here.consent(token, client, "gender")).granted
    await confirmed_ago(deployment, await here.grant(token, client, "gender", "website"), days=89)
    assert (await here.consent(token, client, "gender", "website")).granted


async def test_basic_is_every_apps_to_ask_for(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment)
    assert not (await here.consent(token, client, "basic")).granted
    await here.grant(token, client, "basic")
    assert (await here.consent(token, client, "basic")).granted
    code = await here.code(token, client, SINGLE, scopes=["basic"])
    assert list((await exchange(client, code, SINGLE)).tokens.scopes) == ["basic"]


async def test_basic_is_not_given_along_with_other_scopes(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment, "gender")
    await here.grant(token, client, "gender")
    assert not (await here.consent(token, client, "basic")).granted
    await refused(here.code(token, client, SINGLE, scopes=["basic"]), Reason.SCOPE_MISSING)


async def test_a_scope_that_the_app_does_not_list_is_refused(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment, "gender")
    await refused(here.consent(token, client, "website"), Reason.SCOPE_MISSING)
    await refused(here.grant(token, client, "website"), Reason.INVALID_PARAMETER)


async def test_a_scope_that_the_app_lists_no_more_is_covered_no_more(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment, "gender", "website")
    await here.grant(token, client, "gender", "website")
    scopes = projects_pb2.StringList(values=["website"])
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, scopes=scopes))
    await refused(here.consent(token, client, "gender"), Reason.SCOPE_MISSING)
    await refused(here.code(token, client, SINGLE, scopes=["gender"]), Reason.SCOPE_MISSING)
    assert (await here.consent(token, client, "website")).granted


async def test_consent_is_asked_for_again_after_ninety_days(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment, "gender")
    grant = await here.grant(token, client, "gender")
    await confirmed_ago(deployment, grant, days=89)
    assert (await here.consent(token, client, "gender")).granted
    await confirmed_ago(deployment, grant, days=2)
    assert not (await here.consent(token, client, "gender")).granted
    await refused(here.code(token, client, SINGLE, scopes=["gender"]), Reason.SCOPE_MISSING)
    await here.grant(token, client, "gender")
    assert (await here.consent(token, client, "gender")).granted


async def test_a_code_is_not_exchanged_for_what_its_app_lists_no_longer(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment, "gender", "website")
    await here.grant(token, client, "basic", "gender", "website")
    code = await here.code(token, client, SINGLE, scopes=["basic", "gender", "website"])
    scopes = projects_pb2.StringList(values=["website"])
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, scopes=scopes))
    tokens = (await exchange(client, code, SINGLE)).tokens
    session = (await here.authenticate(tokens.access_token, SINGLE)).session
    assert list(tokens.scopes) == list(session.scopes) == ["basic", "website"]


async def test_an_app_of_another_project_or_disabled_is_unknown(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment)
    await refused(here.consent(token, await deployment.client()), Reason.CLIENT_UNKNOWN)
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, disabled=True))
    await refused(here.consent(token, client), Reason.CLIENT_UNKNOWN)


async def test_a_token_of_another_form_is_refused_by_every_call(deployment: Deployment, refused: Refused) -> None:
    here, client, token = await visitor(deployment)
    grant = await here.grant(token, client)
    for form in (SINGLE, PAIR):
        other = here.of(form)
        await refused(other.consent(token, client), Reason.TOKEN_INVALID)
        await refused(other.grant(token, client), Reason.TOKEN_INVALID)
        await refused(other.code(token, client, SINGLE), Reason.TOKEN_INVALID)
        listing = grants_pb2.ListOwnGrantsRequest(access_token=token, form=form)
        await refused(deployment.grants.ListOwnGrants(listing), Reason.TOKEN_INVALID)
        revoking = grants_pb2.RevokeGrantRequest(access_token=token, form=form, id=grant.id)
        await refused(deployment.grants.RevokeGrant(revoking), Reason.TOKEN_INVALID)


async def test_a_user_sees_what_he_gave_to_whom_and_no_secrets(deployment: Deployment) -> None:
    here, client, token = await visitor(deployment, "gender")
    second = await deployment.app_of(client.project, "none")
    await here.grant(token, client, "gender")
    await here.grant(token, second)
    other = (await here.sign_up(address())).session.token
    await here.grant(other, client)
    request = grants_pb2.ListOwnGrantsRequest(access_token=token, form=WEB)
    granted = (await deployment.grants.ListOwnGrants(request)).granted
    assert [(each.app.client_id, list(each.grant.scopes)) for each in granted] == [
        (second.app.client_id, []),
        (client.app.client_id, ["gender"]),
    ]
    assert [list(each.app.secrets) for each in granted] == [[], []]


@pytest.mark.parametrize("whose", ["his", "another's"])
async def test_a_user_takes_back_what_is_his(deployment: Deployment, refused: Refused, whose: str) -> None:
    here, client, token = await visitor(deployment)
    grant = await here.grant(token, client)
    code = await here.code(token, client, SINGLE)
    given = (await exchange(client, code, SINGLE)).tokens.access_token
    unused = await here.code(token, client, SINGLE)
    who = token if whose == "his" else (await here.sign_up(address())).session.token
    request = grants_pb2.RevokeGrantRequest(access_token=who, form=WEB, id=grant.id)
    if whose == "another's":
        await refused(deployment.grants.RevokeGrant(request), Reason.NOT_FOUND)
        await here.authenticate(given, SINGLE)
        return
    await deployment.grants.RevokeGrant(request)
    await refused(here.authenticate(given, SINGLE), Reason.TOKEN_INVALID)
    await refused(exchange(client, unused, SINGLE), Reason.CODE_INVALID)
    assert not (await here.consent(token, client)).granted
