"""The gRPC server and client of the runtime: who may call, deadlines, errors, what fails when nobody listens.

Everything holds whether calls go each for itself or together.
"""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from rpc.runtime.conftest import Echo
from rpc.runtime.echo import KEY, METHOD, RESTRICTED, EchoRpc, connect, refusal, say, serve, until

from runtime.context import CallContext, bound, current
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason, Rule, Violation


async def test_an_allowed_caller_is_answered_and_known(echo: Echo) -> None:
    said = CallContext(
        request_id="r-1", client_address="203.0.113.7", user_agent="Löwe/1 %", language="de", dialect="ihopr"
    )
    with bound(said):
        assert await echo.say("hello") == "hello"
    seen = echo.rpc.seen[-1]
    assert (seen.caller, seen.request_id, seen.client_address) == ("gateway", "r-1", "203.0.113.7")
    assert (seen.user_agent, seen.language, seen.dialect, seen.work) == ("Löwe/1 %", "de", "ihopr", METHOD)


@pytest.mark.parametrize(
    ("issuer", "audience", "key"),
    [("gateway", "other-service", KEY), ("stranger", "echo", KEY), ("gateway", "echo", "x" * 40)],
    ids=["wrong-audience", "caller-not-allowed", "foreign-key"],
)
async def test_anybody_else_is_refused(echo: Echo, issuer: str, audience: str, key: str) -> None:
    before = len(echo.rpc.seen)
    error = await refusal(echo.say("hello", echo.channel(issuer, audience, key)))
    assert error.reason is Reason.CALLER_REFUSED
    assert len(echo.rpc.seen) == before


async def test_a_service_that_is_for_one_caller_answers_no_other(echo: Echo) -> None:
    assert await echo.say("hello", echo.channel("cli"), method=RESTRICTED) == "hello"
    error = await refusal(echo.say("hello", method=RESTRICTED))
    assert (error.reason, error.message) == (Reason.CALLER_REFUSED, "gateway may not call echo")


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
    header = (("authorization", f"bearer {ServiceKeys([KEY]).mint('gateway', 'echo')}"),)
    async with grpc.aio.insecure_channel(echo.target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        answers = [answer async for answer in stub.ServerReflectionInfo(requests, metadata=header)]
        names = {service.name for service in answers[0].list_services_response.service}
        assert names == {
            "test.Echo",
            "test.Restricted",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="test.Echo"), metadata=header)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_watcher_that_leaves_troubles_nobody(echo: Echo) -> None:
    header = (("authorization", f"Bearer {ServiceKeys([KEY]).mint('gateway', 'echo')}"),)
    async with grpc.aio.insecure_channel(echo.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), metadata=header)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
    assert await echo.say("still there") == "still there"


async def test_health_is_asked_for_on_the_same_channel(echo: Echo) -> None:
    async with echo.channel() as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_method_nobody_has_is_refused(echo: Echo) -> None:
    async with echo.channel() as channel:
        for name in ("/test.Echo/Shout", "/test.Nobody/Say"):
            call = channel.unary_unary(name, Empty.SerializeToString, Empty.FromString)
            assert (await refusal(call(Empty()))).reason is Reason.INTERNAL


async def test_an_error_reaches_the_caller_whole(echo: Echo) -> None:
    error = await refusal(echo.say("refuse"))
    assert (error.reason, error.message, error.retry_after_seconds, error.metadata, error.violations) == (
        Reason.RATE_LIMITED,
        "slowly",
        2.5,
        {"a": "b", "mode": "old"},
        (Violation("email", Rule.TAKEN, "It is taken."),),
    )


async def test_a_mistake_of_ours_reaches_the_caller_without_its_text(echo: Echo) -> None:
    error = await refusal(echo.say("break"))
    assert (error.reason, error.message) == (Reason.INTERNAL, "internal")


async def test_the_deadline_goes_along_a_little_shorter(echo: Echo) -> None:
    with bound(CallContext(deadline=time.monotonic() + 8)):
        await echo.say("hello")
    inner = echo.rpc.seen[-1].remaining_seconds()
    assert inner is not None
    assert 6.5 < inner < 7.7
    await echo.say("hello")
    without = echo.rpc.seen[-1].remaining_seconds()
    assert without is not None
    assert 8.5 < without < 10.5


