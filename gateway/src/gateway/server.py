"""The public listener: aiohttp's low-level server with its C parser, limits on headers, and an end without loss.

No routing and no middleware of aiohttp's: every request goes to one handler.
"""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from aiohttp import http_parser, web

from gateway.connections import Connection, Connections
from runtime.logs import get_logger

_BACKLOG = 1024
_OLDEST_AIOHTTP = (3, 14, 4)
# After the listener is closed, connections that are open may still carry a request that is on its way.
_LINGER_SECONDS = 0.25
# What the kernel keeps of an answer beside what is on its way: little, so that we see whether a client reads.
_UNSENT_BYTES = 65_536
# What a process has open beside connections: its databases where services share it, channels, logs.
_OTHER_FILES = 256

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Server(web.Server):
    def __init__(self, handler: Handler, connections: Connections, **options: Any) -> None:
        super().__init__(handler, **options)
        self._options = options
        self._everyone = connections

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._everyone, loop=self._loop, **self._options)


class Listener:
    """Takes requests on one address, which several processes may share.

    Args:
        handler: Answers each request.
        connections: Keeps them within their bounds.
        **options: Of aiohttp's RequestHandler: header limits, keep-alive.
    """

    def __init__(self, handler: Handler, connections: Connections, **options: Any) -> None:
        self._handler = handler
        self._connections = connections
        self._draining = False
        self._at_work = 0
        self._idle = asyncio.Event()
        self._server = _Server(
            self._handle, connections, access_log=None, auto_decompress=False, lingering_time=2.0, **options
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=_LINGER_SECONDS)
        self._site: web.SockSite | None = None
        self._queue: socket.socket | None = None

    async def start(self, listen: str) -> int:
        """Listen on `host:port` and return the port (useful with port 0).

        Raises:
            OSError: The address cannot be had.
        """
        _have_files(self._connections.bounds.count + _OTHER_FILES)
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # inherited by every connection
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
            sock.bind((host, int(port)))
            await self._runner.setup()
            self._site = web.SockSite(self._runner, sock, backlog=_BACKLOG)
            await self._site.start()
            self._queue = sock.dup()
            self._connections.start()
        except BaseException:
            sock.close()
            raise
        return int(sock.getsockname()[1])

    async def drain(self, grace_seconds: float) -> None:
        """Close the listener, answer what is on its way on open connections, then close those too."""
        self._draining = True
        if self._site is not None:
            await self._site.stop()
            self._site = None
            await self._accept_the_rest()
        await asyncio.sleep(min(_LINGER_SECONDS, grace_seconds))
        if self._at_work:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_seconds)
        await self._runner.cleanup()
        await self._connections.stop()

    async def _accept_the_rest(self) -> None:
        """Take the connections that the kernel has queued for us; it would reset them when the socket closes."""
        if self._queue is None:
            return
        accepted = []
        with self._queue as queue, contextlib.suppress(BlockingIOError):
            queue.setblocking(False)
            while True:
                accepted.append(queue.accept()[0])
        for connection in accepted:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._server, connection)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._at_work += 1
        try:
            answer = await self._handler(request)
        finally:
            self._at_work -= 1
            if self._draining and not self._at_work:
                self._idle.set()
        if self._draining:
            answer.force_close()
        return answer


def _have_files(count: int) -> None:
    """Let this process open so many files, as far as the system lets it: a connection that cannot be accepted waits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        get_logger().warning("few files", limit=hard, wanted=count)
        count = hard
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def check_aiohttp() -> None:
    """Refuse to run on an aiohttp that is too old, or that reads requests with its Python parser.

    Raises:
        RuntimeError: It is.
    """
    numbers = tuple(int(part) for part in version("aiohttp").split(".")[:3] if part.isdigit())
    if numbers < _OLDEST_AIOHTTP:
        raise RuntimeError(f"aiohttp {'.'.join(map(str, _OLDEST_AIOHTTP))} or newer is required")
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise RuntimeError("aiohttp's C parser is required; unset AIOHTTP_NO_EXTENSIONS or install a wheel")
