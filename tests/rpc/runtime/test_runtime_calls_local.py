"""A channel within the process: what caller and servicer see is what they see over gRPC."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from rpc.runtime.echo import METHOD, RESTRICTED, EchoRpc, refusal, say

from runtime.calls_local import LocalChannel
from runtime.context import CallContext, bound, current
from runtime.dispatch import MOST_AT_WORK, Dispatcher
from runtime.errors import Reason, Rule, Violation

COUNT = "/test.Streams/Count"
TALK = "/test.Streams/Talk"


async def count(request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
    """Count up; each number comes with what its call is known by."""
    for number in range(int(request.value)):
        await asyncio.sleep(0)
        yield StringValue(value=f"{number} {current().work}")
    if request.value == "0":
        raise KeyError("secret canary")


async def talk(requests: AsyncIterator[StringValue], _context: Any) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield StringValue(value=request.value.upper())


def register_streams(_servicer: object, server: Any) -> None:
    coders = (StringValue.FromString, StringValue.SerializeToString)
    handlers = {
        "Count": grpc.unary_stream_rpc_method_handler(count, *coders),
        "Talk": grpc.stream_stream_rpc_method_handler(talk, *coders),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Streams", handlers)])


@pytest.fixture
def rpc() -> EchoRpc:
    return EchoRpc()


@pytest.fixture
def dispatcher(rpc: EchoRpc) -> Dispatcher:
    made = Dispatcher("echo", frozenset({"gateway", "cli"}))
    made.add(rpc.register, rpc, "test.Echo")
    made.add(rpc.register_restricted, rpc, "test.Restricted", callers=frozenset({"cli"}))
    made.add(register_streams, object(), "test.Streams")
    return made


@pytest.fixture
def channel(dispatcher: Dispatcher) -> LocalChannel:
    return LocalChannel(lambda: dispatcher, "gateway")


async def test_a_call_is_answered_in_a_context_of_its_own(channel: LocalChannel, rpc: EchoRpc) -> None:
    outer = CallContext(request_id="r-1", client_address="203.0.113.7", user_agent="Löwe/1", language="de", dialect="x")
    with bound(outer):
        assert await say(channel, "hello") == "hello"
        assert current() is outer
    seen = rpc.seen[-1]
    assert (seen.caller, seen.request_id, seen.client_address) == ("gateway", "r-1", "203.0.113.7")
    assert (seen.user_agent, seen.language, seen.dialect, seen.work) == ("Löwe/1", "de", "x", METHOD)


async def test_messages_are_copies(channel: LocalChannel) -> None:
    request = StringValue(value="mine")
    call = channel.unary_unary(METHOD, StringValue.SerializeToString, StringValue.FromString)
    answer = await call(request)
    answer.value = "changed"
    assert request.value == "mine"


async def test_who_may_call_what_is_checked(dispatcher: Dispatcher) -> None:
    assert (await refusal(say(LocalChannel(lambda: dispatcher, "stranger"), "hello"))).reason is Reason.CALLER_REFUSED
    assert (await refusal(say(LocalChannel(lambda: dispatcher, ""), "hello"))).reason is Reason.CALLER_REFUSED
    gateway, cli = LocalChannel(lambda: dispatcher, "gateway"), LocalChannel(lambda: dispatcher, "cli")
    assert (await refusal(say(gateway, "hello", RESTRICTED))).reason is Reason.CALLER_REFUSED
    assert await say(cli, "hello", RESTRICTED) == "hello"


async def test_an_error_reaches_the_caller_whole(channel: LocalChannel) -> None:
    error = await refusal(say(channel, "refuse"))
    assert (error.reason, error.message, error.retry_after_seconds, error.metadata, error.violations) == (
        Reason.RATE_LIMITED,
        "slowly",
        2.5,
        {"a": "b", "mode": "old"},
        (Violation("email", Rule.TAKEN, "It is taken."),),
    )
    assert not current().error_metadata


async def test_a_mistake_of_ours_reaches_the_caller_without_its_text(channel: LocalChannel) -> None:
    error = await refusal(say(channel, "break"))
    assert (error.reason, error.message) == (Reason.INTERNAL, "internal")


async def test_a_method_nobody_has_is_refused(channel: LocalChannel) -> None:
    assert (await refusal(say(channel, "hello", "/test.Echo/Shout"))).reason is Reason.INTERNAL


async def test_the_deadline_goes_along_and_ends_the_call(channel: LocalChannel, rpc: EchoRpc) -> None:
    started = time.monotonic()
    with bound(CallContext(deadline=started + 0.2)):
        assert (await refusal(say(channel, "sleep"))).reason is Reason.DEADLINE_EXCEEDED
    assert (await refusal(say(channel, "sleep", timeout=0.1))).reason is Reason.DEADLINE_EXCEEDED
    with bound(CallContext(deadline=started)):
        assert (await refusal(say(channel, "hello"))).reason is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1
    assert rpc.given_up == ["sleep", "sleep"]


async def test_a_caller_who_leaves_takes_his_call_along(channel: LocalChannel, rpc: EchoRpc) -> None:
    leaving = asyncio.create_task(say(channel, "sleep"))
    await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert rpc.given_up == ["sleep"]


async def test_more_calls_than_a_server_bears_are_refused(channel: LocalChannel, rpc: EchoRpc) -> None:
    calls = [asyncio.create_task(say(channel, "wait")) for _ in range(MOST_AT_WORK)]
    await asyncio.sleep(0.1)
    assert (await refusal(say(channel, "hello"))).reason is Reason.OVERLOADED
    rpc.gate.set()
    assert set(await asyncio.gather(*calls)) == {"wait"}


async def test_a_method_may_stream_and_leaves_the_context_of_the_reader_alone(channel: LocalChannel) -> None:
    call = channel.unary_stream(COUNT, StringValue.SerializeToString, StringValue.FromString)
    outer, told = CallContext(work="reading"), []
    with bound(outer):
        async for message in call(StringValue(value="3")):
            assert current() is outer
            told.append(message.value)
    assert told == [f"{number} {COUNT}" for number in range(3)]
    error = await refusal(anext(call(StringValue(value="0"))))
    assert (error.reason, error.message) == (Reason.INTERNAL, "internal")


async def test_a_conversation_goes_on_until_it_is_ended(channel: LocalChannel) -> None:
    conversation = channel.stream_stream(TALK, StringValue.SerializeToString, StringValue.FromString)()
    for word in ("one", "two"):
        await conversation.write(StringValue(value=word))
        assert (await conversation.read()).value == word.upper()
    conversation.cancel()
    assert await conversation.read() is grpc.aio.EOF
