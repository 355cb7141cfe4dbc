"""A channel on which calls travel together: what is asked at the same time goes in one message of a stream.

Made by `grpc_client`, used by generated stubs like any channel. Which stream of CallService a call takes is decided
here; `calls_stream` carries it, `calls_server` is the other side.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self

import grpc

from gatepost.runtime.v1 import calls_pb2 as pb
from gatepost.runtime.v1.calls_pb2_grpc import CallServiceStub
from runtime import status
from runtime.calls_stream import LARGEST_REQUEST_BYTES, CallStream, NotSentError
from runtime.context import current
from runtime.credentials import Metadata
from runtime.deadlines import allowed_seconds

_APART = "/grpc."  # health and reflection answer whoever asks in the plain way
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class CallChannel(grpc.aio.Channel):
    """Sends unary calls on streams, and everything else over a plain channel.

    Args:
        plain: Takes large requests, health checks and methods that stream.
        lanes: Each opens one stream at a time: a channel for each instance, or `plain` as often as there may be some.
        credential: Returns metadata with a credential for a new stream.
    """

    def __init__(
        self, plain: grpc.aio.Channel, lanes: Sequence[grpc.aio.Channel], credential: Callable[[], Metadata]
    ) -> None:
        self._plain = plain
        self._lanes = [_Lane(channel, credential) for channel in lanes]
        self._turn = 0
        self._idents = count(1)

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *rest: Any, **more: Any
    ) -> Any:
        """Return what calls a method: takes a message and a `timeout` in seconds, returns an awaitable message."""
        plain: Any = self._plain.unary_unary(method, request_serializer, response_deserializer, *rest, **more)
        if method.startswith(_APART):
            return plain

        async def call(request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 gRPC's
            serialized = request_serializer(request)
            if len(serialized) > LARGEST_REQUEST_BYTES:  # a picture would hold up what comes after it
                return await plain(request, timeout=timeout)
            answer = await self._ask(method, serialized, timeout)
            if answer.code:
                raise status.decode(_CODES[answer.code], answer.details or None)
            return response_deserializer(answer.response)

        return call

    async def _ask(self, method: str, request: bytes, timeout: float | None) -> pb.Answer:  # noqa: ASYNC109 likewise
        context = current()
        while True:
            seconds = allowed_seconds(context, timeout)
            call = pb.Call(
                id=next(self._idents),
                method=method,
                request=request,
                timeout_ms=int(seconds * 1000) or 1,
                request_id=context.request_id,
                client_address=context.client_address,
                user_agent=context.user_agent,
                language=context.language,
                dialect=context.dialect,
            )
            try:
                return await self._stream().ask(call, seconds)
            except NotSentError:
                continue  # the stream broke before; the next one is new, and fails for good if it cannot be opened

    def _stream(self) -> CallStream:
        """Return the stream with the fewest calls under way, the next in turn if there are several."""
        if len(self._lanes) == 1:
            return self._lanes[0].stream()
        self._turn = (self._turn + 1) % len(self._lanes)
        in_turn = self._lanes[self._turn :] + self._lanes[: self._turn]
        usable = [lane for lane in in_turn if lane.usable()]
        return min(usable or in_turn, key=_Lane.under_way).stream()

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As the plain channel."""
        return self._plain.unary_stream(*args, **kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """As the plain channel."""
        return self._plain.stream_unary(*args, **kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As the plain channel."""
        return self._plain.stream_stream(*args, **kwargs)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 gRPC's
        """As the plain channel."""
        return self._plain.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """As the plain channel."""
        await self._plain.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """As the plain channel."""
        await self._plain.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Close the streams and the plain channel; calls under way fail as UNAVAILABLE."""
        await asyncio.gather(*(lane.end() for lane in self._lanes))
        await asyncio.gather(
            *(channel.close(grace) for channel in {self._plain, *(lane.channel for lane in self._lanes)})
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()


class _Lane:
    """Where calls go to one instance, or to any: a stream at a time, and those before it until they are through."""

    def __init__(self, channel: grpc.aio.Channel, credential: Callable[[], Metadata]) -> None:
        self.channel = channel
        self._credential = credential
        self._exchange: Any = CallServiceStub(channel).Exchange
        self._stream: CallStream | None = None
        self._open: set[CallStream] = set()

    def under_way(self) -> int:
        """Return how many calls wait for their answer on what takes new ones."""
        return 0 if self._stream is None or self._stream.closing else self._stream.under_way

    def usable(self) -> bool:
        """Return whether an instance is known to be there; when not, one is looked for."""
        if self._stream is not None and self._stream.proven and not self._stream.closing:
            return True
        return self.channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    def stream(self) -> CallStream:
        """Return what takes new calls."""
        if self._stream is None or self._stream.closing:
            self._stream = CallStream(self._exchange(metadata=self._credential()), self._open.discard)
            self._open.add(self._stream)
        return self._stream

    async def end(self) -> None:
        """Break everything off."""
        await asyncio.gather(*(stream.end() for stream in self._open))
