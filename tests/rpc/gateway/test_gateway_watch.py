"""How far a gateway trusts what it is told: a service that answers pings when a test lets it, over gRPC."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import grpc
import pytest_asyncio

from gatepost.runtime.v1.changes_pb2 import WatchChangesRequest, WatchChangesResponse
from gatepost.runtime.v1.changes_pb2_grpc import ChangeServiceServicer, add_ChangeServiceServicer_to_server
from gatepost.users.v1.profiles_pb2 import Profile
from gateway.memory import Memory
from gateway.watch import Watch
from runtime.credentials import ServiceKeys
from runtime.grpc_client import connect
from runtime.grpc_server import GrpcServer

KEY = "a-service-key-of-the-tests-alone-42-characters"
SECONDS = 5
COVER_SECONDS = 0.75


class Teller(ChangeServiceServicer):
    """Where a service would be: its streams, and what it answers."""

    def __init__(self) -> None:
        self.opened = 0
        self.pings: list[int] = []
        self.answers = True
        self.say: asyncio.Queue[WatchChangesResponse | None] = asyncio.Queue()

    async def WatchChanges(
        self, request_iterator: AsyncIterator[WatchChangesRequest], _context: Any
    ) -> AsyncIterator[WatchChangesResponse]:
        self.opened += 1
        reading = asyncio.create_task(self._read(request_iterator))
        while (told := await self.say.get()) is not None:
            yield told
        reading.cancel()

    async def _read(self, pings: AsyncIterator[WatchChangesRequest]) -> None:
        async for request in pings:
            self.pings.append(request.ping)
            if self.answers:
                self.say.put_nowait(WatchChangesResponse(pong=request.ping))


@dataclass
class Place:
    """A gateway's memory that watches the teller."""

    teller: Teller
    memory: Memory[Profile]
    watch: Watch
    kept: Profile = field(default_factory=lambda: Profile(user_id="ann"))

    async def keep(self) -> None:
        async def answer() -> Profile:
            return self.kept

        await self.memory.load("ann", answer())

    async def covered(self) -> float:
        """Let somebody ask; return until when it is covered once it is."""
        self.memory.find("nobody")
        async with asyncio.timeout(SECONDS):
            while self.memory.covered_until < monotonic():  # noqa: ASYNC110 no event says it
                await asyncio.sleep(0.005)
        return self.memory.covered_until

    async def heard(self, ping: int) -> None:
        async with asyncio.timeout(SECONDS):
            while ping not in self.teller.pings:  # noqa: ASYNC110 likewise
                await asyncio.sleep(0.005)


@pytest_asyncio.fixture(loop_scope="session")
async def place() -> AsyncIterator[Place]:
    teller, keys = Teller(), ServiceKeys([KEY])
    server = GrpcServer(service="user-service", listen="127.0.0.1:0", keys=keys, allowed_callers=frozenset({"gateway"}))
    server.add(add_ChangeServiceServicer_to_server, teller, "gatepost.runtime.v1.ChangeService")
    await server.start()
    memory: Memory[Profile] = Memory(
        "test", keys=lambda profile: (f"profile:{profile.user_id}",), lives=lambda _profile: 30, entries=10
    )
    async with connect(f"127.0.0.1:{server.port}", issuer="gateway", audience="user-service", keys=keys) as channel:
        watch = Watch("user-service", channel, lambda: credential(keys), memory)
        watch.start()
        yield Place(teller, memory, watch)
        await watch.stop()
    await server.stop(0)


def credential(keys: ServiceKeys) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {keys.mint('gateway', 'user-service')}"),)


async def test_nothing_is_watched_before_somebody_asks(place: Place) -> None:
    await asyncio.sleep(0.1)
    assert place.teller.opened == 0
    await place.covered()
    assert place.teller.opened == 1


async def test_nobody_is_pinged_while_nobody_asks(place: Place) -> None:
    await place.covered()
    await asyncio.sleep(0.7)
    assert place.teller.pings == [1]


async def test_it_is_covered_from_the_ping_on_however_late_the_pong(place: Place) -> None:
    place.teller.answers = False
    before = monotonic()
    place.memory.find("nobody")
    await place.heard(1)
    sent = monotonic()
    await asyncio.sleep(0.3)
    place.teller.say.put_nowait(WatchChangesResponse(pong=1))
    assert before < await place.covered() - COVER_SECONDS < sent


async def test_a_pong_that_is_too_late_covers_nothing(place: Place) -> None:
    place.teller.answers = False
    place.memory.find("nobody")
    await place.heard(1)
    await asyncio.sleep(COVER_SECONDS)
    place.teller.say.put_nowait(WatchChangesResponse(pong=1))
    await asyncio.sleep(0.1)
    assert place.memory.covered_until < monotonic()


async def test_what_was_kept_before_the_first_pong_is_forgotten(place: Place) -> None:
    await place.keep()
    await place.covered()
    assert place.memory.find("ann") is None


async def test_what_is_told_is_forgotten(place: Place) -> None:
    await place.covered()
    await place.keep()
    assert place.memory.find("ann") is place.kept
    place.teller.say.put_nowait(WatchChangesResponse(keys=["profile:ann"], pong=1))
    async with asyncio.timeout(SECONDS):
        while place.memory.find("ann"):  # noqa: ASYNC110 likewise
            await asyncio.sleep(0.005)


async def test_a_stream_that_ends_covers_nothing_and_another_begins_with_nothing(place: Place) -> None:
    await place.covered()
    await place.keep()
    place.teller.say.put_nowait(None)
    async with asyncio.timeout(SECONDS):
        while place.memory.covered_until:  # noqa: ASYNC110 likewise
            await asyncio.sleep(0.005)
    await place.covered()
    assert place.teller.opened == 2
    assert place.memory.find("ann") is None


async def test_who_catches_up_waits_for_a_later_ping(place: Place) -> None:
    await place.covered()
    place.teller.answers = False
    await place.keep()
    catching_up = asyncio.create_task(place.watch.catch_up())
    await place.heard(2)
    place.teller.say.put_nowait(WatchChangesResponse(pong=1))
    await asyncio.sleep(0.05)
    assert not catching_up.done()
    place.teller.say.put_nowait(WatchChangesResponse(pong=2))
    await catching_up
    assert place.memory.find("ann") is place.kept


async def test_who_cannot_catch_up_forgets_everything(place: Place) -> None:
    await place.keep()
    await place.watch.catch_up()  # nothing is watched yet
    assert place.memory.find("ann") is None
    await place.covered()
    place.teller.answers = False
    await place.keep()
    await place.watch.catch_up()
    assert place.memory.find("ann") is None


async def test_a_service_without_it_leaves_the_gateway_asking(place: Place) -> None:
    lonely: Memory[Profile] = Memory("test", keys=lambda _profile: (), lives=lambda _profile: 30, entries=10)
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        watch = Watch("user-service", channel, tuple, lonely)
        watch.start()
        lonely.find("nobody")
        await asyncio.sleep(0.3)
        assert lonely.covered_until == 0
        await watch.stop()
