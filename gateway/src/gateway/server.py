"""The public listener: aiohttp's low-level server with its C parser, limits on headers, and an end without loss.

No routing and no middleware of aiohttp's: every request goes to one handler.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from aiohttp import http_parser, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from gateway.problem import details
from gateway.render import response
from runtime.logs import get_logger

_BACKLOG = 1024
_OLDEST_AIOHTTP = (3, 14, 4)
# After the listener is closed, connections that are open may still carry a request that is on its way.
_LINGER_SECONDS = 0.25

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Connection(web.RequestHandler):
    """One connection; answers what is no HTTP in our words, and logs the kind of error, never what was sent."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 quotes the request
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on the wire already")
        if isinstance(exc, HttpProcessingError):
            status = 431 if isinstance(exc, LineTooLong) else 400
        get_logger().warning("bad http", error=type(exc).__name__, status=status)
        answer = response(details(status, "The request is not well-formed HTTP."), {})
        answer.force_close()
        return answer


class _Server(web.Server):
    def __init__(self, handler: Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._options)


class Listener:
    """Takes requests on one address, which several processes may share.

    Args:
        handler: Answers each request.
        options: Of aiohttp's RequestHandler: header limits, keep-alive.
    """

    def __init__(self, handler: Handler, **options: Any) -> None:
        self._handler = handler
        self._draining = False
        self._at_work = 0
        self._idle = asyncio.Event()
        self._server = _Server(self._handle, access_log=None, auto_decompress=False, lingering_time=2.0, **options)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=_LINGER_SECONDS)
        self._site: web.SockSite | None = None
        self._queue: socket.socket | None = None

    async def start(self, listen: str) -> int:
        """Listen on `host:port` and return the port (useful with port 0).

        Raises:
            OSError: The address cannot be had.
        """
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, int(port)))
            await self._runner.setup()
            self._site = web.SockSite(self._runner, sock, backlog=_BACKLOG)
            await self._site.start()
            self._queue = sock.dup()
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
