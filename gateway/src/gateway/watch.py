"""Watching a service for changes: a stream of ChangeService that keeps a memory right, opened when somebody asks it.

A pong proves that every change committed before its ping was sent has come, and for how long the memory may be used is
reckoned from that moment. So neither a stream that hangs nor messages that were held up, here or there, make anything
old pass for certain. `kept` constructs it; it knows nothing of what is remembered.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import grpc
from prometheus_client import Gauge

from gatepost.runtime.v1.changes_pb2 import WatchChangesRequest
from gatepost.runtime.v1.changes_pb2_grpc import ChangeServiceStub
from gateway.memory import EVERYTHING, Memory
from runtime.credentials import Metadata
from runtime.logs import get_logger

# A change shows at most so much later, and what is left of the second is for the way of a request.
_COVER_SECONDS = 0.75
_PING_SECONDS = 0.25
# A pong this late, and the next stream, to another instance if there is one, is worth more than this one.
_OVERDUE_SECONDS = 2.0
_PAUSE_SECONDS = 0.1
_CATCH_UP_SECONDS = 0.5
_CONNECTED = Gauge("gatepost_watch_connected", "Whether changes of a service are heard, by service.", ["service"])


class Watch:
    """Tells a memory what changes in a service.

    Args:
        service: Its name, for the metrics.
        channel: To the service.
        credential: Returns metadata that proves who calls.
        memory: What is told.
        clock: The memory's.
    """

    def __init__(
        self,
        service: str,
        channel: grpc.aio.Channel,
        credential: Callable[[], Metadata],
        memory: Memory[Any],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._service = service
        self._open: Any = ChangeServiceStub(channel).WatchChanges
        self._credential = credential
        self._memory = memory
        self._clock = clock
        self._connected = _CONNECTED.labels(service)
        self._in_force = False
        self._number = 0
        self._sent: dict[int, float] = {}  # pings that are not answered
        self._hurry = asyncio.Event()
        self._catching_up: dict[asyncio.Future[None], int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; nothing is opened before somebody asks the memory."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def catch_up(self) -> None:
        """Wait until every change committed before now has come; forget everything if that cannot be had soon."""
        if not self._in_force:
            self._memory.forget((EVERYTHING,))
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._catching_up[done] = self._number + 1
        self._hurry.set()
        self._memory.asked.set()
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                await done
        except TimeoutError:
            self._memory.forget((EVERYTHING,))
        finally:
            del self._catching_up[done]

    async def _run(self) -> None:
        while True:
            await self._memory.asked.wait()
            try:
                why = await self._follow(self._open(metadata=self._credential()))
            except Exception as exc:  # noqa: BLE001 whatever it is, the next stream may fare better
                why = exc
            self._broken(why)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self, stream: Any) -> BaseException | None:
        """Watch until the stream ends; return why, None if the service ended it."""
        parts = {asyncio.create_task(self._hear(stream)), asyncio.create_task(self._ping(stream))}
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            return ended.pop().exception()
        finally:
            self._memory.covered_until = 0
            stream.cancel()
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    def _broken(self, why: BaseException | None) -> None:
        if self._in_force:  # said once, however often it cannot be opened anew
            get_logger().info("changes are not heard", service=self._service, error=type(why).__name__ if why else "")
        self._in_force = False
        self._connected.set(0)
        self._sent.clear()
        for done in self._catching_up:
            if not done.done():
                done.set_exception(TimeoutError())

    async def _ping(self, stream: Any) -> None:
        """Ask for pongs for as long as somebody asks the memory."""
        while True:
            await self._memory.asked.wait()
            self._memory.asked.clear()
            self._hurry.clear()
            now = self._clock()
            if self._sent and now - next(iter(self._sent.values())) > _OVERDUE_SECONDS:
                raise TimeoutError
            self._number += 1
            self._sent[self._number] = now
            async with asyncio.timeout(_OVERDUE_SECONDS):
                await stream.write(WatchChangesRequest(ping=self._number))
            with suppress(TimeoutError):
                async with asyncio.timeout(_PING_SECONDS):
                    await self._hurry.wait()

    async def _hear(self, stream: Any) -> None:
        while (told := await stream.read()) is not grpc.aio.EOF:
            self._memory.forget(told.keys)
            sent = self._sent.get(told.pong)
            if sent is not None:
                self._answered(told.pong, sent)

    def _answered(self, pong: int, sent: float) -> None:
        if not self._in_force:
            self._memory.forget((EVERYTHING,))  # what was kept before may have changed unheard
            self._in_force = True
            self._connected.set(1)
        self._memory.covered_until = sent + _COVER_SECONDS
        for number in [number for number in self._sent if number <= pong]:
            del self._sent[number]
        for done, number in self._catching_up.items():
            if number <= pong and not done.done():
                done.set_result(None)
