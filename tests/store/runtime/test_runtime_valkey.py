"""The Valkey client when the server hangs, is gone, comes back or is crowded."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis
from store.auth.engines import cluster_of_one

from gatepost_cli.embedded import valkey as embedded
from gatepost_cli.embedded.valkey import ValkeyServer
from runtime.errors import GatepostError, Reason
from runtime.valkey import Script, Valkey

PASSWORD = "a password of the tests"
COUNT = Script("return redis.call('INCR', KEYS[1])")
Connect = Callable[..., Valkey]
REFUSED_SECONDS = 1.9  # one and a half, or one for what goes together; the rest is for a busy machine
SLOW = Script("local n = 0; for i = 1, 3000000 do n = n + i end; return n")


# A connection that is given up while it is being made is left to the garbage collector by redis-py, which closes it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def garbage() -> Iterator[None]:
    """Collect it here, where it may be there."""
    yield
    gc.collect()


@pytest.fixture(params=[1, 100], ids=["alone", "together"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Connect as with and without coalescing."""
    return partial(Valkey.connect, together=request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own-valkey")


@pytest_asyncio.fixture(loop_scope="session")
async def server(folder: Path) -> AsyncIterator[ValkeyServer]:
    """A server of our own, to be ill-treated."""
    started = await embedded.start(folder, password=PASSWORD, durable=True)
    yield started
    await started.stop()


async def refused(call: Any) -> float:
    """Await a call that must fail as UNAVAILABLE; return how many seconds it took."""
    started = time.monotonic()
    with pytest.raises(GatepostError) as caught:
        await call
    assert (caught.value.reason, caught.value.retry_after_seconds) == (Reason.UNAVAILABLE, 1)
    return time.monotonic() - started


async def reads_of(valkey: Valkey) -> int:
    """Return how often the server has read from a connection."""
    stats: dict[str, int] = await valkey.command("INFO", "stats")
    return stats["total_reads_processed"]


async def until_usable(valkey: Valkey, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await valkey.ready():  # noqa: ASYNC110 another process's state
            await asyncio.sleep(0.05)


async def test_a_hung_server_is_unavailable_within_two_seconds_and_usable_after(
    connect: Connect, server: ValkeyServer
) -> None:
    valkey = connect(server.url)
    await asyncio.gather(*(valkey.run(COUNT, "n") for _ in range(5)))
    server.process.send_signal(signal.SIGSTOP)
    try:
        seconds = await asyncio.gather(*(refused(valkey.run(COUNT, "n")) for _ in range(100)))
        assert max(seconds) < REFUSED_SECONDS
        assert not await valkey.ready()
    finally:
        server.process.send_signal(signal.SIGCONT)
    await until_usable(valkey, 5)
    assert await asyncio.gather(*(valkey.command("ECHO", "x") for _ in range(20))) == [b"x"] * 20
    await valkey.close()


async def test_a_restarted_server_is_found_and_knows_the_scripts_again(
    connect: Connect, folder: Path, server: ValkeyServer
) -> None:
    valkey = connect(server.url)
    before = await valkey.run(COUNT, "kept")
    await server.stop()
    second = await embedded.start(folder, password=PASSWORD, durable=True)
    # A pooled connection that died is no failure, nor is it one of several commands that go together.
    assert await valkey.run(COUNT, "kept") == before + 1
    await second.stop()
    second = await embedded.start(folder, password=PASSWORD, durable=True)
    assert max(await asyncio.gather(*(valkey.run(COUNT, "kept") for _ in range(3)))) == before + 4
    await second.stop()
    assert await refused(valkey.run(COUNT, "kept")) < 1
    assert not await valkey.ready()
    third = await embedded.start(folder, password=PASSWORD, durable=True)
    await until_usable(valkey, 5)
    assert await valkey.run(COUNT, "kept") == before + 5
    await valkey.close()
    await third.stop()


async def test_more_commands_than_connections_wait_their_turn(connect: Connect, valkey_url: Callable[[], str]) -> None:
    valkey = connect(valkey_url(), max_connections=4)
    assert sorted(await asyncio.gather(*(valkey.run(COUNT, "n") for _ in range(300)))) == list(range(1, 301))
    await valkey.close()


async def test_waiting_for_a_turn_ends_as_unavailable(connect: Connect, server: ValkeyServer) -> None:
    valkey = connect(server.url, max_connections=1, timeout_seconds=0.3)
    server.process.send_signal(signal.SIGSTOP)
    try:
        seconds = await asyncio.gather(*(refused(valkey.run(COUNT, "n")) for _ in range(5)))
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert max(seconds) < 2
    await until_usable(valkey, 5)
    await valkey.close()


async def test_a_caller_that_gives_up_frees_its_turn(connect: Connect, valkey_url: Callable[[], str]) -> None:
    valkey = connect(valkey_url(), max_connections=1)
    calls = [asyncio.ensure_future(valkey.run(SLOW, "n")) for _ in range(3)]
    await asyncio.sleep(0.01)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert await valkey.run(COUNT, "n") == 1
    await valkey.close()


async def test_a_mistake_of_ours_is_not_taken_for_a_lost_server(
    connect: Connect, valkey_url: Callable[[], str]
) -> None:
    valkey = connect(valkey_url())
    with pytest.raises(redis.ResponseError):
        await valkey.run(Script("return redis.call('NONSENSE')"), "n")
    await valkey.close()


async def test_a_mistake_among_commands_sent_together_is_its_own(
    connect: Connect, valkey_url: Callable[[], str]
) -> None:
    valkey = connect(valkey_url())
    nonsense = Script("return redis.call('NONSENSE')")
    scripts = [COUNT, nonsense, COUNT]
    first, wrong, last = await asyncio.gather(*(valkey.run(each, "n") for each in scripts), return_exceptions=True)
    assert {first, last} == {1, 2}
    assert isinstance(wrong, redis.ResponseError)
    await valkey.close()


async def test_commands_of_one_moment_are_read_by_the_server_at_once(server: ValkeyServer) -> None:
    valkey = Valkey.connect(server.url, together=100)
    assert await valkey.ready()
    before = await reads_of(valkey)
    assert await asyncio.gather(*(valkey.command("ECHO", str(n)) for n in range(50))) == [b"%d" % n for n in range(50)]
    assert await reads_of(valkey) - before <= 3
    await valkey.close()


async def test_a_full_server_is_unavailable(connect: Connect, server: ValkeyServer) -> None:
    valkey = connect(server.url)
    await valkey.command("CONFIG", "SET", "maxmemory", "1")
    await refused(valkey.run(Script("return redis.call('SET', KEYS[1], ARGV[1])"), "n", "x"))
    await valkey.close()


async def test_a_cluster_that_is_gone_is_unavailable_within_two_seconds(connect: Connect, tmp_path: Path) -> None:
    with cluster_of_one(tmp_path / "one") as url:
        valkey = connect(url)
        assert await valkey.run(COUNT, "n") == 1
        assert await asyncio.gather(*(valkey.run(COUNT, "n") for _ in range(200)))
    assert await refused(valkey.run(COUNT, "n")) < REFUSED_SECONDS
    assert await refused(valkey.command("GET", "n")) < REFUSED_SECONDS
    assert not await valkey.ready()
    await valkey.close()


async def test_a_cluster_that_was_never_there_is_unavailable(connect: Connect, unused_tcp_port: int) -> None:
    valkey = connect(f"redis+cluster://127.0.0.1:{unused_tcp_port}")
    assert await refused(valkey.run(COUNT, "n")) < REFUSED_SECONDS
    assert not await valkey.ready()
    await valkey.close()
