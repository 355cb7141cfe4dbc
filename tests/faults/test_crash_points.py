"""A service dies before or after any commit and any effect outside of it; what was under way can be done, or was done.

In each run a few points of a few flows, by a seed; all of them with `GATEPOST_FAULTS=full`, which writes reports into
docs/reports.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from conftest import GatepostStack
from faults.crash_flows import FLOWS, FLOWS_OUTSIDE
from faults.crash_outside import Outside, outside
from faults.crash_points import CrashPoints
from faults.crash_sweep import Sweep, sweep
from faults.crash_world import World, open_world
from faults.history_client import opened
from faults.history_run import SETTINGS

from gatepost_cli import operate, services

SHORT_LEASES = {f"GATEPOST_{way}_TIMEOUT_SECONDS": "1" for way in ("SMTP", "SMS", "PUSH")}


@asynccontextmanager
async def crashing(
    stack: GatepostStack, points: CrashPoints, beyond: Outside | None = None
) -> AsyncIterator[tuple[World, CrashPoints]]:
    """Start a stack whose services can be told where to die."""
    await asyncio.to_thread(stack.up, "--no-demo")
    assert stack.data_dir is not None
    async with opened() as session, operate.opened(services.locate(stack.data_dir)) as rpc:
        yield await asyncio.to_thread(open_world, stack, session, rpc, beyond), points


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(
    make_stack: Callable[..., GatepostStack], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, CrashPoints]]:
    """Yield a stack from which nothing goes out."""
    points = CrashPoints(tmp_path_factory.mktemp("crash"))
    async with crashing(make_stack(**SETTINGS, **SHORT_LEASES, **points.settings), points) as opened_stack:
        yield opened_stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def connected(
    make_stack: Callable[..., GatepostStack], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, CrashPoints]]:
    """Yield one with a mail server, providers of text and push messages, a bucket, and Facebook."""
    points = CrashPoints(tmp_path_factory.mktemp("crash"))
    async with outside(tmp_path_factory.mktemp("outside")) as beyond:
        stack = make_stack(**SETTINGS, **SHORT_LEASES, **points.settings, **beyond.settings)
        async with crashing(stack, points, beyond) as opened_stack:
            yield opened_stack


async def test_every_flow_survives_a_crash_at_any_point(
    closed: tuple[World, CrashPoints], capsys: pytest.CaptureFixture[str]
) -> None:
    judge(await sweep(*closed, FLOWS, title="Crash points", seconds=12, few=6), capsys)


async def test_what_goes_out_survives_a_crash_at_its_door(
    connected: tuple[World, CrashPoints], capsys: pytest.CaptureFixture[str]
) -> None:
    title = "Crash points at doors"
    judge(await sweep(*connected, FLOWS_OUTSIDE, title=title, seconds=5, few=3, doors=True), capsys)


def judge(found: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("", *found.lines(), sep="\n")  # noqa: T201
    assert found.died
    assert found.broken == []
