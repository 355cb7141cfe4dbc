"""Calls that go together on a stream: nobody is delayed, nothing is lost when streams, connections or servers end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import grpc
import jwt
import pytest
from faults.fault_proxy import FaultProxy, latency
from free_ports import free_port
from google.protobuf.wrappers_pb2 import StringValue
from prometheus_client import REGISTRY
from rpc.runtime.echo import KEY, METHOD, EchoRpc, connect, refusal, say, serve, until

from gatepost.runtime.v1 import calls_pb2 as pb
from gatepost.runtime.v1.calls_pb2_grpc import CallServiceStub
from runtime import dispatch
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.grpc_server import GrpcServer


@asynccontextmanager
async def running(listen: str, **settings: Any) -> AsyncIterator[tuple[GrpcServer, EchoRpc]]:
    rpc = EchoRpc()
    server = serve(listen, rpc, **settings)
    await server.start()
    try:
        yield server, rpc
    finally:
        await server.stop(0)


class Wire:
    """A connection between a channel and a server, which can be clogged and cut."""

    def __init__(self, folder: Path) -> None:
        self.listen, self.target = f"unix:{folder}/there", f"unix:{folder}/here"
        self._here, self._there = f"{folder}/here", f"{folder}/there"
        self._open = asyncio.Event()
        self._open.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self._here)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        while self._lines:
            self.cut()
            await asyncio.wait(self._lines, timeout=0.05)

    def clog(self) -> None:
        """Let nothing through any more."""
        self._open.clear()

    def cut(self) -> None:
        """Break what is connected; the next connection is fine."""
        self._open.set()
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.get_running_loop().create_task(self._pass(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._there)
        except OSError:  # it has stopped
            writer.close()
            return
        self._writers += [writer, far_writer]
        try:
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        except OSError:
            return
        finally:
            writer.close()
            far_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()


class Flow:
    """Calls without a pause, by several callers at once."""

    def __init__(self, channel: grpc.aio.Channel, callers: int = 20) -> None:
        self.answered = 0
        self.failed: list[GatepostError] = []
        self._channel = channel
        self._callers = callers

    async def __aenter__(self) -> Self:
        self._going = True
        self._tasks = [asyncio.create_task(self._call()) for _ in range(self._callers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)

    async def _call(self) -> None:
        while self._going:
            try:
                await say(self._channel, "nap")
            except GatepostError as exc:
                self.failed.append(exc)
            else:
                self.answered += 1


def call(ident: int, word: str, **fields: Any) -> pb.Call:
    """Return a call as a foreign client could send it."""
    made = pb.Call(id=ident, method=METHOD, request=StringValue(value=word).SerializeToString(), timeout_ms=5000)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


@asynccontextmanager
async def exchange(target: str) -> AsyncIterator[Any]:
    """Open a stream without the channel."""
    metadata = (("authorization", f"Bearer {ServiceKeys([KEY]).mint('gateway', 'echo')}"),)
    async with grpc.aio.insecure_channel(target) as channel:
        stream = CallServiceStub(channel).Exchange(metadata=metadata)
        yield stream
        stream.cancel()


async def answers_of(stream: Any, number: int) -> list[pb.ExchangeResponse]:
    messages: list[pb.ExchangeResponse] = []
    async with asyncio.timeout(5):
        while sum(len(message.answers) for message in messages) < number:
            messages.append(await stream.read())
    return [message for message in messages if message.answers]


async def test_what_is_done_at_the_same_time_is_answered_together(tmp_path: Path) -> None:
    async with running(f"unix:{tmp_path}/s") as (server, rpc), exchange(f"unix:{tmp_path}/s") as stream:
        del server
        await stream.write(pb.ExchangeRequest(calls=[call(number, "wait") for number in range(50)]))
        await until(lambda: len(rpc.seen) == 50)
        rpc.gate.set()
        (message,) = await answers_of(stream, 50)
        assert sorted(answer.id for answer in message.answers) == list(range(50))


async def test_the_server_keeps_the_deadline_of_each_call(tmp_path: Path) -> None:
    async with running(f"unix:{tmp_path}/s") as (_, rpc), exchange(f"unix:{tmp_path}/s") as stream:
        calls = [call(1, "sleep", timeout_ms=200), call(2, "sleep"), call(3, "hello", timeout_ms=200)]
        await stream.write(pb.ExchangeRequest(calls=calls))
        messages = await answers_of(stream, 2)
        assert [(answer.id, answer.code) for message in messages for answer in message.answers] == [
            (3, 0),
            (1, grpc.StatusCode.DEADLINE_EXCEEDED.value[0]),
        ]
        await until(lambda: rpc.given_up == ["sleep"])


async def test_a_method_nobody_has_is_unimplemented_and_a_streaming_one_too(tmp_path: Path) -> None:
    async with running(f"unix:{tmp_path}/s"), exchange(f"unix:{tmp_path}/s") as stream:
        methods = ("/test.Echo/Shout", "nonsense", "", "/gatepost.runtime.v1.CallService/Exchange")
        calls = [call(number, "hello", method=method) for number, method in enumerate(methods)]
        await stream.write(pb.ExchangeRequest(calls=calls))
        messages = await answers_of(stream, len(methods))
        codes = {answer.code for message in messages for answer in message.answers}
        assert codes == {grpc.StatusCode.UNIMPLEMENTED.value[0]}


async def test_a_request_that_is_no_message_fails_alone(tmp_path: Path) -> None:
    async with running(f"unix:{tmp_path}/s"), exchange(f"unix:{tmp_path}/s") as stream:
        await stream.write(pb.ExchangeRequest(calls=[call(1, "", request=b"\xff\xff"), call(2, "hello")]))
        messages = await answers_of(stream, 2)
        codes = {answer.id: answer.code for message in messages for answer in message.answers}
        assert codes == {1: grpc.StatusCode.INTERNAL.value[0], 2: 0}


async def test_a_stream_without_a_credential_is_refused(tmp_path: Path) -> None:
    async with running(f"unix:{tmp_path}/s"), grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        stream = CallServiceStub(channel).Exchange()
        assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_who_leaves_takes_all_his_calls_along(tmp_path: Path) -> None:
    async with running(f"unix:{tmp_path}/s") as (_, rpc):
        async with exchange(f"unix:{tmp_path}/s") as stream:
            await stream.write(pb.ExchangeRequest(calls=[call(1, "sleep"), call(2, "wait")]))
            await until(lambda: len(rpc.seen) == 2)
        await until(lambda: sorted(rpc.given_up) == ["sleep", "wait"])


async def test_a_slow_call_delays_no_other(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/s"
    async with running(path) as (_, rpc), connect(path, coalescing=True) as channel:
        slow = [asyncio.create_task(say(channel, "wait")) for _ in range(10)]
        started = time.monotonic()
        for _ in range(50):
            assert await say(channel, "hello") == "hello"
        assert time.monotonic() - started < 1
        rpc.gate.set()
        assert await asyncio.gather(*slow) == ["wait"] * 10


async def test_more_calls_than_a_server_bears_are_refused_and_the_others_answered(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/s"
    async with running(path) as (_, rpc), connect(path, coalescing=True) as channel:
        calls = [asyncio.create_task(say(channel, "wait")) for _ in range(dispatch.MOST_AT_WORK)]
        await until(lambda: len(rpc.seen) == dispatch.MOST_AT_WORK)
        error = await refusal(say(channel, "hello"))
        assert (error.reason, error.retry_after_seconds) == (Reason.OVERLOADED, 1)
        rpc.gate.set()
        assert set(await asyncio.gather(*calls)) == {"wait"}
        assert await say(channel, "hello") == "hello"


async def test_many_large_requests_and_answers_fit_into_messages(tmp_path: Path) -> None:
    path, word = f"unix:{tmp_path}/s", "x" * 32_000
    async with running(path), connect(path, coalescing=True) as channel:
        answers = await asyncio.gather(*(say(channel, f"{number}{word}") for number in range(400)))
        assert answers == [f"{number}{word}" for number in range(400)]


async def test_streams_that_are_renewed_all_the_time_lose_nothing(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/s"
    async with (
        running(path, stream_seconds=0.03) as (_, rpc),
        connect(path, coalescing=True) as channel,
        Flow(channel) as flow,
    ):
        await asyncio.sleep(1)  # thirty streams
    assert flow.failed == []
    assert flow.answered == len(rpc.seen) > 0


async def test_a_server_that_stops_under_constant_flow_loses_nothing_when_there_is_another(tmp_path: Path) -> None:
    async with running("127.0.0.1:0") as (first, early), running("127.0.0.1:0") as (second, late):
        target = f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}"
        async with connect(target, coalescing=True) as channel, Flow(channel) as flow:
            await until(lambda: early.seen and late.seen)
            await asyncio.sleep(0.3)
            await first.stop(5)
            until_then = len(early.seen)
            await asyncio.sleep(0.3)
    assert flow.failed == []
    assert len(early.seen) == until_then
    assert flow.answered == len(early.seen) + len(late.seen)


async def test_the_first_calls_of_a_channel_find_the_server_that_is_there(tmp_path: Path) -> None:
    async with running("127.0.0.1:0") as (server, _):
        nobody = f"127.0.0.1:{free_port()}"
        for target in (f"ipv4:{nobody},127.0.0.1:{server.port}", f"ipv4:127.0.0.1:{server.port},{nobody}"):
            async with connect(target, coalescing=True) as channel:
                assert await asyncio.gather(*(say(channel, "hello") for _ in range(3))) == ["hello"] * 3


async def test_the_first_calls_wait_for_a_server_that_is_slow_to_connect_to(tmp_path: Path) -> None:
    async with running("127.0.0.1:0") as (server, _), FaultProxy(("127.0.0.1", server.port)) as slow:
        await slow.switch(latency(0.1))
        async with connect(f"ipv4:127.0.0.1:{free_port()},127.0.0.1:{slow.port}", coalescing=True) as channel:
            assert await asyncio.gather(*(say(channel, "hello") for _ in range(6))) == ["hello"] * 6


async def test_two_servers_share_the_calls(tmp_path: Path) -> None:
    settings = {"stream_seconds": 0.5}
    async with (
        running("127.0.0.1:0", **settings) as (first, here),
        running("127.0.0.1:0", **settings) as (second, there),
    ):
        target = f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}"
        async with connect(target, coalescing=True) as channel:
            await say(channel, "hello")
            async with Flow(channel):
                await asyncio.sleep(2)
    shares = Counter(here=len(here.seen), there=len(there.seen))
    assert min(shares.values()) > 0.3 * shares.total()


async def test_a_broken_connection_fails_what_is_under_way_and_the_next_call_is_answered(tmp_path: Path) -> None:
    async with (
        Wire(tmp_path) as wire,
        running(wire.listen) as (_, rpc),
        connect(wire.target, coalescing=True) as channel,
    ):
        calls = [asyncio.create_task(say(channel, "sleep")) for _ in range(5)]
        await until(lambda: len(rpc.seen) == 5)
        wire.cut()
        for each in calls:
            error = await refusal(each)
            assert (error.reason, error.retry_after_seconds) == (Reason.UNAVAILABLE, 1)
        await until(lambda: rpc.given_up == ["sleep"] * 5)
        await answered_soon(channel)


async def test_what_had_not_gone_out_when_the_connection_broke_goes_out_on_the_next(tmp_path: Path) -> None:
    async with (
        Wire(tmp_path) as wire,
        running(wire.listen) as (_, rpc),
        connect(wire.target, coalescing=True) as channel,
    ):
        assert await say(channel, "hello") == "hello"
        wire.clog()
        words = [f"{number}" + "x" * 30_000 for number in range(100)]  # more than sockets and windows hold
        calls = [asyncio.create_task(say(channel, word)) for word in words]
        await asyncio.sleep(0.3)
        rpc.seen.clear()
        wire.cut()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    lost = [end for end in ends if isinstance(end, GatepostError)]
    assert {error.reason for error in lost} == {Reason.UNAVAILABLE}
    assert 0 < len(lost) < 50
    assert [end for end in ends if not isinstance(end, GatepostError)] == words[len(lost) :]


async def test_who_waits_behind_a_clogged_connection_waits_no_longer_than_he_said(tmp_path: Path) -> None:
    async with Wire(tmp_path) as wire, running(wire.listen), connect(wire.target, coalescing=True) as channel:
        assert await say(channel, "hello") == "hello"
        wire.clog()
        started = time.monotonic()
        calls = [asyncio.create_task(say(channel, "x" * 30_000, timeout=0.3)) for _ in range(50)]
        for each in calls:
            assert (await refusal(each)).reason is Reason.DEADLINE_EXCEEDED
        assert time.monotonic() - started < 5


async def test_a_channel_that_is_closed_leaves_nobody_waiting(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/s"
    async with running(path) as (_, rpc):
        async with connect(path, coalescing=True) as channel:
            waiting = asyncio.create_task(say(channel, "sleep"))
            await until(lambda: rpc.seen)
        assert (await refusal(waiting)).reason is Reason.UNAVAILABLE
        await until(lambda: rpc.given_up == ["sleep"])


async def test_a_credential_that_is_refused_once_is_not_refused_for_good(tmp_path: Path) -> None:
    path, keys = f"unix:{tmp_path}/s", ServiceKeys([KEY])
    stale = jwt.encode({"iss": "gateway", "aud": "echo", "exp": int(time.time()) - 1}, KEY, algorithm="HS256")
    keys._minted["gateway", "echo"] = (time.time() + 600, stale)
    async with running(path), connect(path, coalescing=True, keys=keys) as channel:
        for _ in range(2):
            assert (await refusal(say(channel, "hello"))).reason is Reason.CALLER_REFUSED
        keys._minted.clear()
        assert await say(channel, "hello") == "hello"


async def test_a_key_that_is_no_longer_accepted_is_refused_when_the_stream_is_renewed(tmp_path: Path) -> None:
    path, keys = f"unix:{tmp_path}/s", ServiceKeys([KEY])
    async with running(path, keys=keys, stream_seconds=0.2), connect(path, coalescing=True) as channel:
        assert await say(channel, "hello") == "hello"
        keys._keys = ["another-key-of-the-tests-alone-of-42-letters"]
        keys._verified.clear()
        await asyncio.sleep(0.5)
        assert (await refusal(say(channel, "hello"))).reason is Reason.CALLER_REFUSED


@pytest.mark.parametrize("word", ["hello", "x" * 100_000], ids=["small", "large"])
async def test_calls_are_measured_each_under_its_own_name(tmp_path: Path, word: str) -> None:
    path = f"unix:{tmp_path}/s"
    before = measured()
    async with running(path), connect(path, coalescing=True) as channel:
        await asyncio.gather(*(say(channel, word) for _ in range(3)))
    assert measured() - before == {METHOD: 3}


def measured() -> Counter[str]:
    """Return how many calls were measured, by method."""
    counts: Counter[str] = Counter()
    for family in REGISTRY.collect():
        if family.name == "gatepost_rpc_seconds":
            for sample in family.samples:
                if sample.name.endswith("_count"):
                    counts[sample.labels["method"]] += int(sample.value)
    return counts


async def answered_soon(channel: grpc.aio.Channel) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                assert await say(channel, "hello") == "hello"
            except GatepostError:
                await asyncio.sleep(0.05)
            else:
                return
