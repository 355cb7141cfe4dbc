"""A TCP proxy in front of one server on loopback, whose network can be made to fail in every usual way.

For tests: they point a service at `port` instead of at its PostgreSQL, Valkey, mail server or peer, and switch faults
while it works. It runs on the loop of the test, so a test that blocks the loop blocks the proxy too.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

LOOPBACK = "127.0.0.1"
_CHUNK_BYTES = 65536
_MOST_CHUNKS = 64  # on their way, each way of a connection; then the sender is made to wait
_TICK_SECONDS = 0.05  # a drip is made of portions so far apart, or of single bytes
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@dataclass(frozen=True)
class Fault:
    """What happens to connections that exist and to new ones.

    Args:
        name: For reports.
        listens: Whether anybody takes new connections; if not they are refused.
        resets: Connections end with RST.
        loses_requests: What clients send is taken and thrown away.
        loses_answers: What the server sends is.
        delay_seconds: From arriving to being passed on, each way.
        jitter_seconds: Most that is added to it, evenly distributed; the order of bytes stays.
        bytes_per_second: Most that passes on one way of a connection; None for as much as there is.
    """

    name: str
    listens: bool = True
    resets: bool = False
    loses_requests: bool = False
    loses_answers: bool = False
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: float | None = None


PASS = Fault("pass")
RESET = Fault("reset", resets=True)
REFUSE = Fault("refuse", listens=False, resets=True)
BLACK_HOLE = Fault("black hole", loses_requests=True, loses_answers=True)
LOST_ANSWERS = Fault("lost answers", loses_answers=True)  # half-open: the server hears and is not heard
LOST_REQUESTS = Fault("lost requests", loses_requests=True)  # half-open the other way


def latency(seconds: float, jitter_seconds: float = 0.0) -> Fault:
    """Return the fault that everything comes later."""
    return Fault("latency", delay_seconds=seconds, jitter_seconds=jitter_seconds)


def drip(bytes_per_second: float) -> Fault:
    """Return the fault that everything comes little by little."""
    return Fault("drip", bytes_per_second=bytes_per_second)


class FaultProxy:
    """Passes connections on to a server, as well as its present fault lets it.

    A connection that has lost bytes never works again, whatever the fault is then: as with a firewall that has
    forgotten it, its ends must find that out by themselves.

    Args:
        upstream: Where the server is: host and port, or the path of its Unix socket.
        seed: Of the jitter.

    Attributes:
        upstream: May be changed, for connections to come.
        port: Where it listens on loopback; kept for as long as it runs, also while connections are refused.
        fault: The present one.
        accepted: Number of connections taken so far.
    """

    def __init__(self, upstream: tuple[str, int] | Path, *, seed: int = 0) -> None:
        self.upstream = upstream
        self.port = 0
        self.fault = PASS
        self.accepted = 0
        self.random = Random(seed)  # noqa: S311 not a secret
        self._lines: dict[_Line, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    @property
    def open(self) -> int:
        """Number of connections that have an end open."""
        return len(self._lines)

    async def __aenter__(self) -> Self:
        # A second socket on the port, which never listens: nobody else gets the port while connections are refused.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind((LOOPBACK, 0))
        self.port = self._reservation.getsockname()[1]
        await self.switch(PASS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.switch(REFUSE)
        await asyncio.gather(*self._lines.values())
        self._reservation.close()

    async def switch(self, fault: Fault) -> None:
        """Let the network be so from now on."""
        self.fault = fault
        if fault.listens and self._server is None:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, self.port, reuse_address=True)
        if not fault.listens and self._server is not None:
            self._server.close()
            self._server = None
        for line in list(self._lines):
            if fault.resets or line.one_ended:
                line.reset()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection to the server."""
        if isinstance(self.upstream, Path):
            return await asyncio.open_unix_connection(self.upstream)
        return await asyncio.open_connection(*self.upstream)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        line = _Line(self, reader, writer)
        task = self._lines[line] = asyncio.get_running_loop().create_task(line.run())
        task.add_done_callback(lambda _: self._lines.pop(line))


@dataclass(eq=False)
class _Way:
    """One of the two ways of a connection."""

    requests: bool
    has_lost: bool = False
    chunks: asyncio.Queue[tuple[float, bytes]] = field(default_factory=lambda: asyncio.Queue(_MOST_CHUNKS))

    def loses(self, fault: Fault) -> bool:
        self.has_lost |= fault.loses_requests if self.requests else fault.loses_answers
        return self.has_lost


class _Line:
    """One connection of a client, and ours to the server for it."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.one_ended = False  # one end has gone, and the other is not to know
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Pass on what comes until both ends have closed, or it is reset."""
        passing = asyncio.ensure_future(self._pass())
        ending = asyncio.ensure_future(self._ending.wait())
        await asyncio.wait({passing, ending}, return_when=asyncio.FIRST_COMPLETED)
        for task in (passing, ending):
            task.cancel()
        await asyncio.gather(passing, ending, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort() if self._ending.is_set() else writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def reset(self) -> None:
        """End it with RST to both sides."""
        for writer in self._writers:
            end: Any = writer.get_extra_info("socket")
            if not writer.is_closing() and end is not None:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._ending.set()

    async def _pass(self) -> None:
        fault = self._proxy.fault
        if fault.resets:
            self.reset()
            return
        there, back = _Way(requests=True), _Way(requests=False)
        if fault.loses_requests and fault.loses_answers:  # the server never hears of it
            await self._read(self._reader, there)
            return
        try:
            reader, writer = await self._proxy.connect()
        except OSError:
            self.reset()
            return
        self._writers.append(writer)
        await asyncio.gather(
            self._read(self._reader, there),
            self._deliver(there, writer),
            self._read(reader, back),
            self._deliver(back, self._writers[0]),
        )

    async def _read(self, source: asyncio.StreamReader, way: _Way) -> None:
        while data := await self._next(source, way):
            fault = self._proxy.fault
            if not way.loses(fault):
                late = fault.delay_seconds + self._proxy.random.uniform(0, fault.jitter_seconds)
                await way.chunks.put((_now() + late, data))
        if way.loses(self._proxy.fault):
            self.one_ended = True
            await self._ending.wait()
        await way.chunks.put((0.0, b""))

    async def _next(self, source: asyncio.StreamReader, way: _Way) -> bytes:
        try:
            return await source.read(_CHUNK_BYTES)
        except OSError:
            if not way.loses(self._proxy.fault):
                self.reset()
            return b""

    async def _deliver(self, way: _Way, sink: asyncio.StreamWriter) -> None:
        while data := await self._due(way):
            while data:
                rate = self._proxy.fault.bytes_per_second
                portion = len(data) if rate is None else max(1, int(rate * _TICK_SECONDS))
                try:
                    sink.write(data[:portion])
                    await sink.drain()
                except OSError:  # who reads from there notices
                    return
                if rate is not None:
                    await asyncio.sleep(portion / rate)
                data = data[portion:]
        if not sink.is_closing():
            sink.write_eof()

    async def _due(self, way: _Way) -> bytes:
        due, data = await way.chunks.get()
        await asyncio.sleep(max(0.0, due - _now()))
        return data


def _now() -> float:
    return asyncio.get_running_loop().time()
