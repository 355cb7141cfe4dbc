"""The app dashboard over RPC: a user's own apps, and nobody else's."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment

from gatepost.auth.v1 import apps_pb2, forms_pb2, grants_pb2, projects_pb2, sign_in_pb2
from gatepost.auth.v1.projects_pb2 import StringList
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]


async def create(deployment: Deployment, token: str, **fields: Any) -> apps_pb2.CreateOwnAppResponse:
    app = apps_pb2.CreateAppRequest(**{"id": str(uuid4()), "name": "My app"} | fields)
    request = apps_pb2.CreateOwnAppRequest(access_token=token, app=app)
    answer: apps_pb2.CreateOwnAppResponse = await deployment.own_apps.CreateOwnApp(request)
    return answer


async def get(deployment: Deployment, token: str, client_id: str) -> apps_pb2.GetOwnAppResponse:
    request = apps_pb2.GetOwnAppRequest(access_token=token, client_id=client_id)
    answer: apps_pb2.GetOwnAppResponse = await deployment.own_apps.GetOwnApp(request)
    return answer


async def listed(deployment: Deployment, token: str) -> apps_pb2.ListOwnAppsResponse:
    answer: apps_pb2.ListOwnAppsResponse = await deployment.own_apps.ListOwnApps(
        apps_pb2.ListOwnAppsRequest(access_token=token)
    )
    return answer


async def update(deployment: Deployment, token: str, client_id: str, **fields: Any) -> apps_pb2.App:
    app = apps_pb2.UpdateAppRequest(client_id=client_id, **fields)
    request = apps_pb2.UpdateOwnAppRequest(access_token=token, app=app)
    changed: apps_pb2.App = (await deployment.own_apps.UpdateOwnApp(request)).app
    return changed


async def add_secret(deployment: Deployment, token: str, client_id: str) -> apps_pb2.CreateOwnAppSecretResponse:
    request = apps_pb2.CreateOwnAppSecretRequest(access_token=token, client_id=client_id)
    answer: apps_pb2.CreateOwnAppSecretResponse = await deployment.own_apps.CreateOwnAppSecret(request)
    return answer


async def revoke_secret(deployment: Deployment, token: str, client_id: str, secret_id: str) -> None:
    await deployment.own_apps.RevokeOwnAppSecret(
        apps_pb2.RevokeOwnAppSecretRequest(access_token=token, client_id=client_id, secret_id=secret_id)
    )


async def delete(deployment: Deployment, token: str, client_id: str) -> None:
    await deployment.own_apps.DeleteOwnApp(apps_pb2.DeleteOwnAppRequest(access_token=token, client_id=client_id))


async def test_a_user_registers_an_app_that_people_sign_in_to(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = person.tokens.access_token
    made = await create(
        deployment,
        token,
        project="another",
        description="What it is for",
        website="https://example.org",
        redirect_urls=["https://example.org/back"],
        status_mode="strict",
        icon_picture="0" * 32,
    )
    app = made.app
    assert (app.project, app.owner_id, app.allow_query_secret) == (client.project, person.account.user_id, False)
    assert (app.description, app.website, app.status_mode) == ("What it is for", "https://example.org", "strict")
    own = replace(client, app=app, secret=made.client_secret)
    await own.exchange((await own.sign_in(email)).code)
    found = await listed(deployment, token)
    assert (list(found.apps), found.may_create) == ([app], True)
    assert (await get(deployment, token, app.client_id)).app == app


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"redirect_urls": ["http://example.org/back"]},
        {"redirect_urls": ["https://example.org/back#x"]},
        {"description": "x" * 201},
        {"website": "javascript:alert(1)"},
        {"website": "https://"},
        {"status_mode": "lenient"},
        {"icon_picture": "../secret"},
        {"scopes": ["with blank"]},
    ],
)
async def test_an_app_that_breaks_a_rule_is_refused(
    deployment: Deployment, refused: Refused, fields: dict[str, Any]
) -> None:
    client = await deployment.client()
    _, person = await client.person()
    error = await refused(create(deployment, person.tokens.access_token, **fields), Reason.INVALID_PARAMETER)
    assert error.violations[0].field in fields
    assert not (await listed(deployment, person.tokens.access_token)).apps


async def test_repeating_the_call_makes_one_app_with_the_last_secret(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    _, stranger = await client.person()
    token, app_id = person.tokens.access_token, str(uuid4())
    first = await create(deployment, token, id=app_id)
    second = await create(deployment, token, id=app_id)
    assert first.app.client_id == second.app.client_id
    await refused(replace(client, app=first.app, secret=first.client_secret).sign_in(email), Reason.CLIENT_BAD_SECRET)
    assert (await replace(client, app=first.app, secret=second.client_secret).sign_in(email)).code
    await refused(create(deployment, stranger.tokens.access_token, id=app_id), Reason.ALREADY_EXISTS)


async def test_a_user_has_at_most_twenty_apps_however_fast_he_is(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    answers = await asyncio.gather(*(create(deployment, token) for _ in range(25)), return_exceptions=True)
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.RATE_LIMITED}
    found = await listed(deployment, token)
    assert (len(found.apps), found.may_create) == (20, False)


async def test_a_project_may_keep_its_users_from_registering_apps(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    made = await create(deployment, token)
    await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=client.project, user_apps=False))
    await refused(create(deployment, token), Reason.SCOPE_MISSING)
    assert not (await listed(deployment, token)).may_create
    assert (await update(deployment, token, made.app.client_id, name="Other")).name == "Other"


async def test_the_app_of_another_is_not_there_in_any_call(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    _, stranger = await client.person()
    made = await create(deployment, person.tokens.access_token)
    token = stranger.tokens.access_token
    for client_id in (made.app.client_id, client.app.client_id, "1", "", "\x00"):
        for call in (
            get(deployment, token, client_id),
            update(deployment, token, client_id, name="Stolen"),
            add_secret(deployment, token, client_id),
            revoke_secret(deployment, token, client_id, made.app.secrets[0].id),
            delete(deployment, token, client_id),
        ):
            await refused(call, Reason.NOT_FOUND, *([Reason.MALFORMED_REQUEST] if client_id == "\x00" else []))
    assert not (await listed(deployment, token)).apps
    assert (await get(deployment, person.tokens.access_token, made.app.client_id)).app == made.app


async def test_every_call_needs_a_live_token(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    made = await create(deployment, person.tokens.access_token)
    token, client_id = person.tokens.refresh_token, made.app.client_id
    for call in (
        listed(deployment, token),
        create(deployment, token),
        get(deployment, token, client_id),
        update(deployment, token, client_id),
        add_secret(deployment, token, client_id),
        revoke_secret(deployment, token, client_id, made.app.secrets[0].id),
        delete(deployment, token, client_id),
    ):
        await refused(call, Reason.TOKEN_INVALID)


async def test_a_session_of_our_own_pages_serves_as_well_and_only_as_that(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    made = await create(deployment, person.tokens.access_token)
    sign_in = sign_in_pb2.SignInRequest(
        project=client.project, form=forms_pb2.TOKEN_FORM_WEB, login=email, password=PASSWORD
    )
    token = (await deployment.sign_in.SignIn(sign_in)).result.session.token
    request = apps_pb2.ListOwnAppsRequest(access_token=token, form=forms_pb2.TOKEN_FORM_WEB)
    assert list((await deployment.own_apps.ListOwnApps(request)).apps) == [made.app]
    await refused(listed(deployment, token), Reason.TOKEN_INVALID)


async def test_what_is_set_is_changed_and_the_rest_stays(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    made = await create(deployment, token, redirect_urls=["https://example.org/a"], scopes=["x"])
    changed = await update(deployment, token, made.app.client_id, allow_query_secret=True, disabled=True)
    assert (changed.allow_query_secret, changed.disabled) == (True, False)
    assert (list(changed.redirect_urls), list(changed.scopes)) == (["https://example.org/a"], ["x"])
    emptied = await update(deployment, token, made.app.client_id, redirect_urls=StringList(values=[]))
    assert (list(emptied.redirect_urls), emptied.allow_query_secret) == ([], True)


async def test_a_secret_is_rotated_by_adding_one_and_ending_the_other(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = person.tokens.access_token
    made = await create(deployment, token)
    client_id, first = made.app.client_id, made.app.secrets[0].id
    await refused(revoke_secret(deployment, token, client_id, first), Reason.CONFLICT)
    added = await add_secret(deployment, token, client_id)
    await refused(add_secret(deployment, token, client_id), Reason.CONFLICT)
    for value in (made.client_secret, added.client_secret):
        assert (await replace(client, app=made.app, secret=value).sign_in(email)).code
    await revoke_secret(deployment, token, client_id, first)
    await refused(replace(client, app=made.app, secret=made.client_secret).sign_in(email), Reason.CLIENT_BAD_SECRET)
    assert (await replace(client, app=made.app, secret=added.client_secret).sign_in(email)).code
    await refused(revoke_secret(deployment, token, client_id, first), Reason.NOT_FOUND)


async def test_of_two_secrets_ended_at_once_one_stays(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    made = await create(deployment, token)
    added = await add_secret(deployment, token, made.app.client_id)
    ids = (made.app.secrets[0].id, added.secret.id)
    await asyncio.gather(
        *(revoke_secret(deployment, token, made.app.client_id, each) for each in ids * 5), return_exceptions=True
    )
    assert len((await get(deployment, token, made.app.client_id)).app.secrets) == 1


async def test_a_deleted_app_takes_its_sessions_and_grants_along(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = person.tokens.access_token
    made = await create(deployment, token, scopes=["x"])
    own = replace(client, app=made.app, secret=made.client_secret)
    session = await own.exchange((await own.sign_in(email)).code)
    grant = grants_pb2.CreateGrantRequest(access_token=token, client_id=made.app.client_id, scopes=["x"])
    await deployment.grants.CreateGrant(grant)
    await delete(deployment, token, made.app.client_id)
    await refused(client.authenticate(session.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(own.sign_in(email), Reason.CLIENT_UNKNOWN)
    await refused(delete(deployment, token, made.app.client_id), Reason.NOT_FOUND)
    await client.authenticate(token)


async def test_a_scope_that_is_taken_away_is_taken_from_grants_and_sessions(deployment: Deployment) -> None:
    client: Client = await deployment.client(scopes=["x", "y"])
    _, person = await client.person()
    token, client_id = person.tokens.access_token, client.app.client_id
    grant = grants_pb2.CreateGrantRequest(access_token=token, client_id=client_id, scopes=["x", "y"])
    await deployment.grants.CreateGrant(grant)
    issue = grants_pb2.IssueCodeRequest(access_token=token, client_id=client_id, scopes=["x", "y"])
    session = await client.exchange((await deployment.grants.IssueCode(issue)).code)
    request = apps_pb2.UpdateAppRequest(client_id=client_id, scopes=StringList(values=["y"]))
    await deployment.apps.UpdateApp(request)
    again = await deployment.grants.CreateGrant(
        grants_pb2.CreateGrantRequest(access_token=token, client_id=client_id, scopes=["y"])
    )
    assert list(again.grant.scopes) == ["y"]
    assert list((await client.authenticate(session.tokens.access_token)).session.scopes) == ["y"]


async def test_usage_counts_sign_ins_users_and_what_was_refused(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    first, person = await client.person()
    second, _ = await client.person()
    token = person.tokens.access_token
    made = await create(deployment, token)
    assert not (await get(deployment, token, made.app.client_id)).usage
    own = replace(client, app=made.app, secret=made.client_secret)
    opened = [await own.exchange((await own.sign_in(email)).code) for email in (first, first, second)]
    await refused(own.exchange("0" * 32), Reason.CODE_INVALID)
    await refused(own.refresh(opened[0].tokens.access_token), Reason.TOKEN_INVALID)
    (day,) = (await get(deployment, token, made.app.client_id)).usage
    assert (day.sign_ins, day.users, day.failures) == (3, 2, 2)
    assert len(day.day) == len("2026-01-31")
