"""A channel on which calls travel together: what is asked at the same time goes in one message of a stream.

Made by `grpc_client`, used by generated stubs like any channel. Which stream of CallService a call takes is decided
here; `calls_lane` opens it, `calls_stream` carries it, `calls_server` is the other side. An instance that hangs gets no
calls until it has answered again, and when there is no other they fail at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self

import grpc

from gatepost.runtime.v1 import calls_pb2 as pb
from runtime import status
from runtime.calls_lane import Lane
from runtime.calls_stream import LARGEST_REQUEST_BYTES, CallStream, NotSentError
from runtime.context import current
from runtime.credentials import Metadata
from runtime.deadlines import allowed_seconds
from runtime.errors import GatepostError, Reason

_APART = "/grpc."  # health and reflection answer whoever asks in the plain way
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class CallChannel(grpc.aio.Channel):
    """Sends unary calls on streams, and everything else over a plain channel.

    Args:
        plain: Takes large requests, health checks and methods that stream.
        lanes: Each opens one stream at a time: a channel for each instance, or `plain` as often as there may be some.
        credential: Returns metadata with a credential for a new stream.
        service: Whose instances are called, for the log.
    """

    def __init__(
        self,
        plain: grpc.aio.Channel,
        lanes: Sequence[grpc.aio.Channel],
        credential: Callable[[], Metadata],
        service: str,
    ) -> None:
        self._plain = plain
        self._lanes = [Lane(channel, credential, service) for channel in lanes]
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
        ways = len(self._lanes)
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
            except NotSentError as exc:  # nobody has seen it: it may go by another stream
                if not ways:
                    raise exc.error from None
                ways -= 1

    def _stream(self) -> CallStream:
        """Return the stream with the fewest calls under way, the next in turn if there are several.

        Raises:
            GatepostError: UNAVAILABLE when every instance hangs.
        """
        self._turn = (self._turn + 1) % len(self._lanes)
        in_turn = self._lanes[self._turn :] + self._lanes[: self._turn]
        answering = [lane for lane in in_turn if not lane.hangs]
        if not answering:
            raise GatepostError(Reason.UNAVAILABLE, retry_after_seconds=1)
        if len(answering) == 1:
            return answering[0].stream()
        usable = [lane for lane in answering if lane.usable()] or [lane for lane in answering if not lane.away()]
        return min(usable or answering, key=Lane.under_way).stream()

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
        """Return READY if an instance is known to be there, TRANSIENT_FAILURE if every one is known to be away."""
        states = {lane.state(try_to_connect=try_to_connect) for lane in self._lanes}
        ready, away = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE
        if ready in states or states == {away}:
            return ready if ready in states else away
        return grpc.ChannelConnectivity.IDLE

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
