"""One stream of CallService, as its caller sees it: calls go out together, answers find who asked.

`calls_channel` opens streams and chooses among them. What is asked while a message is being written goes in the next,
so nothing waits for company. CPU of both sides for a call that does nothing, against a gRPC call of its own: 64 at a
time 25 µs against 520, 16 at a time 37 against 550, 4 at a time 120 against 580, one at a time 400 against 700.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from gatepost.runtime.v1 import calls_pb2 as pb
from runtime import status
from runtime.errors import GatepostError, Reason

LARGEST_REQUEST_BYTES = 32 * 1024
# With which a message takes no more calls.
_MESSAGE_BYTES = 128 * 1024
# How a stream ends that could be opened no more, or broke while it was written; anything else is a refusal.
_GONE = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
)


class NotSentError(Exception):
    """The stream broke before a call went out; it may go out on another."""


class CallStream:
    """A stream that is being opened, open, or closing.

    Args:
        exchange: gRPC's call of CallService.Exchange.
        ended: Told when nothing goes on any more.
    """

    def __init__(self, exchange: Any, ended: Callable[["CallStream"], None]) -> None:
        self.closing = False  # takes no more calls
        self._exchange = exchange
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._asked: dict[int, asyncio.Future[pb.Answer]] = {}
        self._unsent: dict[int, pb.Call] = {}
        self._cancelled: list[int] = []
        self._something = asyncio.Event()
        self.proven = False  # the server has greeted
        self._running = self._loop.create_task(self._run())

    @property
    def under_way(self) -> int:
        """Number of calls that wait for their answer."""
        return len(self._asked)

    async def ask(self, call: pb.Call, seconds: float) -> pb.Answer:
        """Send a call and return its answer, which may be an error of the server.

        Args:
            call: With an id that no other call of the channel has.
            seconds: Time it has.

        Raises:
            GatepostError: DEADLINE_EXCEEDED; UNAVAILABLE when the connection breaks or cannot be made; CALLER_REFUSED.
            NotSentError: The stream was fine before, and broke before this went out.
        """
        ident = call.id
        future: asyncio.Future[pb.Answer] = self._loop.create_future()
        self._asked[ident] = future
        self._unsent[ident] = call
        self._something.set()
        timer = self._loop.call_later(seconds, self._expire, ident)
        try:
            return await future
        except asyncio.CancelledError:
            self._forget(ident)
            raise
        finally:
            timer.cancel()

    async def end(self) -> None:
        """Break it off; whoever waits is told UNAVAILABLE."""
        self._running.cancel()
        await asyncio.wait({self._running})

    def _expire(self, ident: int) -> None:
        future = self._asked.get(ident)
        self._forget(ident)
        if future is not None and not future.done():
            future.set_exception(GatepostError(Reason.DEADLINE_EXCEEDED, retry_after_seconds=1))

    def _forget(self, ident: int) -> None:
        if self._asked.pop(ident, None) is not None and self._unsent.pop(ident, None) is None:
            self._cancelled.append(ident)
        self._something.set()

    async def _run(self) -> None:
        writing = self._loop.create_task(self._write())
        code, details = grpc.StatusCode.UNAVAILABLE, None
        try:
            while (message := await self._exchange.read()) is not grpc.aio.EOF:
                self._take(message)
        except grpc.aio.AioRpcError as exc:
            if exc.code() not in _GONE:
                code, details = exc.code(), status.details_of(exc)
        finally:
            self.closing = True
            writing.cancel()
            self._exchange.cancel()
            for ident, future in self._asked.items():
                if not future.done():
                    unsent = self.proven and ident in self._unsent
                    future.set_exception(NotSentError() if unsent else status.decode(code, details))
            self._asked.clear()
            self._ended(self)

    def _take(self, message: pb.ExchangeResponse) -> None:
        if not self.proven:
            self.proven = True
            self._something.set()
        for answer in message.answers:
            future = self._asked.pop(answer.id, None)
            if future is not None and not future.done():  # else nobody waits any more
                future.set_result(answer)
        self.closing |= message.closing
        if self.closing and not self._asked:
            self._something.set()

    async def _write(self) -> None:
        try:
            while self._asked or self._cancelled or not self.closing:
                await self._something.wait()
                self._something.clear()
                # What met a refusal on its way would hide the reason from us: gRPC calls that an internal error.
                while self.proven and (self._unsent or self._cancelled):
                    await self._exchange.write(self._next())
            await self._exchange.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream has ended; who reads it learns why

    def _next(self) -> pb.ExchangeRequest:
        message = pb.ExchangeRequest(cancelled_ids=self._cancelled)
        self._cancelled = []
        size = 0
        for ident, call in list(self._unsent.items()):
            if size >= _MESSAGE_BYTES:
                break
            del self._unsent[ident]
            message.calls.append(call)
            size += call.ByteSize()
        return message
