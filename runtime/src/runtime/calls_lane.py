"""Where calls go to one instance of a service, or to any of them; made and chosen by `calls_channel`.

It knows whether the instance is there. One that hangs is looked for by a probe, which opens stream after stream until
the server greets on one; until then nothing else goes there.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

import grpc

from gatepost.runtime.v1.calls_pb2_grpc import CallServiceStub
from runtime.calls_stream import CallStream
from runtime.credentials import Metadata
from runtime.logs import get_logger

_PROBE_SECONDS = 1.0
_PROBE_PAUSE_SECONDS = 0.1


class Lane:
    """A stream at a time, and those before it until they are through.

    Args:
        channel: To the instance, or to any.
        credential: Returns metadata with a credential for a new stream.
        service: Whose instance it is, for the log.
    """

    def __init__(self, channel: grpc.aio.Channel, credential: Callable[[], Metadata], service: str) -> None:
        self.channel = channel
        self._credential = credential
        self._service = service
        self._exchange: Any = CallServiceStub(channel).Exchange
        self._stream: CallStream | None = None
        self._open: set[CallStream] = set()
        self._probing: asyncio.Task[None] | None = None

    @property
    def hangs(self) -> bool:
        """Whether it has stopped answering; then a probe looks for it, and nothing else goes there."""
        return self._probing is not None

    def under_way(self) -> int:
        """Return how many calls wait for their answer on what takes new ones."""
        return 0 if self._stream is None or self._stream.closing else self._stream.under_way

    def usable(self) -> bool:
        """Return whether an instance is known to be there; when not, one is looked for."""
        return self.state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    def away(self) -> bool:
        """Return whether no instance is known to be there: it could not be connected to."""
        return self.state(try_to_connect=True) is grpc.ChannelConnectivity.TRANSIENT_FAILURE

    def state(self, *, try_to_connect: bool) -> grpc.ChannelConnectivity:
        """Return what is known of it."""
        if self.hangs:
            return grpc.ChannelConnectivity.TRANSIENT_FAILURE
        if self._stream is not None and self._stream.proven and not self._stream.closing:
            doubtful = self._stream.doubtful
            return grpc.ChannelConnectivity.CONNECTING if doubtful else grpc.ChannelConnectivity.READY
        return self.channel.get_state(try_to_connect)

    def stream(self) -> CallStream:
        """Return what takes new calls."""
        if self._stream is None or self._stream.closing:
            self._stream = self._new()
        return self._stream

    async def end(self) -> None:
        """Break everything off."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})
        await asyncio.gather(*(stream.end() for stream in self._open))

    def _new(self) -> CallStream:
        stream = CallStream(self._exchange(metadata=self._credential()), self._ended)
        self._open.add(stream)
        return stream

    def _ended(self, stream: CallStream) -> None:
        self._open.discard(stream)
        if stream.hung and self._probing is None:
            probe = self._probe()  # works for no request, so it goes by none's deadline
            self._probing = asyncio.get_running_loop().create_task(probe, context=Context())

    async def _probe(self) -> None:
        """Open streams until the server greets on one."""
        get_logger().warning("an instance does not answer", service=self._service)
        while True:
            stream = self._new()
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    if await stream.greeted():
                        break
            except TimeoutError:
                await stream.end()
            await asyncio.sleep(_PROBE_PAUSE_SECONDS)
        get_logger().info("an instance answers again", service=self._service)
        self._stream, self._probing = stream, None
