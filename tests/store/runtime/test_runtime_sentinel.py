"""The Valkey client behind Sentinel: a primary that dies is replaced, whoever of those who know that is away."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from free_ports import free_port, free_ports
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatepost_cli.embedded import binaries
from runtime.errors import GatepostError, Reason
from runtime.valkey import Script, Valkey

PASSWORD = "a password of the tests"
COUNT = Script("return redis.call('INCR', KEYS[1])")
STARTED_SECONDS = 15
REPLACED_SECONDS = 15


@dataclass
class Group:
    """A primary, its replica, and a Sentinel that watches them."""

    primary: subprocess.Popen[bytes]
    sentinel_port: int

    def url(self, *others: int) -> str:
        """Return the URL, with other Sentinels named before the one that is there."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in (*others, self.sentinel_port))
        return f"redis+sentinel://:{PASSWORD.replace(' ', '%20')}@{hosts}/gatepost?db=0"


@pytest_asyncio.fixture(loop_scope="session")
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    primary_port, replica_port, sentinel_port = free_ports(3)
    server = ["save ''", f"requirepass '{PASSWORD}'", f"masterauth '{PASSWORD}'"]
    watch = [
        f"sentinel monitor gatepost 127.0.0.1 {primary_port} 1",
        f"sentinel auth-pass gatepost '{PASSWORD}'",
        "sentinel down-after-milliseconds gatepost 500",
        "sentinel failover-timeout gatepost 3000",
    ]
    async with AsyncExitStack() as ending:

        def start(name: str, port: int, settings: list[str], *options: str) -> subprocess.Popen[bytes]:
            folder = tmp_path / name
            folder.mkdir()
            conf = folder / "conf"
            lines = [f"port {port}", "bind 127.0.0.1", f"dir {folder}", "loglevel warning", *settings]
            conf.write_text("\n".join(lines) + "\n", encoding="utf-8")
            process = subprocess.Popen([binaries.valkey_server(), conf, *options], stdout=subprocess.DEVNULL)
            ending.callback(process.wait)
            ending.callback(process.kill)
            return process

        primary = start("primary", primary_port, [*server, "repl-diskless-sync-delay 0"])
        start("replica", replica_port, [*server, f"replicaof 127.0.0.1 {primary_port}"])
        await until(replica_port, PASSWORD, "INFO replication", {"master_link_status": "up"})
        start("sentinel", sentinel_port, watch, "--sentinel")
        await until(sentinel_port, None, "INFO sentinel", {"master0": {"status": "ok", "slaves": 1}})
        yield Group(primary, sentinel_port)
        primary.send_signal(signal.SIGCONT)


async def until(port: int, password: str | None, question: str, answer: dict[str, object]) -> None:
    """Wait until a server says so of itself."""
    client: Any = Redis(port=port, password=password)
    async with asyncio.timeout(STARTED_SECONDS), client:
        while True:
            try:
                said = await client.execute_command(*question.split())
            except (RedisError, OSError):
                said = {}
            if all(_holds(said.get(name), wanted) for name, wanted in answer.items()):
                return
            await asyncio.sleep(0.05)


def _holds(said: object, wanted: object) -> bool:
    if isinstance(said, dict) and isinstance(wanted, dict):
        return wanted.items() <= said.items()
    return said == wanted


async def counted_on(valkey: Valkey) -> tuple[int, float]:
    """Count until that goes on; return what was counted, and the longest time that a refusal took."""
    slowest = 0.0
    async with asyncio.timeout(REPLACED_SECONDS):
        while True:
            started = time.monotonic()
            try:
                return await valkey.run(COUNT, "n"), slowest
            except GatepostError:
                slowest = max(slowest, time.monotonic() - started)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP])
async def test_work_goes_on_with_the_replica_when_the_primary_is_gone(group: Group, way: signal.Signals) -> None:
    valkey = Valkey.connect(group.url(), together=100)
    assert await asyncio.gather(*(valkey.run(COUNT, "n") for _ in range(5))) == [1, 2, 3, 4, 5]
    group.primary.send_signal(way)
    # The last that was counted may not have reached the replica, and one that was not answered may have.
    counted, slowest = await counted_on(valkey)
    assert counted > 1
    assert slowest < 2
    group.primary.send_signal(signal.SIGCONT)  # one that hung was replaced, and does not know that
    assert [await valkey.run(COUNT, "n") for _ in range(20)] == list(range(counted + 1, counted + 21))
    await valkey.close()


async def test_sentinels_that_are_away_keep_nobody_from_asking_the_next(group: Group) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        valkey = Valkey.connect(group.url(free_port(), silent.getsockname()[1]), together=100)
        started = time.monotonic()
        assert await valkey.run(COUNT, "n") == 1
        assert time.monotonic() - started < 1
        await valkey.close()


async def test_a_group_without_any_sentinel_is_unavailable(unused_tcp_port: int) -> None:
    valkey = Valkey.connect(f"redis+sentinel://127.0.0.1:{unused_tcp_port}/gatepost")
    with pytest.raises(GatepostError) as caught:
        await valkey.run(COUNT, "n")
    assert caught.value.reason is Reason.UNAVAILABLE
    assert not await valkey.ready()
    await valkey.close()
