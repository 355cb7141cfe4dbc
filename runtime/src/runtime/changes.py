"""What changes in a service's database, told to whoever keeps answers of the service: the ChangeService.

Triggers notify `gatepost_changes` (migrations `*_changes.sql`); each instance listens on a connection of its own and
tells all who watch, whichever instance or tool made the change. `main` constructs and mounts it. It does not know what
keys mean, and holds no SQL but the round trip that proves the connection.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import grpc

from gatepost.runtime.v1.changes_pb2 import WatchChangesRequest, WatchChangesResponse
from gatepost.runtime.v1.changes_pb2_grpc import ChangeServiceServicer, add_ChangeServiceServicer_to_server
from runtime.coalescing import Coalesced
from runtime.errors import GatepostError, Reason
from runtime.grpc_server import GrpcServer
from runtime.logs import get_logger
from runtime.postgres import LOST

_CHANNEL = "gatepost_changes"
# Of the very backend that was connected to, and which listens: a pooler in between would lend us any.
_PROOF = "SELECT pg_backend_pid() WHERE $1 IN (SELECT pg_listening_channels())"
_TIMEOUT_SECONDS = 1.0
_MOST_WAITING = 10_000  # keys, for one who watches: half a megabyte
_MOST_PINGS = 1000
_SERVICE_NAME = "gatepost.runtime.v1.ChangeService"
_CALLERS = frozenset({"gateway"})

Connection = asyncpg.Connection


class Watcher:
    """One who watches: what he has not been told yet. `over` once he may have missed something."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.pong = 0
        self.over = False
        self.something = asyncio.Event()

    def put(self, key: str) -> None:
        """Add a key; one too many and it is over, which is what bounds the memory of a slow one."""
        if len(self.keys) < _MOST_WAITING:
            self.keys.append(key)
        else:
            self.over = True
        self.something.set()

    def end(self) -> None:
        """Let his stream end."""
        self.over = True
        self.something.set()

    async def take(self) -> WatchChangesResponse | None:
        """Wait for something to tell; None when it is over."""
        await self.something.wait()
        self.something.clear()
        if self.over:
            return None
        keys, self.keys = self.keys, []
        return WatchChangesResponse(keys=keys, pong=self.pong)


class Changes(ChangeServiceServicer):
    """Listens from the first ping on, and tells. See proto/gatepost/runtime/v1/changes.proto.

    Args:
        dsn: The service's database, reached without a pooler in between.
        application_name: For pg_stat_activity.
    """

    def __init__(self, dsn: str, application_name: str) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._connection: Connection[asyncpg.Record] | None = None
        self._pid = 0
        self._watchers: set[Watcher] = set()
        self._closed = False
        # Pings of many gateways share a round trip, which begins after all of them were sent.
        self._proven = Coalesced(self._prove, most=_MOST_PINGS)

    def mount(self, server: GrpcServer) -> None:
        """Let the gateway watch."""
        server.add(add_ChangeServiceServicer_to_server, self, _SERVICE_NAME, callers=_CALLERS)

    async def WatchChanges(  # noqa: N802 the contract's
        self,
        request_iterator: AsyncIterator[WatchChangesRequest],
        _context: "grpc.aio.ServicerContext[WatchChangesRequest, WatchChangesResponse]",
    ) -> AsyncIterator[WatchChangesResponse]:
        """Tell until the caller goes, or may have missed something."""
        watcher = Watcher()
        if self._closed:
            return
        self._watchers.add(watcher)
        answering = asyncio.create_task(self._answer(request_iterator, watcher))
        try:
            while (told := await watcher.take()) is not None:
                yield told
        finally:
            self._watchers.discard(watcher)
            answering.cancel()

    async def close(self) -> None:
        """End every stream, so that who watches goes to another instance, and stop listening."""
        self._closed = True
        await self._drop()

    async def _answer(self, pings: AsyncIterator[WatchChangesRequest], watcher: Watcher) -> None:
        try:
            async for request in pings:
                await self._proven(request.ping)
                watcher.pong = request.ping
                watcher.something.set()
        except Exception as exc:  # noqa: BLE001 whatever it meets, the caller opens another stream
            get_logger().debug("watch ended", error=str(exc))
        finally:
            watcher.end()

    async def _prove(self, pings: Sequence[int]) -> Sequence[None]:
        """See that everything committed so far has been told.

        PostgreSQL signals who listens before it answers a COMMIT, and sends notifications before it says that it is
        ready for the next statement; asyncpg hands them on in that order.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                connection = await self._listening()
                if await connection.fetchval(_PROOF, _CHANNEL) != self._pid:
                    raise ConnectionError("the connection is shared with others")
        except (*LOST, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            get_logger().warning("changes cannot be heard", error=type(exc).__name__)
            await self._drop()
            raise GatepostError(Reason.UNAVAILABLE, retry_after_seconds=1) from exc
        return [None] * len(pings)

    async def _listening(self) -> "Connection[asyncpg.Record]":
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._dsn, server_settings={"application_name": f"{self._application_name} changes"}
            )
            self._pid = self._connection.get_server_pid()
            self._connection.add_termination_listener(self._lost)
            await self._connection.add_listener(_CHANNEL, self._heard)
        return self._connection

    def _heard(self, _connection: object, _pid: int, _channel: str, key: object) -> None:
        for watcher in self._watchers:
            watcher.put(str(key))

    def _lost(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
            for watcher in self._watchers:
                watcher.end()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        for watcher in self._watchers:
            watcher.end()
        if connection is not None:
            connection.terminate()
