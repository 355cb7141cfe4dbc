"""What who watches is told, and what a pong proves: over gRPC, from a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio
from rpc.runtime.echo import KEY, connect

from gatepost.runtime.v1.changes_pb2 import WatchChangesRequest
from gatepost.runtime.v1.changes_pb2_grpc import ChangeServiceStub
from runtime.changes import Changes, Watcher
from runtime.credentials import ServiceKeys
from runtime.grpc_server import GrpcServer

SECONDS = 5
LISTENERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'echo changes' AND datname = current_database()"
)
Say = Callable[[str], Awaitable[None]]


@dataclass
class Stream:
    """A watch, as a gateway has it."""

    call: Any

    async def ping(self, number: int) -> list[str]:
        """Return what is told until the ping is answered."""
        await self.call.write(WatchChangesRequest(ping=number))
        keys: list[str] = []
        async with asyncio.timeout(SECONDS):
            while True:
                told = await self.call.read()
                assert told is not grpc.aio.EOF
                keys += told.keys
                if told.pong == number:
                    return keys

    async def end(self) -> None:
        """Wait until the service ends it."""
        async with asyncio.timeout(SECONDS):
            while await self.call.read() is not grpc.aio.EOF:
                pass


@dataclass
class Teller:
    """A server that tells, and its database."""

    changes: Changes
    target: str
    channel: grpc.aio.Channel
    database: "asyncpg.Connection[asyncpg.Record]"

    def watch(self, issuer: str = "gateway") -> Stream:
        stub: Any = ChangeServiceStub(self.channel)
        credential = ServiceKeys([KEY]).mint(issuer, "echo")
        return Stream(stub.WatchChanges(metadata=(("authorization", f"Bearer {credential}"),)))

    async def change(self, key: str) -> None:
        await self.database.execute("SELECT pg_notify('gatepost_changes', $1)", key)

    async def listeners(self) -> int:
        return int(await self.database.fetchval(LISTENERS))


@pytest_asyncio.fixture(loop_scope="session")
async def teller(postgres: Any) -> AsyncIterator[Teller]:
    dsn = postgres.create_database()
    changes = Changes(dsn, "echo")
    server = GrpcServer(
        service="echo", listen="127.0.0.1:0", keys=ServiceKeys([KEY]), allowed_callers=frozenset({"gateway", "cli"})
    )
    changes.mount(server)
    await server.start()
    target = f"127.0.0.1:{server.port}"
    database = await asyncpg.connect(dsn)
    async with connect(target, coalescing=False) as channel:
        yield Teller(changes, target, channel, database)
    await changes.close()
    await server.stop(SECONDS)
    await database.close()


async def test_what_was_committed_before_a_ping_is_told_before_its_pong(teller: Teller) -> None:
    watch = teller.watch()
    assert await watch.ping(1) == []
    for number in range(2, 100):
        await teller.change(f"account:{number}")
        assert await watch.ping(number) == [f"account:{number}"]


async def test_changes_are_told_unasked(teller: Teller) -> None:
    watch = teller.watch()
    await watch.ping(1)
    await teller.change("account:1")
    assert list((await watch.call.read()).keys) == ["account:1"]


async def test_all_who_watch_are_told(teller: Teller) -> None:
    watches = [teller.watch(), teller.watch()]
    for watch in watches:
        await watch.ping(1)
    await teller.change("account:1")
    assert [await watch.ping(2) for watch in watches] == [["account:1"], ["account:1"]]
    assert await teller.listeners() == 1


async def test_nobody_listens_before_somebody_watches(teller: Teller) -> None:
    assert await teller.listeners() == 0
    await teller.watch().ping(1)
    assert await teller.listeners() == 1


async def test_a_watch_ends_when_postgresql_is_lost_and_another_can_begin(teller: Teller) -> None:
    watch = teller.watch()
    await watch.ping(1)
    await teller.database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'echo changes'"
    )
    await watch.end()
    again = teller.watch()
    await again.ping(1)
    await teller.change("account:1")
    assert await again.ping(2) == ["account:1"]


async def test_a_connection_that_does_not_listen_any_more_proves_nothing(teller: Teller) -> None:
    watch = teller.watch()
    await watch.ping(1)
    assert teller.changes._connection is not None
    await teller.changes._connection.execute("UNLISTEN *")
    await watch.call.write(WatchChangesRequest(ping=2))
    await watch.end()


async def test_who_is_too_slow_is_let_go() -> None:
    watcher = Watcher()
    for number in range(10_000):
        watcher.put(f"account:{number}")
    assert not watcher.over
    watcher.put("account:one-too-many")
    assert await watcher.take() is None


async def test_a_service_that_ends_lets_its_watches_go_first(teller: Teller) -> None:
    watch = teller.watch()
    await watch.ping(1)
    await teller.changes.close()
    await watch.end()
    assert await teller.watch().call.read() is grpc.aio.EOF


@pytest.mark.parametrize("issuer", ["cli", "stranger"])
async def test_only_the_gateway_may_watch(teller: Teller, issuer: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await teller.watch(issuer).call.read()
    assert caught.value.code() in {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}
