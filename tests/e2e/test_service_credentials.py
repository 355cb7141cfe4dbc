"""Every method of every service, as it answers callers who have no business with it: not at all."""

import asyncio
import importlib
import json
import pkgutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import Ihopr, app_maker
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import gatepost
from gatepost.runtime.v1 import calls_pb2 as pb
from runtime.credentials import ServiceKeys

SERVICES = {"gatepost.auth.": "auth-service", "gatepost.users.": "user-service", "gatepost.notify.": "notify-service"}
STRANGERS = {"auth-service": "user-service", "user-service": "notify-service", "notify-service": "user-service"}
NARROWED = {
    "gatepost.auth.v1.KeyService": "gateway",
    "gatepost.auth.v1.AuditService": "gateway",
    "gatepost.runtime.v1.ChangeService": "auth-service",
}
WATCHED = ("auth-service", "user-service")


@dataclass(frozen=True)
class Door:
    """A service of a running stack.

    Args:
        name: Of the service.
        channel: To it, without any credential.
        key: Signs credentials.
        token: Access token of a user.
    """

    name: str
    channel: grpc.aio.Channel
    key: str
    token: str

    def credential(self, issuer: str, audience: str = "", key: str = "") -> str:
        return ServiceKeys([key or self.key]).mint(issuer, audience or self.name)

    async def code(self, method: MethodDescriptor, *authorization: str) -> grpc.StatusCode:
        """Call a method with an empty message; return the status."""
        name = f"/{method.containing_service.full_name}/{method.name}"
        metadata = [("authorization", value) for value in authorization]
        kind = f"{_kind(method.client_streaming)}_{_kind(method.server_streaming)}"
        opened = getattr(self.channel, kind)(name)
        call = opened(metadata=metadata) if method.client_streaming else opened(b"", metadata=metadata)
        if method.client_streaming:
            await call.done_writing()
        code: grpc.StatusCode = await call.code()
        return code


def _kind(streams: bool) -> str:  # noqa: FBT001 the descriptor's
    return "stream" if streams else "unary"


def methods_of(service: str) -> Iterator[MethodDescriptor]:
    """Yield every method that a service has, those of the runtime, health and reflection included."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(gatepost.__path__, "gatepost.")
        if found.name.endswith("_pb2")
    ]
    for module in (*modules, health_pb2, reflection_pb2):
        package = module.DESCRIPTOR.package
        owner = next((name for prefix, name in SERVICES.items() if package.startswith(prefix)), service)
        for each in module.DESCRIPTOR.services_by_name.values():
            watched = each.name != "ChangeService" or service in WATCHED
            if owner == service and watched:
                yield from each.methods


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=STRANGERS)
async def door(stack: GatepostStack, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    assert stack.data_dir is not None
    (key, *_) = json.loads((stack.data_dir / "secrets.json").read_text(encoding="utf-8"))["service_keys"]
    (process, *_) = [each for each in stack.status()["processes"] if each["name"] == request.param]
    async with ClientSession() as session:
        app = await asyncio.to_thread(app_maker(stack))
        _, tokens = await Ihopr(session, stack.url).signed_in(app)
    async with grpc.aio.insecure_channel(process["address"]) as channel:
        yield Door(request.param, channel, key, tokens["access_token"])


async def test_nobody_without_a_credential_of_an_allowed_caller_is_answered_by_any_method(door: Door) -> None:
    now = int(time.time())
    expired = jwt.encode({"iss": "gateway", "aud": door.name, "iat": now - 600, "exp": now - 1}, door.key, "HS256")
    endless = jwt.encode({"iss": "gateway", "aud": door.name}, door.key, "HS256")
    unsigned = jwt.encode({"iss": "gateway", "aud": door.name, "iat": now, "exp": now + 60}, "", "none")
    shown = {
        "nothing": (),
        "a user's token": (f"Bearer {door.token}",),
        "no token at all": ("Bearer",),
        "another scheme": (f"Basic {door.credential('gateway')}",),
        "for another service": (f"Bearer {door.credential('gateway', 'gateway')}",),
        "expired": (f"Bearer {expired}",),
        "without end": (f"Bearer {endless}",),
        "not signed": (f"Bearer {unsigned}",),
        "signed with another key": (f"Bearer {door.credential('gateway', key='x' * 40)}",),
        "a caller that is not allowed": (f"Bearer {door.credential(STRANGERS[door.name])}",),
        "a caller that does not exist": (f"Bearer {door.credential('stranger')}",),
    }
    answered = [
        (method.full_name, what, code)
        for method in methods_of(door.name)
        for what, authorization in shown.items()
        if (code := await door.code(method, *authorization)) is not grpc.StatusCode.UNAUTHENTICATED
    ]
    assert answered == []
    visited = {method.full_name for method in methods_of(door.name)}
    assert {"grpc.health.v1.Health.Check", "gatepost.runtime.v1.CallService.Exchange"} < visited
    assert len(visited) > 10
    (check,) = [method for method in methods_of(door.name) if method.full_name == "grpc.health.v1.Health.Check"]
    assert await door.code(check, f"Bearer {door.credential('gateway')}") is grpc.StatusCode.OK


async def test_a_service_for_some_callers_answers_no_other_of_the_allowed(door: Door) -> None:
    for method in methods_of(door.name):
        caller = NARROWED.get(method.containing_service.full_name)
        if caller is not None:
            code = await door.code(method, f"Bearer {door.credential(caller)}")
            assert code is grpc.StatusCode.UNAUTHENTICATED, method.full_name


async def test_on_a_stream_of_calls_each_is_admitted_for_itself(door: Door) -> None:
    """A stranger has no stream; an allowed caller cannot reach by one what he may not call alone."""
    refused: list[int] = []
    stream: Any = door.channel.stream_stream(
        "/gatepost.runtime.v1.CallService/Exchange",
        pb.ExchangeRequest.SerializeToString,
        pb.ExchangeResponse.FromString,
    )(metadata=[("authorization", f"Bearer {door.credential('gateway')}")])
    for method in methods_of(door.name):
        service = method.containing_service.full_name
        if NARROWED.get(service) == "gateway" and not method.server_streaming:  # which goes by itself
            call = pb.Call(id=len(refused) + 1, method=f"/{service}/{method.name}", timeout_ms=5000)
            await stream.write(pb.ExchangeRequest(calls=[call]))
            answers: list[pb.Answer] = []
            while not answers:
                answers = list((await stream.read()).answers)
            refused += [each.code for each in answers]
    stream.cancel()
    assert set(refused) <= {grpc.StatusCode.UNAUTHENTICATED.value[0]}
    assert bool(refused) == (door.name == "auth-service")
