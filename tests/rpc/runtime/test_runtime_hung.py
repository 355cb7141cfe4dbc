"""Servers that hang: found out in two seconds, and spared until they answer again; slow ones are left alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from faults.fault_proxy import BLACK_HOLE, LOOPBACK, LOST_ANSWERS, PASS, FaultProxy
from rpc.runtime.echo import EchoRpc, connect, refusal, say, serve, until

from gatepost.runtime.v1 import calls_pb2 as pb
from gatepost.runtime.v1.calls_pb2_grpc import CallServiceServicer, add_CallServiceServicer_to_server
from runtime.errors import GatepostError, Reason

HUNG_SECONDS = 2.5
HUNG_ALONE_SECONDS = 4.0  # without a stream of ours gRPC itself looks after the connection
HEALED_SECONDS = 5.0
AT_ONCE_SECONDS = 0.3
OTHERS_SECONDS = 3.0  # longer than a server may be silent


@asynccontextmanager
async def behind_a_proxy() -> AsyncIterator[tuple[EchoRpc, FaultProxy]]:
    rpc = EchoRpc()
    server = serve(f"{LOOPBACK}:0", rpc)
    await server.start()
    async with FaultProxy((LOOPBACK, server.port)) as proxy:
        yield rpc, proxy
    await server.stop(0)


async def timed_refusal(call: Any) -> float:
    """Await a call that must fail as UNAVAILABLE with a time to come back; return how many seconds it took."""
    started = time.monotonic()
    error = await refusal(call)
    assert (error.reason, error.retry_after_seconds) == (Reason.UNAVAILABLE, 1)
    return time.monotonic() - started


async def healed(channel: grpc.aio.Channel) -> None:
    async with asyncio.timeout(HEALED_SECONDS):
        while True:
            try:
                assert await say(channel, "hello") == "hello"
            except GatepostError:
                await asyncio.sleep(0.02)
            else:
                return


async def test_a_call_that_takes_long_is_no_sign_that_its_server_hangs() -> None:
    async with behind_a_proxy() as (rpc, proxy), connect(f"{LOOPBACK}:{proxy.port}", coalescing=True) as channel:
        slow = asyncio.create_task(say(channel, "wait"))
        await asyncio.sleep(OTHERS_SECONDS)
        rpc.gate.set()
        assert await slow == "wait"


@pytest.mark.parametrize("coalescing", [True, False], ids=["together", "alone"])
async def test_calls_to_a_server_that_hangs_fail_soon_and_then_at_once_until_it_answers(
    coalescing: bool,  # noqa: FBT001 a parameter
) -> None:
    async with (
        behind_a_proxy() as (rpc, proxy),
        connect(f"{LOOPBACK}:{proxy.port}", coalescing=coalescing) as channel,
    ):
        assert await say(channel, "hello") == "hello"
        under_way = asyncio.create_task(timed_refusal(say(channel, "sleep")))
        await until(lambda: len(rpc.seen) == 2)
        await proxy.switch(BLACK_HOLE)
        assert await under_way < (HUNG_SECONDS if coalescing else HUNG_ALONE_SECONDS)
        if not coalescing:  # it has to learn that nobody is there to connect to, either
            await asyncio.sleep(HUNG_SECONDS)
        seconds = [await timed_refusal(say(channel, "hello")) for _ in range(20)]
        # But for one: where gRPC was quicker to give the connection up, it tries for a second to make another.
        assert sorted(seconds)[-2] < AT_ONCE_SECONDS
        await proxy.switch(PASS)
        await healed(channel)


async def test_a_caller_whose_pings_come_all_at_once_is_not_shown_the_door() -> None:
    """As they do after either machine has stood still. The frames are those of RFC 9113."""
    settings, ping, ack = b"\x00\x00\x00\x04" + b"\x00" * 5, b"\x00\x00\x08\x06\x00" + b"\x00" * 4, b"\x01"
    server = serve(f"{LOOPBACK}:0", EchoRpc())
    await server.start()
    reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
    try:
        pings = [ping + bytes([number]) * 8 for number in range(10)]
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + b"".join(pings))
        async with asyncio.timeout(5):
            for each in pings:
                await reader.readuntil(each[:4] + ack + each[5:])
            writer.write(ping + b"later so")
            await reader.readuntil(b"later so")
    finally:
        writer.close()
        await writer.wait_closed()
        await server.stop(0)


async def test_a_call_that_may_have_been_heard_is_not_made_again() -> None:
    async with behind_a_proxy() as (rpc, proxy), connect(f"{LOOPBACK}:{proxy.port}", coalescing=True) as channel:
        assert await say(channel, "hello") == "hello"
        await proxy.switch(LOST_ANSWERS)
        await timed_refusal(say(channel, "wait"))
        await proxy.switch(PASS)
        await healed(channel)
        assert len(rpc.seen) == 3
        assert rpc.given_up == ["wait"]


async def test_while_one_of_two_servers_hangs_the_other_takes_what_is_asked() -> None:
    async with behind_a_proxy() as (early, first), behind_a_proxy() as (late, second):
        target = f"ipv4:{LOOPBACK}:{first.port},{LOOPBACK}:{second.port}"
        async with connect(target, coalescing=True) as channel:
            async with asyncio.timeout(HEALED_SECONDS):
                while not (early.seen and late.seen):
                    await say(channel, "hello")
            ends: list[tuple[float, bool]] = []
            done = asyncio.Event()
            callers = [asyncio.create_task(keep_saying(channel, ends, done)) for _ in range(10)]
            await asyncio.sleep(0.2)
            hung_at = time.monotonic()
            await first.switch(BLACK_HOLE)
            await asyncio.sleep(HUNG_SECONDS + 1)
            await first.switch(PASS)
            await asyncio.sleep(HUNG_SECONDS + 1)
            early.seen.clear()
            await asyncio.sleep(0.5)
            done.set()
            await asyncio.gather(*callers)
        failed = [asked_at for asked_at, well in ends if not well]
        assert len(failed) <= 20
        assert all(asked_at < hung_at + HUNG_SECONDS for asked_at in failed)
        assert early.seen, "it has its share again"


async def keep_saying(channel: grpc.aio.Channel, ends: list[tuple[float, bool]], done: asyncio.Event) -> None:
    """Call without a pause; note when each call was made and whether it was answered."""
    while not done.is_set():
        asked_at = time.monotonic()
        try:
            await say(channel, "nap")
        except GatepostError:
            ends.append((asked_at, False))
        else:
            ends.append((asked_at, True))


class Predecessor(CallServiceServicer):
    """The release before: it greets without a word of pings, answers none, and a call after a while."""

    async def Exchange(self, _requests: Any, context: Any) -> None:  # type: ignore[override]
        await context.write(pb.ExchangeResponse())
        while (request := await context.read()) is not grpc.aio.EOF:
            for call in request.calls:
                await asyncio.sleep(OTHERS_SECONDS)
                await context.write(pb.ExchangeResponse(answers=[pb.Answer(id=call.id, response=call.request)]))


async def test_a_server_of_the_release_before_is_not_taken_for_hung() -> None:
    server = grpc.aio.server()
    add_CallServiceServicer_to_server(Predecessor(), server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    async with connect(f"{LOOPBACK}:{port}", coalescing=True) as channel:
        assert await say(channel, "hello") == "hello"
    await server.stop(0)
