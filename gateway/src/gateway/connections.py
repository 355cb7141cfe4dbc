"""The open connections of a gateway: how many there may be, and the end of those that keep it waiting.

`server` makes a `Connection` for each that the kernel hands over, and starts and stops the watch. aiohttp limits the
time for a head by its keep-alive alone, and that for taking an answer not at all.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import prometheus_client
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from gateway.addresses import Addresses
from gateway.problem import details
from gateway.render import response
from runtime.logs import get_logger
from runtime.loops import Loop

OPEN = prometheus_client.Gauge("gatepost_connections", "Open connections of the public listener.")
DROPPED = prometheus_client.Counter(
    "gatepost_connections_dropped",
    "Connections that were closed by us: `full` and `full_client` at once, for want of room; `head` for a request that "
    "did not come in time or was too large, `unread` for an answer that was not taken, `idle` to make room.",
    ("cause",),
)
_LAST_WORDS = (
    "HTTP/1.1 {}\r\nServer: gatepost\r\nCache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_FULL = _LAST_WORDS.format("503 Service Unavailable\r\nRetry-After: 1").encode()
_TOO_LARGE = _LAST_WORDS.format("431 Request Header Fields Too Large").encode()
_TOO_LATE = _LAST_WORDS.format("408 Request Timeout").encode()
# What all lines of a head may take together, on their way.
_MOST_HEAD_BYTES = 65_536
# How full a gateway is when it keeps connections between requests for a moment only.
_CROWDED = 0.75
_IDLE_SECONDS = 1.0
_LOOKS = 5  # at each connection, before its time is over
_MOST_SECONDS = 1.0  # between two looks
# An answer that goes on its way slower than this is not being read.
_LEAST_BYTES_PER_SECOND = 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What connections may take.

    Args:
        count: Open at once.
        per_client: Open at once from one client address; 0 for any number.
        head_seconds: From the begin of a connection, or the first byte of a later request, to the end of the head.
        unread_seconds: How long an answer may wait to be read.
    """

    count: int
    per_client: int
    head_seconds: float
    unread_seconds: float


class Connections:
    """Knows every connection that is open, and looks at all of them now and then.

    Args:
        bounds: What they may take.
        addresses: Says whose a connection is.
    """

    def __init__(self, bounds: Bounds, addresses: Addresses) -> None:
        self.bounds = bounds
        self._addresses = addresses
        self._open: set[Connection] = set()
        self._by_client: Counter[str] = Counter()
        pause = min(_MOST_SECONDS, bounds.head_seconds / _LOOKS, bounds.unread_seconds / _LOOKS)
        self._watch = Loop("connections", pause, self._look)

    def start(self) -> None:
        """Begin to look."""
        self._watch.start()

    async def stop(self) -> None:
        """Look no more."""
        await self._watch.stop()

    def enter(self, connection: "Connection", peer: str) -> bool:
        """Take a connection in, and say whether there is room for it."""
        client = self._addresses.client(peer)
        if len(self._open) >= self.bounds.count:
            return _dropped("full")
        if client and 0 < self.bounds.per_client <= self._by_client[client]:
            return _dropped("full_client")
        connection.client = client
        self._by_client[client] += 1
        self._open.add(connection)
        OPEN.inc()
        return True

    def leave(self, connection: "Connection") -> None:
        """Forget a connection that is closed, also one that was not taken in."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        OPEN.dec()
        self._by_client[connection.client] -= 1
        if not self._by_client[connection.client]:
            del self._by_client[connection.client]

    async def _look(self) -> bool:
        now, crowded = asyncio.get_running_loop().time(), len(self._open) > _CROWDED * self.bounds.count
        for connection in tuple(self._open):
            connection.look(now, crowded=crowded)
        return False


class Connection(web.RequestHandler):
    """One connection; answers what is no HTTP in our words, and logs the kind of error, never what was sent.

    Args:
        server: aiohttp's.
        connections: All of them.
        **options: Of aiohttp's RequestHandler.
    """

    __slots__ = ("_awaited_since", "_connections", "_head_bytes", "_unread_bytes", "_unread_since", "_wire", "client")

    def __init__(self, server: web.Server, connections: Connections, **options: Any) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self._wire: asyncio.Transport | None = None
        self._awaited_since: float | None = None
        self._head_bytes = 0
        self._unread_since: float | None = None
        self._unread_bytes = 0
        self.client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or say that there is no room."""
        wire = cast("asyncio.Transport", transport)
        peer = wire.get_extra_info("peername")
        if not self._connections.enter(self, peer[0] if peer else ""):
            self._force_close = True
            wire.write(_FULL)
            wire.close()
            return
        self._wire = wire
        self._awaited_since = self._loop.time()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and remember since when a head is on its way."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._awaited_since, self._head_bytes = None, 0
        elif self._waiting():
            if self._awaited_since is None:
                self._awaited_since = self._loop.time()
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES:
                self._refuse(_TOO_LARGE)

    def resume_writing(self) -> None:
        """Go on: something was read."""
        self._unread_since = None
        super().resume_writing()

    def look(self, now: float, *, crowded: bool) -> None:
        """Close if this connection has kept us waiting for too long.

        Args:
            now: Of the loop's clock.
            crowded: Whether others need its place, should it be idle.
        """
        bounds = self._connections.bounds
        if crowded and self._awaited_since is None and self._waiting():
            idle_since = self._next_keepalive_close_time - self._keepalive_timeout
            if now - idle_since > _IDLE_SECONDS:
                DROPPED.labels("idle").inc()
                self.force_close()
                return
        if self._awaited_since is not None and now - self._awaited_since > bounds.head_seconds and self._waiting():
            self._refuse(_TOO_LATE if self._head_bytes else b"")
            return
        if self._wire is None:
            return
        unread = self._wire.get_write_buffer_size()
        read = self._unread_bytes - unread
        if not unread or self._unread_since is None or read >= _LEAST_BYTES_PER_SECOND * bounds.unread_seconds:
            self._unread_since, self._unread_bytes = (now if unread else None), unread
        elif now - self._unread_since > bounds.unread_seconds:
            _dropped("unread")
            self._wire.abort()

    def _refuse(self, words: bytes) -> None:
        _dropped("head")
        if self._wire is not None:
            self._wire.write(words)
        self.force_close()

    def _waiting(self) -> bool:
        """Whether no request is at work, so that what comes is a head."""
        return self._waiter is not None and not self._waiter.done()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 quotes the request
    ) -> web.StreamResponse:
        """Answer what is no HTTP."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on the wire already")
        if isinstance(exc, HttpProcessingError):
            status = 431 if isinstance(exc, LineTooLong) else 400
        get_logger().warning("bad http", error=type(exc).__name__, status=status)
        answer = response(details(status, "The request is not well-formed HTTP."), {})
        answer.force_close()
        return answer


def _dropped(cause: str) -> bool:
    DROPPED.labels(cause).inc()
    return False
