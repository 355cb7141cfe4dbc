"""The server's side of CallService: calls that come on a stream are answered each for itself, as if they came alone.

Mounted by `grpc_server`; `calls_stream` is the other side. Every call is a task with its own deadline; what is done
when the stream can be written goes in one message, so a slow call holds up nobody. A stream is asked to end after a
few seconds, so that callers show a fresh credential and find instances that were added.
"""

import asyncio
from collections.abc import Callable
from random import random
from time import monotonic
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from gatepost.runtime.v1 import calls_pb2 as pb
from gatepost.runtime.v1.calls_pb2_grpc import CallServiceServicer
from runtime import status
from runtime.context import CallContext, current
from runtime.dispatch import Dispatcher
from runtime.errors import GatepostError, Reason

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["CallService"].full_name
Context = grpc.aio.ServicerContext[Any, Any]

_MESSAGE_BYTES = 1024 * 1024  # when answers are so many bytes they do not wait for more
_ANSWER_BYTES = 4 * 1024 * 1024 - 1024  # of one answer, so that its message is one that gRPC takes
_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED.value[0]
_TOO_LARGE = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
_LATE = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]


class CallRpc(CallServiceServicer):
    """The service as the contract has it.

    Args:
        dispatcher: Answers the calls.
        stream_seconds: Most that a stream is used; up to a half less, so that many do not end together.
        chance: 0 to 1; decides how much less.
    """

    def __init__(self, dispatcher: Dispatcher, stream_seconds: float, chance: Callable[[], float] = random) -> None:
        self._dispatcher = dispatcher
        self._seconds = stream_seconds
        self._chance = chance
        self._open: set[_Exchange] = set()

    async def Exchange(self, _requests: Any, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Answer what comes until the caller has nothing more to ask."""
        exchange = _Exchange(self._dispatcher, current().caller, context)
        self._open.add(exchange)
        age = asyncio.get_running_loop().call_later(self._seconds * (1 - self._chance() / 2), exchange.close)
        try:
            await exchange.serve()
        finally:
            age.cancel()
            self._open.discard(exchange)

    def close(self) -> None:
        """Ask every caller to end his stream."""
        for exchange in self._open:
            exchange.close()


class _Exchange:
    def __init__(self, dispatcher: Dispatcher, caller: str, context: Context) -> None:
        self._dispatcher = dispatcher
        self._caller = caller
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._full: list[pb.ExchangeResponse] = []
        self._next = pb.ExchangeResponse()
        self._next_bytes = 0
        self._something = asyncio.Event()
        self._all_asked = False

    def close(self) -> None:
        """Ask the caller to end the stream when he has his answers."""
        self._next.closing = True
        self._something.set()

    async def serve(self) -> None:
        writing = self._loop.create_task(self._write())
        try:
            readable = await self._read()
            self._all_asked = True
            self._something.set()
            await writing  # also when all is lost: while something is being written gRPC cannot say how a stream ends
        finally:
            writing.cancel()
            for task in self._at_work.values():
                task.cancel()
        if not readable:
            raise GatepostError(Reason.MALFORMED_REQUEST, "a message cannot be read")

    async def _read(self) -> bool:
        """Begin what is asked until there is nothing more; False when what came is no message of ours."""
        try:
            while (request := await self._context.read()) is not grpc.aio.EOF:
                for call in request.calls:
                    self._at_work[call.id] = self._loop.create_task(self._answer(call))
                for ident in request.cancelled_ids:
                    self._give_up(ident)
                if request.ping:
                    self._next.pong = True
                    self._something.set()
        except DecodeError:
            for ident in tuple(self._at_work):
                self._give_up(ident)
            return False
        return True

    async def _answer(self, call: pb.Call) -> None:
        ident, seconds = call.id, call.timeout_ms / 1000
        # One timer a call: 1 µs; asyncio.timeout would take 4.
        timer = self._loop.call_later(seconds, self._expire, ident)
        try:
            method = self._dispatcher.find(call.method)
            if method is None or method.handler.unary_unary is None:
                self._say(ident, code=_UNIMPLEMENTED)
                return
            context = CallContext(
                request_id=call.request_id,
                client_address=call.client_address,
                caller=self._caller,
                deadline=monotonic() + seconds,
                user_agent=call.user_agent,
                language=call.language,
                dialect=call.dialect,
                work=call.method,
            )
            try:
                response = await self._dispatcher.answer(method, call.request, context)
            except GatepostError as exc:
                code, _, details = status.encode(exc)
                self._say(ident, code=code.value[0], details=details)
                return
            if len(response) > _ANSWER_BYTES:
                self._say(ident, code=_TOO_LARGE)
            else:
                self._say(ident, response)
        finally:
            timer.cancel()
            self._at_work.pop(ident, None)
            self._something.set()

    def _expire(self, ident: int) -> None:
        self._say(ident, code=_LATE)
        self._give_up(ident)

    def _give_up(self, ident: int) -> None:
        task = self._at_work.pop(ident, None)
        if task is not None:
            task.cancel()
            self._something.set()

    def _say(self, ident: int, response: bytes = b"", code: int = 0, details: bytes = b"") -> None:
        if self._next_bytes + len(response) > _MESSAGE_BYTES and self._next_bytes:
            self._begin_message()
        self._next.answers.add(id=ident, response=response, code=code, details=details)
        self._next_bytes += len(response)

    async def _write(self) -> None:
        try:
            await self._context.write(pb.ExchangeResponse(pong=True))  # a greeting
            while self._at_work or not self._all_asked or self._something.is_set():
                await self._something.wait()
                self._something.clear()
                if self._next.answers or self._next.closing or self._next.pong:
                    self._begin_message()
                while self._full:
                    await self._context.write(self._full.pop(0))
        except grpc.aio.BaseError:
            return  # the caller has gone; gRPC ends the stream

    def _begin_message(self) -> None:
        self._full.append(self._next)
        self._next, self._next_bytes = pb.ExchangeResponse(), 0
