"""A service dies before or after any commit and any effect outside of it; what was under way can be done, or was done.

In each run a few points of a few flows, by a seed; all of them with `GATEPOST_FAULTS=full`, which writes a report into
docs/reports.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

import pytest
import pytest_asyncio
from aiohttp import ClientError
from conftest import GatepostStack
from faults.crash_flows import FLOWS, Flow
from faults.crash_own import Deletion
from faults.crash_points import CrashPoints, Point
from faults.crash_world import FIRST_NAME, RefusedError, World, open_world
from faults.history_client import opened
from faults.history_run import SETTINGS

from gatepost_cli import operate, services

SECONDS = 25.0
SHORT_LEASES = {"GATEPOST_SMTP_TIMEOUT_SECONDS": "1", "GATEPOST_SMS_TIMEOUT_SECONDS": "1"}
A_FEW = 9
TRIES = 6
PAUSE_SECONDS = 0.5
REPORTS = Path(__file__).parents[2] / "docs" / "reports"


@dataclass
class Sweep:
    """What a run came to.

    Attributes:
        passed: Points that each flow passes, by its name.
        died: At which of them a service died.
        missed: Points that were not reached again: what happens in the background is not always the same.
        broken: What went wrong.
    """

    passed: dict[str, list[Point]] = field(default_factory=dict)
    died: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    broken: list[str] = field(default_factory=list)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crashing(
    make_stack: Callable[..., GatepostStack], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, CrashPoints]]:
    """Yield a stack whose services can be told where to die."""
    points = CrashPoints(tmp_path_factory.mktemp("crash"))
    stack = make_stack(**SETTINGS, **SHORT_LEASES, **points.settings)
    await asyncio.to_thread(stack.up, "--no-demo")
    assert stack.data_dir is not None
    async with opened() as session, operate.opened(services.locate(stack.data_dir)) as rpc:
        yield await asyncio.to_thread(open_world, stack, session, rpc), points


async def test_every_flow_survives_a_crash_at_any_point(
    crashing: tuple[World, CrashPoints], capsys: pytest.CaptureFixture[str]
) -> None:
    world, points = crashing
    full = os.environ.get("GATEPOST_FAULTS") == "full"
    seed = int(os.environ.get("GATEPOST_HISTORY_SEED") or SystemRandom().randrange(10**6))
    sweep, random = Sweep(), Random(seed)  # noqa: S311  chooses what a test does
    flows = FLOWS if full else random.sample(FLOWS, A_FEW)
    for flow in flows:
        sweep.passed[flow.__name__] = await undisturbed(world, points, flow())
    chosen = [(flow, point) for flow in flows for point in sweep.passed[flow.__name__]]
    random.shuffle(chosen)
    until = time.monotonic() + SECONDS
    for flow, point in chosen:
        if not full and time.monotonic() > until:
            break
        try:
            died = await survived(world, points, flow(), point)
        except (AssertionError, RefusedError, TimeoutError, ClientError) as error:
            sweep.broken.append(f"{flow.__name__} at {point}: {error!r}")
            died = True
        if died:
            sweep.died[point.service] += 1
        else:
            sweep.missed += 1
    with capsys.disabled():
        print("", *lines(sweep, seed), sep="\n")  # noqa: T201
    if full:
        REPORTS.mkdir(exist_ok=True)
        (REPORTS / "crash-points.md").write_text("\n".join(lines(sweep, seed)) + "\n", encoding="utf-8")
    assert sweep.died
    assert sweep.broken == []


async def undisturbed(world: World, points: CrashPoints, flow: Flow) -> list[Point]:
    """Let a flow go; return the points it passes, what it sets off included."""
    await flow.start(world)
    await asyncio.sleep(PAUSE_SECONDS)
    points.trace()
    await flow.go(world)
    await asyncio.sleep(PAUSE_SECONDS)
    passed = points.passed()
    assert await flow.done(world), flow
    return passed


async def survived(world: World, points: CrashPoints, flow: Flow, point: Point) -> bool:
    """Let a service die during a flow, and see it done all the same; say whether it died."""
    await flow.start(world)
    points.arm(point)
    try:
        for _ in range(TRIES):
            try:
                await flow.go(world)
                break
            except RefusedError:
                if await flow.done(world):
                    break
                await asyncio.sleep(PAUSE_SECONDS)
        else:
            raise AssertionError("it cannot be completed")
    finally:
        died = points.disarm(point)
    assert await flow.done(world), "what was acknowledged is not so"
    if not isinstance(flow, Deletion):
        await assert_whole(world, flow)
    return died


async def assert_whole(world: World, flow: Flow) -> None:
    """Look for an account without its profile, and for letters that came twice."""
    assert (await world.profile(flow.app(world), flow.email)).first_name == FIRST_NAME
    # Who sets the same password again, not having been answered, is told again.
    mails = [each for each in await world.letters(flow.email) if each["template"] != "password_changed"]
    letters = Counter((each["template"], each["text"]) for each in mails)
    assert not [letter for letter, times in letters.items() if times > 1]


def lines(sweep: Sweep, seed: int) -> list[str]:
    names = sorted({point.service for points in sweep.passed.values() for point in points})
    counts = {flow: Counter(point.service for point in points) for flow, points in sweep.passed.items()}
    summary = (
        f"{sum(sweep.died.values())} crashes at {sum(map(len, sweep.passed.values()))} points of {len(sweep.passed)} "
        f"flows, {sweep.missed} not reached again, {len(sweep.broken)} violations. Seed {seed}."
    )
    return [
        "# Crash points",
        "",
        summary,
        "",
        f"| Flow | {' | '.join(names)} |",
        f"| --- |{' ---: |' * len(names)}",
        *(f"| {flow} | {' | '.join(str(count[name]) for name in names)} |" for flow, count in counts.items()),
        f"| crashes | {' | '.join(str(sweep.died[name]) for name in names)} |",
        *(f"\n- {each}" for each in sweep.broken),
    ]
