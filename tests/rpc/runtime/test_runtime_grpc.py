"""The gRPC server and client of the runtime: who may call, deadlines, errors, what fails when nobody listens."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
import pytest_asyncio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from runtime import grpc_client
from runtime.context import CallContext, bound, current
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.grpc_server import GrpcServer

KEY = "a-service-key-of-the-tests-alone-42-characters"
METHOD = "/test.Echo/Say"
seen: list[CallContext] = []


async def say(request: StringValue, _context: Any) -> StringValue:
    """Answer a word; some words make trouble."""
    seen.append(current())
    match request.value:
        case "refuse":
            raise GatepostError(Reason.RATE_LIMITED, "slowly", retry_after_seconds=2.5, metadata={"a": "b"})
        case "break":
            raise KeyError("secret canary")
        case "sleep":
            await asyncio.sleep(30)
        case "huge":
            return StringValue(value="x" * 5_000_000)
    return request


def register(_servicer: object, server: grpc.aio.Server) -> None:
    handler = grpc.unary_unary_rpc_method_handler(say, StringValue.FromString, StringValue.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Say": handler})])


async def bye(call: Any) -> StringValue:
    answer: StringValue = await call(StringValue(value="bye"))
    return answer


class Echo:
    """A running server and ways to call it."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.keys = ServiceKeys([KEY])

    def channel(self, issuer: str = "gateway", audience: str = "echo", key: str = KEY) -> grpc.aio.Channel:
        return grpc_client.connect(self.target, issuer=issuer, audience=audience, keys=ServiceKeys([key]))

    async def say(self, word: str, channel: grpc.aio.Channel | None = None, timeout: float | None = None) -> str:  # noqa: ASYNC109 gRPC's
        async with channel or self.channel() as opened:
            call = opened.unary_unary(METHOD, StringValue.SerializeToString, StringValue.FromString)
            answer: StringValue = await call(StringValue(value=word), timeout=timeout)
            return answer.value


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def echo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Echo]:
    server = GrpcServer(
        service="echo", listen="127.0.0.1:0", keys=ServiceKeys([KEY]), allowed_callers=frozenset({"gateway"})
    )
    server.add(register, object(), "test.Echo")
    await server.start()
    yield Echo(f"127.0.0.1:{server.port}")
    await server.stop(0)


async def reason(call: Any) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value


async def test_an_allowed_caller_is_answered_and_known(echo: Echo) -> None:
    with bound(CallContext(request_id="r-1", client_address="203.0.113.7")):
        assert await echo.say("hello") == "hello"
    assert (seen[-1].caller, seen[-1].request_id, seen[-1].client_address) == ("gateway", "r-1", "203.0.113.7")


@pytest.mark.parametrize(
    ("issuer", "audience", "key"),
    [("gateway", "other-service", KEY), ("stranger", "echo", KEY), ("gateway", "echo", "x" * 40)],
    ids=["wrong-audience", "caller-not-allowed", "foreign-key"],
)
async def test_anybody_else_is_refused(echo: Echo, issuer: str, audience: str, key: str) -> None:
    before = len(seen)
    error = await reason(echo.say("hello", echo.channel(issuer, audience, key)))
    assert error.reason is Reason.CALLER_REFUSED
    assert len(seen) == before


