"""Random work on a few accounts while the stack is killed, stopped, restarted and cut off: every promise made is kept.

`GATEPOST_FAULTS=full` makes it half an hour (`GATEPOST_HISTORY_SECONDS` any other time, both tests together) and writes
reports into docs/reports; `GATEPOST_HISTORY_SEED` repeats the choices of a run.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from random import SystemRandom

import pytest
import pytest_asyncio
from conftest import GatepostStack, TestPostgres
from faults import cut_off, history_report, history_run
from faults.fault_proxy import FaultProxy
from faults.history_workers import Dose

SECONDS = 20.0
FULL_SECONDS = 900.0
REPORTS = Path(__file__).parents[2] / "docs" / "reports"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxied(
    make_stack: Callable[..., GatepostStack], postgres: TestPostgres, valkey_url: Callable[[], str]
) -> AsyncIterator[tuple[GatepostStack, Mapping[str, FaultProxy]]]:
    """Yield a stack that can be cut off from its storage, and the proxies that do it."""
    async with cut_off.proxied(postgres, valkey_url) as (proxies, settings):
        stack = make_stack(**history_run.SETTINGS, **settings)
        await asyncio.to_thread(stack.up, "--no-demo", "--gateways=2", "--auth=2")
        yield stack, proxies
        await asyncio.to_thread(stack.down)


async def test_no_history_breaks_a_promise_whatever_dies(
    fragile: GatepostStack, capsys: pytest.CaptureFixture[str]
) -> None:
    await judge(fragile, {}, "histories-killed", capsys)


async def test_no_history_breaks_a_promise_whatever_is_cut_off(
    proxied: tuple[GatepostStack, Mapping[str, FaultProxy]], capsys: pytest.CaptureFixture[str]
) -> None:
    await judge(*proxied, "histories-cut-off", capsys)


async def judge(
    stack: GatepostStack, proxies: Mapping[str, FaultProxy], report: str, capsys: pytest.CaptureFixture[str]
) -> None:
    full = FULL_SECONDS if os.environ.get("GATEPOST_FAULTS") == "full" else SECONDS
    seconds = float(os.environ.get("GATEPOST_HISTORY_SECONDS") or 2 * full) / 2
    seed = int(os.environ.get("GATEPOST_HISTORY_SEED") or SystemRandom().randrange(10**6))
    apps = await asyncio.to_thread(history_run.prepare, stack)
    found = await history_run.run(stack, apps, seconds, seed, Dose(), proxies)
    with capsys.disabled():
        print("", *history_report.lines(found), sep="\n")  # noqa: T201
    if seconds > SECONDS:
        history_report.write(found, REPORTS, report)
    assert found.faults
    assert found.operations["look", "ok"]
    assert [(number, each.rule, each.text) for number, each in found.broken] == []