async def test_each_hop_has_less_time_than_the_one_before(echo: Echo, tmp_path: Path) -> None:
    class Between(EchoRpc):
        async def say(self, request: StringValue, _context: Any) -> StringValue:
            self.seen.append(current())
            return StringValue(value=await echo.say(request.value))

    between = Between()
    server = serve(f"unix:{tmp_path}/between", between)
    await server.start()
    async with connect(f"unix:{tmp_path}/between", coalescing=echo._coalescing) as channel:
        with bound(CallContext(deadline=time.monotonic() + 8)):
            assert await say(channel, "hello") == "hello"
            own = current().deadline
    await server.stop(0)
    deadlines = [deadline for deadline in (own, between.seen[-1].deadline, echo.rpc.seen[-1].deadline) if deadline]
    assert [0.2 < before - after < 1 for before, after in pairwise(deadlines)] == [True, True]


async def test_a_call_ends_at_its_deadline_and_the_server_stops_working_on_it(echo: Echo) -> None:
    started = time.monotonic()
    with bound(CallContext(deadline=started + 0.3)):
        assert (await refusal(echo.say("sleep too long"))).reason is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1
    with bound(CallContext(deadline=started)):
        assert (await refusal(echo.say("hello"))).reason is Reason.DEADLINE_EXCEEDED
    await until(lambda: "sleep too long" in echo.rpc.given_up)


async def test_a_shorter_time_asked_for_by_the_caller_counts(echo: Echo) -> None:
    started = time.monotonic()
    assert (await refusal(echo.say("sleep", timeout=0.2))).reason is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1


async def test_a_caller_who_leaves_takes_his_call_along_and_no_other(echo: Echo) -> None:
    echo.rpc.seen.clear()
    async with echo.channel() as channel:
        leaving = asyncio.create_task(say(channel, "sleep until I leave"))
        staying = asyncio.create_task(say(channel, "wait"))
        await until(lambda: len(echo.rpc.seen) == 2)
        leaving.cancel()
        echo.rpc.gate.set()
        assert await staying == "wait"
        await until(lambda: "sleep until I leave" in echo.rpc.given_up)
        assert await say(channel, "hello") == "hello"


async def test_a_message_beyond_the_limit_is_an_error_and_no_crash(echo: Echo) -> None:
    async with echo.channel() as channel:
        for word in ("huge", "x" * 5_000_000):
            assert (await refusal(say(channel, word))).reason in {Reason.OVERLOADED, Reason.INTERNAL}
            assert await say(channel, "hello") == "hello"


async def test_a_message_as_large_as_a_picture_goes_there_and_back(echo: Echo) -> None:
    assert len(await echo.say("x" * 3_000_000)) == 3_000_000


async def test_nobody_listening_is_unavailable_at_once_and_a_late_server_is_found(
    tmp_path: Path,
    coalescing: bool,  # noqa: FBT001 a fixture
) -> None:
    path = f"unix:{tmp_path}/late"
    async with connect(path, coalescing=coalescing) as channel:
        started = time.monotonic()
        error = await refusal(say(channel, "hello"))
        assert (error.reason, error.retry_after_seconds) == (Reason.UNAVAILABLE, 1)
        assert time.monotonic() - started < 2
        server = serve(path, EchoRpc())
        await server.start()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await say(channel, "hello") == "hello"
                    break
                except GatepostError:
                    await asyncio.sleep(0.05)
        await server.stop(0)


async def test_what_is_under_way_is_finished_when_the_server_stops(
    tmp_path: Path,
    coalescing: bool,  # noqa: FBT001 a fixture
) -> None:
    path, rpc = f"unix:{tmp_path}/ending", EchoRpc()
    server = serve(path, rpc)
    await server.start()
    async with connect(path, coalescing=coalescing) as channel:
        answer = asyncio.create_task(say(channel, "wait"))
        await until(lambda: rpc.seen)
        asyncio.get_running_loop().call_later(0.3, rpc.gate.set)
        await server.stop(2)
        assert await answer == "wait"


async def test_what_is_not_finished_in_the_grace_is_unavailable_or_internal(
    tmp_path: Path,
    coalescing: bool,  # noqa: FBT001 a fixture
) -> None:
    path, rpc = f"unix:{tmp_path}/cut", EchoRpc()
    server = serve(path, rpc)
    await server.start()
    async with connect(path, coalescing=coalescing) as channel:
        answer = asyncio.create_task(say(channel, "sleep"))
        await until(lambda: rpc.seen)
        await server.stop(0.2)
        assert (await refusal(answer)).reason in {Reason.UNAVAILABLE, Reason.INTERNAL}
        assert rpc.given_up == ["sleep"]