@pytest.mark.parametrize(
    "header",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer x.y.z"),),
        (("authorization", f"Basic {jwt.encode({'iss': 'gateway', 'aud': 'echo', 'exp': 2**31}, KEY)}"),),
    ],
)
async def test_without_a_credential_nothing_answers_not_even_health_and_reflection(
    echo: Echo, header: tuple[tuple[str, str], ...]
) -> None:
    async with grpc.aio.insecure_channel(echo.target) as channel:
        own = channel.unary_unary(METHOD, StringValue.SerializeToString, StringValue.FromString)
        health = health_pb2_grpc.HealthStub(channel)
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)

        async def drain(stream: Any) -> None:
            async for _ in stream:
                pass

        async def first(stream: Any) -> None:
            # Nothing is asked: a request on its way into a call that is being refused is INTERNAL to grpc's client.
            async with asyncio.timeout(10):
                await stream.read()

        for call in (
            own(StringValue(value="hello"), metadata=header),
            health.Check(health_pb2.HealthCheckRequest(), metadata=header),
            drain(health.Watch(health_pb2.HealthCheckRequest(), metadata=header)),
            first(reflection.ServerReflectionInfo(metadata=header)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_with_a_credential_reflection_lists_the_services_and_health_is_served(echo: Echo) -> None:
    header = (("authorization", f"bearer {echo.keys.mint('gateway', 'echo')}"),)
    async with grpc.aio.insecure_channel(echo.target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        answers = [answer async for answer in stub.ServerReflectionInfo(requests, metadata=header)]
        names = {service.name for service in answers[0].list_services_response.service}
        assert names == {"test.Echo", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="test.Echo"), metadata=header)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_watcher_that_leaves_troubles_nobody(echo: Echo) -> None:
    header = (("authorization", f"Bearer {echo.keys.mint('gateway', 'echo')}"),)
    async with grpc.aio.insecure_channel(echo.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), metadata=header)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
    assert await echo.say("still there") == "still there"


async def test_a_method_nobody_has_is_refused(echo: Echo) -> None:
    async with echo.channel() as channel:
        call = channel.unary_unary("/test.Echo/Shout", Empty.SerializeToString, Empty.FromString)
        assert (await reason(call(Empty()))).reason is Reason.INTERNAL


async def test_an_error_reaches_the_caller_whole(echo: Echo) -> None:
    error = await reason(echo.say("refuse"))
    assert (error.reason, error.message, error.retry_after_seconds, error.metadata) == (
        Reason.RATE_LIMITED,
        "slowly",
        2.5,
        {"a": "b"},
    )


async def test_a_mistake_of_ours_reaches_the_caller_without_its_text(echo: Echo) -> None:
    error = await reason(echo.say("break"))
    assert (error.reason, error.message) == (Reason.INTERNAL, "internal")


async def test_the_deadline_goes_along_a_little_shorter(echo: Echo) -> None:
    with bound(CallContext(deadline=time.monotonic() + 8)):
        await echo.say("hello")
    inner = seen[-1].remaining_seconds()
    assert inner is not None
    assert 6.5 < inner < 7.7
    await echo.say("hello")
    without = seen[-1].remaining_seconds()
    assert without is not None
    assert 8.5 < without < 10.5


async def test_a_call_ends_at_its_deadline_and_the_server_stops_working_on_it(echo: Echo) -> None:
    started = time.monotonic()
    with bound(CallContext(deadline=started + 0.3)):
        assert (await reason(echo.say("sleep"))).reason is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1
    with bound(CallContext(deadline=started)):
        assert (await reason(echo.say("hello"))).reason is Reason.DEADLINE_EXCEEDED


async def test_a_shorter_time_asked_for_by_the_caller_counts(echo: Echo) -> None:
    started = time.monotonic()
    assert (await reason(echo.say("sleep", timeout=0.2))).reason is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1


async def test_a_message_beyond_the_limit_is_an_error_and_no_crash(echo: Echo) -> None:
    for word in ("huge", "x" * 5_000_000):
        assert (await reason(echo.say(word))).reason in {Reason.OVERLOADED, Reason.INTERNAL}
    assert await echo.say("hello") == "hello"


async def test_nobody_listening_is_unavailable_at_once_and_a_late_server_is_found(tmp_path: Path) -> None:
    keys = ServiceKeys([KEY])
    path = f"unix:{tmp_path}/late"
    async with grpc_client.connect(path, issuer="gateway", audience="echo", keys=keys) as channel:
        call = channel.unary_unary(METHOD, StringValue.SerializeToString, StringValue.FromString)
        started = time.monotonic()
        error = await reason(call(StringValue(value="hello")))
        assert (error.reason, error.retry_after_seconds) == (Reason.UNAVAILABLE, 1)
        assert time.monotonic() - started < 2
        server = GrpcServer(service="echo", listen=path, keys=keys, allowed_callers=frozenset({"gateway"}))
        server.add(register, object(), "test.Echo")
        await server.start()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert (await call(StringValue(value="hello"))).value == "hello"
                    break
                except GatepostError:
                    await asyncio.sleep(0.05)
        await server.stop(0)


async def test_what_is_under_way_is_finished_when_the_server_stops(tmp_path: Path) -> None:
    keys = ServiceKeys([KEY])
    gate = asyncio.Event()

    async def wait(request: StringValue, _context: Any) -> StringValue:
        gate.set()
        await asyncio.sleep(0.2)
        return request

    def mount(_servicer: object, target: grpc.aio.Server) -> None:
        handler = grpc.unary_unary_rpc_method_handler(wait, StringValue.FromString, StringValue.SerializeToString)
        target.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Say": handler})])

    path = f"unix:{tmp_path}/ending"
    server = GrpcServer(service="echo", listen=path, keys=keys, allowed_callers=frozenset({"gateway"}))
    server.add(mount, object(), "test.Echo")
    await server.start()
    async with grpc_client.connect(path, issuer="gateway", audience="echo", keys=keys) as channel:
        call = channel.unary_unary(METHOD, StringValue.SerializeToString, StringValue.FromString)
        answer = asyncio.ensure_future(bye(call))
        await gate.wait()
        await server.stop(2)
        assert (await answer).value == "bye"
