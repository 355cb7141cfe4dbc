"""The target `inprocess:…`: a server of the same process, found while it serves."""

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from rpc.runtime.echo import EchoRpc, connect, refusal, say, serve

from runtime.context import service_at_work
from runtime.errors import Reason


def near(issuer: str = "gateway") -> grpc.aio.Channel:
    return connect("inprocess:echo", issuer=issuer, coalescing=True)


class NamedRpc(EchoRpc):
    """Answers with the service that is at work."""

    async def _answer(self, _request: StringValue) -> StringValue:
        return StringValue(value=service_at_work())


async def test_a_server_is_found_while_it_serves_and_only_then() -> None:
    channel = near()
    server = serve("127.0.0.1:0", EchoRpc())
    assert (await refusal(say(channel, "hello"))).reason is Reason.UNAVAILABLE
    await server.start()
    assert await say(channel, "hello") == "hello"
    await server.stop(0)
    assert (await refusal(say(channel, "hello"))).reason is Reason.UNAVAILABLE


async def test_a_call_under_way_outlasts_the_server() -> None:
    rpc = EchoRpc()
    server = serve("127.0.0.1:0", rpc)
    await server.start()
    under_way = asyncio.create_task(say(near(), "wait"))
    await asyncio.sleep(0)
    await server.stop(0)
    rpc.gate.set()
    assert await under_way == "wait"


async def test_a_server_says_within_the_process_that_it_is_healthy() -> None:
    server = serve("127.0.0.1:0", EchoRpc())
    await server.start()
    answer = await HealthStub(near()).Check(HealthCheckRequest())
    assert answer.status == HealthCheckResponse.SERVING
    await server.stop(0)


async def test_who_may_not_call_over_a_network_may_not_call_within_the_process() -> None:
    server = serve("127.0.0.1:0", EchoRpc())
    await server.start()
    assert (await refusal(say(near("stranger"), "hello"))).reason is Reason.CALLER_REFUSED
    await server.stop(0)


async def test_the_called_service_is_the_one_at_work_for_as_long_as_the_call() -> None:
    server = serve("127.0.0.1:0", NamedRpc())
    await server.start()
    before = service_at_work()
    assert await say(near(), "who") == "echo"
    assert service_at_work() == before
    await server.stop(0)


@pytest.mark.parametrize("coalescing", [False, True])
async def test_a_process_that_serves_nothing_is_no_server(coalescing: bool) -> None:  # noqa: FBT001 a parameter
    assert (await refusal(say(connect("inprocess:nobody", coalescing=coalescing), "x"))).reason is Reason.UNAVAILABLE
