"""Grants over RPC: consent, codes on the strength of it, and taking it back."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from rpc.auth.deployment import Deployment

from gatepost.auth.v1 import grants_pb2
from runtime.errors import Reason

Refused = Callable[..., Any]


async def grant(deployment: Deployment, token: str, client_id: str, *scopes: str) -> grants_pb2.Grant:
    request = grants_pb2.CreateGrantRequest(access_token=token, client_id=client_id, scopes=scopes)
    made: grants_pb2.Grant = (await deployment.grants.CreateGrant(request)).grant
    return made


async def issue(deployment: Deployment, token: str, client_id: str, *scopes: str) -> str:
    request = grants_pb2.IssueCodeRequest(access_token=token, client_id=client_id, scopes=scopes)
    return str((await deployment.grants.IssueCode(request)).code)


async def test_a_code_on_a_grant_carries_its_scopes_and_the_time_of_the_sign_in(deployment: Deployment) -> None:
    client = await deployment.client(scopes=["read", "write"])
    _, person = await client.person()
    token = person.tokens.access_token
    await grant(deployment, token, client.app.client_id, "read", "write")
    opened = await client.exchange(await issue(deployment, token, client.app.client_id, "read"))
    assert list(opened.tokens.scopes) == ["read"]
    first, second = (await client.authenticate(token)), await client.authenticate(opened.tokens.access_token)
    assert second.session.auth_time == first.session.auth_time
    assert list(second.session.scopes) == ["read"]


async def test_a_second_consent_adds_to_the_first(deployment: Deployment) -> None:
    client = await deployment.client(scopes=["read", "write"])
    email, person = await client.person()
    token = person.tokens.access_token
    await grant(deployment, token, client.app.client_id)
    await grant(deployment, token, client.app.client_id)
    first = await grant(deployment, token, client.app.client_id, "write")
    second = await grant(deployment, token, client.app.client_id, "read")
    assert (second.id, list(second.scopes)) == (first.id, ["read", "write"])
    listed = await deployment.grants.ListGrants(grants_pb2.ListGrantsRequest(account=client.ref(email)))
    assert list(listed.grants) == [second]


async def test_scopes_beyond_app_or_grant_are_refused(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client(scopes=["read"])
    _, person = await client.person()
    token = person.tokens.access_token
    await refused(grant(deployment, token, client.app.client_id, "write"), Reason.INVALID_PARAMETER)
    await refused(issue(deployment, token, client.app.client_id, "read"), Reason.SCOPE_MISSING)
    await grant(deployment, token, client.app.client_id, "read")
    await refused(issue(deployment, token, client.app.client_id, "read", "write"), Reason.SCOPE_MISSING)


async def test_taking_a_grant_back_ends_the_apps_sessions_and_codes(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    app = await deployment.app_of(client.project, "none", scopes=["read"])
    _, person = await client.person()
    token = person.tokens.access_token
    given = await grant(deployment, token, app.app.client_id, "read")
    opened = await app.exchange(await issue(deployment, token, app.app.client_id, "read"))
    waiting = await issue(deployment, token, app.app.client_id, "read")
    await deployment.grants.RevokeGrant(grants_pb2.RevokeGrantRequest(access_token=token, id=given.id))
    await refused(app.authenticate(opened.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(app.refresh(opened.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(app.exchange(waiting), Reason.CODE_INVALID)
    await refused(issue(deployment, token, app.app.client_id, "read"), Reason.SCOPE_MISSING)
    await client.authenticate(token)
    again = grants_pb2.RevokeGrantRequest(access_token=token, id=given.id)
    await refused(deployment.grants.RevokeGrant(again), Reason.NOT_FOUND)


async def test_nobody_takes_back_anothers_grant(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client(scopes=["read"])
    _, ours = await client.person()
    _, theirs = await client.person()
    given = await grant(deployment, ours.tokens.access_token, client.app.client_id, "read")
    request = grants_pb2.RevokeGrantRequest(access_token=theirs.tokens.access_token, id=given.id)
    await refused(deployment.grants.RevokeGrant(request), Reason.NOT_FOUND)
    request.id = str(uuid4())
    await refused(deployment.grants.RevokeGrant(request), Reason.NOT_FOUND)


async def test_an_app_of_another_project_gets_neither_grant_nor_code(deployment: Deployment, refused: Refused) -> None:
    ours, theirs = await deployment.client(), await deployment.client(scopes=["read"])
    _, person = await ours.person()
    token = person.tokens.access_token
    await refused(grant(deployment, token, theirs.app.client_id, "read"), Reason.CLIENT_UNKNOWN)
    await refused(issue(deployment, token, theirs.app.client_id), Reason.CLIENT_UNKNOWN)
    await refused(grant(deployment, person.tokens.refresh_token, ours.app.client_id), Reason.TOKEN_INVALID)
