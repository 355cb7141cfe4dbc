"""Clients that keep a gateway waiting: with a head, a body, or with reading their answer; and too many at once.

None of them keeps anybody else waiting, and each is let go after its time.
"""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import monotonic

import pytest
from dialects.local_gateway import LocalGateway, local_gateway
from security.raw_http import get, say
from unit.gateway.toy import toy

from gateway.call import Call
from gateway.dialect import Route
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.reply import Reply

CROWD = 300
_SERVED = b"GET /toy/facts HTTP/1.1\r\nHost: x\r\n\r\nGET /"
LARGE = 8_000_000


async def large(_call: Call) -> Reply:
    return Reply(body=b"x" * LARGE, headers={"Content-Type": "text/plain"})


def talkative() -> tuple[object, ...]:
    plain = toy()
    return (toy(routes=(*plain.routes, Route("GET", "/toy/large", large, ANYONE, Limit.ORDINARY))),)


@asynccontextmanager
async def crowd(
    port: int, begin: bytes, more: bytes, times: int, count: int = CROWD
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Open connections that each send a beginning, and then, so many times, a little more."""
    async with AsyncExitStack() as opened:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        for _, writer in streams:
            opened.callback(writer.close)
            writer.write(begin)

        async def drip() -> None:
            for _ in range(times):
                await asyncio.sleep(0.05)
                for _, writer in streams:
                    with suppress(ConnectionError):
                        writer.write(more)

        dripping = asyncio.create_task(drip())
        opened.callback(dripping.cancel)
        yield [reader for reader, _ in streams]


async def assert_served(gateway: LocalGateway, path: str = "/toy/facts", most_seconds: float = 0.1) -> None:
    """Assert that others are answered at once, but for a few: the machine is busy."""
    seconds = []
    for _ in range(20):
        began = monotonic()
        heard = await say(gateway.port, get(path))
        assert heard.statuses == [200]
        seconds.append(monotonic() - began)
    assert sorted(seconds)[14] < most_seconds, seconds


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"", b""),
        (b"GET /", b"a"),
        (b"GET /toy/facts HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
        (b"", b"\r\n"),
        (_SERVED, b"a"),
    ],
    ids=["nothing", "line", "header", "blanks", "second request"],
)
async def test_three_hundred_slow_heads_delay_nobody_and_are_let_go(begin: bytes, more: bytes) -> None:
    async with local_gateway((toy(),), request_head_timeout_seconds=0.8) as gateway:
        began = monotonic()
        async with crowd(gateway.port, begin, more, times=40) as readers:
            await assert_served(gateway)
            async with asyncio.timeout(5):
                for reader in readers:
                    with suppress(ConnectionError):
                        await reader.read()
        assert 0.7 < monotonic() - began < 4


async def test_slow_bodies_take_no_place_from_other_requests() -> None:
    begin = b"POST /toy/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n{"
    async with (
        local_gateway((toy(),), request_body_timeout_seconds=1, requests_limit_count=4) as gateway,
        crowd(gateway.port, begin, b"a", times=10) as readers,
    ):
        await assert_served(gateway)
        async with asyncio.timeout(8):
            answers = [await reader.read() for reader in readers]
        assert all(b"toy says malformed_request" in answer for answer in answers)


async def ask_and_read_nothing(port: int, request: bytes, room_bytes: int = 2048) -> socket.socket:
    """Send a request and leave the answer on the wire; the socket takes little of it."""
    loop = asyncio.get_running_loop()
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
    opened.setblocking(False)
    await loop.sock_connect(opened, ("127.0.0.1", port))
    await loop.sock_sendall(opened, request)
    return opened


async def read_all(opened: socket.socket, slow_seconds: float = 0) -> int:
    """Read to the end, slowly at first; return how much it was."""
    loop, count = asyncio.get_running_loop(), 0
    began = monotonic()
    with suppress(ConnectionError):
        while piece := await loop.sock_recv(opened, 400_000):
            count += len(piece)
            if monotonic() - began < slow_seconds:
                await asyncio.sleep(0.01)
    return count


async def test_who_does_not_read_an_answer_is_dropped_and_who_reads_slowly_is_not() -> None:
    async with local_gateway(talkative(), unread_answer_timeout_seconds=0.6) as gateway:  # type: ignore[arg-type]
        ask = get("/toy/large")
        idle = [await ask_and_read_nothing(gateway.port, ask) for _ in range(20)]
        slow = await ask_and_read_nothing(gateway.port, ask, room_bytes=16_384)
        reading = asyncio.create_task(read_all(slow, slow_seconds=2.5))
        await assert_served(gateway)
        await asyncio.sleep(1.5)
        for each in idle:
            assert await read_all(each) < LARGE
            each.close()
        assert await asyncio.wait_for(reading, 20) > LARGE
        slow.close()


async def test_beyond_the_most_connections_the_next_is_told_so_and_room_is_made_by_leaving() -> None:
    async with local_gateway((toy(),), connections_limit_count=5) as gateway, AsyncExitStack() as opened:
        writers = [(await asyncio.open_connection("127.0.0.1", gateway.port))[1] for _ in range(5)]
        for writer in writers:
            opened.callback(writer.close)
        await asyncio.sleep(0.05)
        heard = await say(gateway.port)
        assert heard.statuses == [503]
        assert b"Retry-After: 1" in heard.head
        writers[0].close()
        await writers[0].wait_closed()
        await asyncio.sleep(0.05)
        assert (await say(gateway.port, get("/toy/facts"))).statuses == [200]


async def test_a_gateway_that_fills_up_closes_what_is_idle() -> None:
    ask = get("/toy/facts").replace(b"close", b"keep-alive")
    async with (
        local_gateway((toy(),), connections_limit_count=4, request_head_timeout_seconds=0.5) as gateway,
        crowd(gateway.port, ask, b"", 0, 4) as readers,
        asyncio.timeout(3),
    ):
        answers = [await reader.read() for reader in readers]
    assert all(b"200 OK" in answer for answer in answers)


async def test_a_gateway_lets_itself_open_as_many_files_as_it_takes_connections() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        async with local_gateway((toy(),), connections_limit_count=600):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_one_address_may_take_its_share_and_others_go_on() -> None:
    async with local_gateway((toy(),), connections_limit_per_client_count=3) as gateway, AsyncExitStack() as opened:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            opened.callback(writer.close)
        await asyncio.sleep(0.05)
        assert (await say(gateway.port)).statuses == [503]
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, local_addr=("127.0.0.2", 0))
        writer.write(get("/toy/facts"))
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_a_proxy_that_is_trusted_is_not_one_client() -> None:
    async with (
        local_gateway((toy(),), connections_limit_per_client_count=3, trusted_proxies="127.0.0.0/8") as gateway,
        AsyncExitStack() as opened,
    ):
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            opened.callback(writer.close)
        await asyncio.sleep(0.05)
        assert (await say(gateway.port, get("/toy/facts"))).statuses == [200]
