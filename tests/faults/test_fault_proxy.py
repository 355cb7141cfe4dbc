"""The proxy that other tests of this folder trust: each fault is what it says, and ends when it is switched off."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from faults.fault_proxy import (
    BLACK_HOLE,
    LOOPBACK,
    LOST_ANSWERS,
    LOST_REQUESTS,
    PASS,
    REFUSE,
    RESET,
    FaultProxy,
    drip,
    latency,
)

LARGE_BYTES = 1_000_000
QUIET_SECONDS = 0.2  # in which what is lost does not come


class Mirror:
    """A server that answers each line with the same line, and remembers it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.open = 0
        self.connections = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.connections += 1
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line)
                await writer.drain()
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, line: bytes, within: float = 5) -> bytes:
        """Send a line and return what comes, nothing if the connection has been closed."""
        self.writer.write(line)
        async with asyncio.timeout(within):
            return await self.reader.readline()


@pytest_asyncio.fixture
async def mirror() -> AsyncIterator[tuple[Mirror, FaultProxy]]:
    mirror = Mirror()
    server = await asyncio.start_server(mirror.connected, LOOPBACK, 0, limit=2 * LARGE_BYTES)
    async with server, FaultProxy(server.sockets[0].getsockname()) as proxy:
        yield mirror, proxy


@asynccontextmanager
async def client(proxy: FaultProxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def until_closed(mirror: Mirror, proxy: FaultProxy) -> None:
    async with asyncio.timeout(5):
        while mirror.open or proxy.open:  # noqa: ASYNC110 sockets tell nobody here
            await asyncio.sleep(0.01)


async def test_what_is_said_passes_both_ways_and_who_leaves_is_missed(mirror: tuple[Mirror, FaultProxy]) -> None:
    server, proxy = mirror
    async with client(proxy) as one, client(proxy) as other:
        assert await one.say(b"1\n") == b"1\n"
        assert await other.say(b"2\n") == b"2\n"
        large = b"x" * LARGE_BYTES + b"\n"
        one.writer.write(large)
        assert await one.reader.readexactly(len(large)) == large
        one.writer.write_eof()
        assert await one.reader.read() == b""
    await until_closed(server, proxy)
    assert proxy.accepted == 2


async def test_a_reset_ends_connections_and_new_ones_until_it_is_over(mirror: tuple[Mirror, FaultProxy]) -> None:
    server, proxy = mirror
    async with client(proxy) as before:
        assert await before.say(b"1\n") == b"1\n"
        await proxy.switch(RESET)
        with pytest.raises(ConnectionResetError):
            await before.say(b"2\n")
    async with client(proxy) as new:
        with pytest.raises(ConnectionResetError):
            await new.say(b"3\n")
    await until_closed(server, proxy)
    await proxy.switch(PASS)
    async with client(proxy) as after:
        assert await after.say(b"4\n") == b"4\n"
    assert server.heard == [b"1\n", b"4\n"]


async def test_a_refusal_lasts_until_it_is_over_and_the_port_stays(mirror: tuple[Mirror, FaultProxy]) -> None:
    _, proxy = mirror
    port = proxy.port
    for _ in range(3):
        await proxy.switch(REFUSE)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)
        await proxy.switch(PASS)
        async with client(proxy) as after:
            assert await after.say(b"1\n") == b"1\n"
    assert proxy.port == port


async def test_a_black_hole_swallows_what_was_connected_and_what_connects(mirror: tuple[Mirror, FaultProxy]) -> None:
    server, proxy = mirror
    async with client(proxy) as before:
        assert await before.say(b"1\n") == b"1\n"
        await proxy.switch(BLACK_HOLE)
        async with client(proxy) as new:
            for each in (before, new):
                with pytest.raises(TimeoutError):
                    await each.say(b"2\n", QUIET_SECONDS)
        assert (server.heard, server.connections) == ([b"1\n"], 1)
        await proxy.switch(PASS)
        with pytest.raises(TimeoutError):  # what has lost bytes never works again
            await before.say(b"3\n", QUIET_SECONDS)
        async with client(proxy) as after:
            assert await after.say(b"4\n") == b"4\n"
    assert server.heard == [b"1\n", b"4\n"]


async def test_in_a_black_hole_nobody_learns_that_the_other_end_has_gone(mirror: tuple[Mirror, FaultProxy]) -> None:
    server, proxy = mirror
    async with client(proxy) as before:
        assert await before.say(b"1\n") == b"1\n"
        await proxy.switch(BLACK_HOLE)
    await asyncio.sleep(QUIET_SECONDS)
    assert server.open == 1
    await proxy.switch(PASS)
    await until_closed(server, proxy)


async def test_a_half_open_connection_loses_one_way_only(mirror: tuple[Mirror, FaultProxy]) -> None:
    server, proxy = mirror
    await proxy.switch(LOST_ANSWERS)
    async with client(proxy) as unanswered:
        with pytest.raises(TimeoutError):
            await unanswered.say(b"heard\n", QUIET_SECONDS)
    await proxy.switch(LOST_REQUESTS)
    async with client(proxy) as unheard:
        with pytest.raises(TimeoutError):
            await unheard.say(b"not heard\n", QUIET_SECONDS)
    assert server.heard == [b"heard\n"]


async def test_latency_delays_each_way_and_keeps_the_order(mirror: tuple[Mirror, FaultProxy]) -> None:
    _, proxy = mirror
    await proxy.switch(latency(0.1, 0.05))
    async with client(proxy) as slow:
        started = time.monotonic()
        for number in range(20):  # all are under way at once
            slow.writer.write(b"%d\n" % number)
            await asyncio.sleep(0.002)
        assert [await slow.reader.readline() for _ in range(20)] == [b"%d\n" % number for number in range(20)]
        assert 0.2 <= time.monotonic() - started < 1
        await proxy.switch(PASS)
        took = []
        for _ in range(5):
            started = time.monotonic()
            assert await slow.say(b"quick\n") == b"quick\n"
            took.append(time.monotonic() - started)
        assert min(took) < 0.1


async def test_a_drip_passes_so_many_bytes_a_second(mirror: tuple[Mirror, FaultProxy]) -> None:
    _, proxy = mirror
    async with client(proxy) as slow:
        await proxy.switch(drip(100))
        started = time.monotonic()
        assert await slow.say(b"x" * 29 + b"\n") == b"x" * 29 + b"\n"
        assert 0.25 <= time.monotonic() - started < 2
