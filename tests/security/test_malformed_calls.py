"""A stream of calls that breaks every rule of CallService: at worst the stream ends, the server goes on as before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st
from rpc.runtime.echo import KEY, METHOD, EchoRpc, connect, say, serve
from security.fuzzing import fuzzed

from gatepost.runtime.v1 import calls_pb2 as pb
from runtime.credentials import ServiceKeys

EXCHANGE = "/gatepost.runtime.v1.CallService/Exchange"
SECONDS = 10.0
GOOD = StringValue(value="hello").SerializeToString()
methods = st.sampled_from([METHOD, EXCHANGE, "/", "", "//", "/a/b/c", "/grpc.health.v1.Health/Check", METHOD + "\0"])
calls = st.builds(
    pb.Call,
    id=st.integers(0, 3) | st.integers(0, 2**64 - 1),
    method=methods | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    request=st.just(GOOD) | st.binary(max_size=20),
    timeout_ms=st.sampled_from([0, 1, 50, 2**32 - 1]),
    client_address=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    user_agent=st.just("a" * 3000) | st.just(""),
)
messages = st.builds(
    lambda made, cancelled: pb.ExchangeRequest(calls=made, cancelled_ids=cancelled).SerializeToString(),
    st.lists(calls, max_size=4),
    st.lists(st.integers(0, 4), max_size=4),
) | st.binary(max_size=30)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target() -> AsyncIterator[str]:
    server = serve("127.0.0.1:0", EchoRpc())
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)


@pytest.fixture(scope="module")
def exchange(target: str) -> Callable[..., Any]:
    """Return what opens streams on which anything can be written."""
    metadata = ServiceKeys([KEY]).metadata("gateway", "echo")

    async def send(written: list[bytes]) -> list[pb.ExchangeResponse]:
        found: list[pb.ExchangeResponse] = []
        async with grpc.aio.insecure_channel(target) as channel:
            stream: Any = channel.stream_stream(EXCHANGE)(metadata=metadata, timeout=SECONDS)
            try:
                for message in written:
                    await stream.write(message)
                await stream.done_writing()
                found += [pb.ExchangeResponse.FromString(message) async for message in stream]
            except (grpc.aio.AioRpcError, grpc.aio.BaseError):
                pass
        return found

    return send


@fuzzed(40)
@given(st.lists(messages, max_size=5))
async def test_whatever_is_written_on_a_stream_the_server_goes_on(
    target: str, exchange: Callable[..., Any], written: list[bytes]
) -> None:
    for message in await exchange(written):
        for answer in message.answers:
            assert answer.code <= grpc.StatusCode.UNAUTHENTICATED.value[0]
    async with connect(f"ipv4:{target}", coalescing=True) as channel:
        assert await say(channel, "hello") == "hello"


async def test_thousands_of_calls_in_a_message_are_each_answered_or_refused(exchange: Callable[..., Any]) -> None:
    many = [pb.Call(id=number, method=METHOD, request=GOOD, timeout_ms=5000) for number in range(1, 5001)]
    found = await exchange([pb.ExchangeRequest(calls=many).SerializeToString()])
    answers = [answer for message in found for answer in message.answers]
    assert sorted(answer.id for answer in answers) == list(range(1, 5001))
    assert {answer.code for answer in answers} <= {0, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]}


async def test_an_id_that_is_used_twice_is_answered_twice_and_leaves_nothing(
    target: str, exchange: Callable[..., Any]
) -> None:
    call = pb.Call(id=1, method=METHOD, request=GOOD, timeout_ms=1000)
    found = await exchange([pb.ExchangeRequest(calls=[call, call], cancelled_ids=[7]).SerializeToString()] * 3)
    answers = [answer for message in found for answer in message.answers]
    assert {answer.id for answer in answers} == {1}
    assert len(answers) == 6
    async with connect(f"ipv4:{target}", coalescing=True) as channel:
        assert await say(channel, "hello") == "hello"


async def test_what_is_no_message_ends_the_stream_at_once_and_says_why(target: str) -> None:
    metadata = ServiceKeys([KEY]).metadata("gateway", "echo")
    good = pb.Call(id=1, method=METHOD, request=StringValue(value="sleep").SerializeToString(), timeout_ms=30_000)
    for before in ([], [pb.ExchangeRequest(calls=[good]).SerializeToString()]):
        async with grpc.aio.insecure_channel(target) as channel:
            stream: Any = channel.stream_stream(EXCHANGE)(metadata=metadata, timeout=SECONDS)
            for message in (*before, b"\xff\xff\xff"):
                await stream.write(message)
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await asyncio.wait_for(to_the_end(stream), SECONDS / 2)
            assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def to_the_end(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass
