"""Two instances of each service on one machine: both work, and one alone does while the other is killed and comes back.

The kernel shares connections out among the gateways (SO_REUSEPORT), each caller its calls among the instances of a
service (`round_robin`).
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from conftest import GatepostStack
from dialects.ihopr_client import Ihopr, app_maker
from prometheus_client.parser import text_string_to_metric_families

_REQUESTS = 200
_LEAST_SHARE = 0.15  # of two; which gateway a connection goes to is the kernel's hash
_BACK_SECONDS = 60
_SERVICES = ("gateway", "auth-service", "user-service")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(pairs: GatepostStack) -> AsyncIterator[Ihopr]:
    connector = TCPConnector(force_close=True)  # each request may go to either gateway
    async with ClientSession(connector=connector, timeout=ClientTimeout(20)) as session:
        yield Ihopr(session, pairs.url)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def token(pairs: GatepostStack, client: Ihopr) -> str:
    app = await asyncio.to_thread(app_maker(pairs))
    return str((await client.signed_in(app))[1]["access_token"])


async def test_each_instance_takes_its_share(pairs: GatepostStack, client: Ihopr, token: str) -> None:
    processes = [each for each in pairs.status()["processes"] if each["name"] in _SERVICES]
    before = [await served(each) for each in processes]
    for _ in range(_REQUESTS):
        await client.success("GET", "user", token=token)
    took = [await served(each) - was for each, was in zip(processes, before, strict=True)]
    for name in _SERVICES:
        shares = [count for each, count in zip(processes, took, strict=True) if each["name"] == name]
        assert len(shares) == 2
        assert min(shares) >= _LEAST_SHARE * sum(shares) > 0, (name, shares)


@pytest.mark.parametrize("name", _SERVICES)
async def test_traffic_goes_on_while_a_killed_instance_comes_back(
    pairs: GatepostStack, client: Ihopr, token: str, name: str
) -> None:
    statuses: list[int | str] = []
    killed = of(pairs, name)[1]
    done = asyncio.Event()
    asking = asyncio.create_task(keep_asking(client, token, statuses, done))
    os.kill(killed["pid"], signal.SIGKILL)
    async with asyncio.timeout(_BACK_SECONDS):
        while not await asyncio.to_thread(back, pairs, name, killed["pid"]):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
    since = len(statuses)
    await asyncio.sleep(0.5)
    done.set()
    await asking
    assert set(statuses) <= {200, 503, "connection lost"}
    assert statuses.count(200) > 0.9 * len(statuses), statuses
    assert set(statuses[since:]) == {200}


async def keep_asking(client: Ihopr, token: str, statuses: list[int | str], done: asyncio.Event) -> None:
    while not done.is_set():
        try:
            answer = await client.call("GET", "user", token=token)
        except ClientError:
            statuses.append("connection lost")
        else:
            assert answer.status != 503 or "Retry-After" in answer.headers
            statuses.append(answer.status)
        await asyncio.sleep(0.01)


def of(stack: GatepostStack, name: str) -> list[dict[str, Any]]:
    return [each for each in stack.status()["processes"] if each["name"] == name]


def back(stack: GatepostStack, name: str, killed: int) -> bool:
    """Say whether both instances are ready again, with another process in the place of the killed one."""
    now = of(stack, name)
    return all(each["healthy"] and each["pid"] != killed for each in now)


async def served(process: dict[str, Any]) -> int:
    """Return how many requests or RPCs an instance has answered, health checks aside."""
    async with ClientSession() as session, session.get(f"{process['metrics']}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    return sum(
        int(sample.value)
        for family in families
        for sample in family.samples
        if sample.name in {"gatepost_http_seconds_count", "gatepost_rpc_seconds_count"}
        and "Health" not in sample.labels.get("method", "")
    )
