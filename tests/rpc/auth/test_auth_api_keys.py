"""API keys over RPC: what they are good for, from where, and how they end."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rpc.auth.deployment import Deployment, from_address

from gatepost.auth.v1 import apps_pb2, directory_pb2, projects_pb2
from gatepost.auth.v1.projects_pb2 import StringList
from runtime.context import CallContext, bound
from runtime.errors import Reason

Refused = Callable[..., Any]


async def create(deployment: Deployment, project: str, **fields: Any) -> apps_pb2.CreateApiKeyResponse:
    request = apps_pb2.CreateApiKeyRequest(**{"id": str(uuid4()), "project": project} | fields)
    made: apps_pb2.CreateApiKeyResponse = await deployment.api_keys.CreateApiKey(request)
    return made


async def check(deployment: Deployment, token: str, scope: str = "") -> directory_pb2.KeyHolder:
    request = directory_pb2.CheckApiKeyRequest(api_key=token, scope=scope)
    holder: directory_pb2.KeyHolder = (await deployment.directory.CheckApiKey(request)).holder
    return holder


async def test_a_key_says_its_project_and_what_it_may_do(deployment: Deployment) -> None:
    client = await deployment.client()
    made = await create(
        deployment, client.project, allow_query_credentials=True, bypass_second_factor=True, status_mode="legacy"
    )
    holder = await check(deployment, made.token, "user:read")
    assert (holder.project.name, holder.key) == (client.project, made.key)
    assert list(made.key.scopes) == ["user:authenticate", "user:read"]
    assert (made.key.allow_query_credentials, made.key.bypass_second_factor) == (True, True)


async def test_a_scope_that_a_key_lacks_is_named(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    made = await create(deployment, client.project)
    error = await refused(check(deployment, made.token, "user:delete"), Reason.SCOPE_MISSING)
    assert error.metadata["scope"] == "user:delete"


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "\x00" * 64, "0" * 100_000])
async def test_an_unknown_key_is_refused(deployment: Deployment, refused: Refused, token: str) -> None:
    await refused(check(deployment, token), Reason.API_KEY_INVALID)


async def test_a_key_ended_or_of_a_disabled_project_is_refused_at_once(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    first, second = [await create(deployment, client.project) for _ in range(2)]
    await deployment.api_keys.RevokeApiKey(apps_pb2.RevokeApiKeyRequest(id=first.key.id))
    await refused(check(deployment, first.token), Reason.API_KEY_INVALID)
    await check(deployment, second.token)
    await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=client.project, disabled=True))
    await refused(check(deployment, second.token), Reason.API_KEY_INVALID)


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7"])
async def test_a_key_works_from_its_networks(deployment: Deployment, address: str) -> None:
    client = await deployment.client()
    made = await create(deployment, client.project, networks=["::ffff:192.0.2.0/120", "2001:db8::/32"])
    assert list(made.key.networks) == ["192.0.2.0/24", "2001:db8::/32"]
    async with from_address(address):
        await check(deployment, made.token)


@pytest.mark.parametrize("address", ["192.0.3.7", "2001:db9::7", "", "nonsense"])
async def test_a_key_works_from_nowhere_else(deployment: Deployment, refused: Refused, address: str) -> None:
    client = await deployment.client()
    made = await create(deployment, client.project, networks=["192.0.2.0/24", "2001:db8::/32"])
    async with from_address(address):
        await refused(check(deployment, made.token), Reason.API_KEY_INVALID)


@pytest.mark.parametrize(
    "fields", [{"networks": ["192.0.2.1/24"]}, {"networks": ["home"]}, {"scopes": ["all"]}, {"status_mode": "lax"}]
)
async def test_a_key_that_breaks_a_rule_is_refused(
    deployment: Deployment, refused: Refused, fields: dict[str, Any]
) -> None:
    client = await deployment.client()
    error = await refused(create(deployment, client.project, **fields), Reason.INVALID_PARAMETER)
    assert error.violations[0].field in fields


async def test_a_keys_status_mode_is_told_with_every_error(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    strict = await create(deployment, client.project, status_mode="strict")
    plain = await create(deployment, client.project)
    told = await refused(check(deployment, strict.token, "act_as"), Reason.SCOPE_MISSING)
    silent = await refused(check(deployment, plain.token, "act_as"), Reason.SCOPE_MISSING)
    assert told.metadata["status_mode"] == "strict"
    assert "status_mode" not in silent.metadata


async def test_a_dialect_that_the_project_does_not_serve_is_refused(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    made = await create(deployment, client.project)
    await deployment.projects.UpdateProject(
        projects_pb2.UpdateProjectRequest(name=client.project, dialects=StringList(values=["ossn"]))
    )
    with bound(CallContext(dialect="ossn")):
        await check(deployment, made.token)
    with bound(CallContext(dialect="shoop")):
        await refused(check(deployment, made.token), Reason.DIALECT_DISABLED)
    await check(deployment, made.token)
