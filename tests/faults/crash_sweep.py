"""Goes through the points of flows: a service dies at each, and what was under way can be done, or was done."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

from aiohttp import ClientError
from faults.crash_flows import Flow
from faults.crash_own import Deletion
from faults.crash_points import CrashPoints, Point
from faults.crash_world import FIRST_NAME, MAIL_SECONDS, RefusedError, World

TRIES = 6
PAUSE_SECONDS = 0.5
REPORTS = Path(__file__).parents[2] / "docs" / "reports"


@dataclass
class Sweep:
    """What a run comes to.

    Attributes:
        title: Of its report.
        seed: Of what is chosen.
        passed: Points that each flow passes, by its name.
        died: At which of them a service died.
        missed: Points that were not reached again: what happens in the background is not always the same.
        broken: What went wrong.
    """

    title: str
    seed: int
    passed: dict[str, list[Point]] = field(default_factory=dict)
    died: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    broken: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report."""
        names = sorted({point.service for points in self.passed.values() for point in points})
        counts = {flow: Counter(point.service for point in points) for flow, points in self.passed.items()}
        summary = (
            f"{sum(self.died.values())} crashes at {sum(map(len, self.passed.values()))} points of {len(self.passed)} "
            f"flows, {self.missed} not reached again, {len(self.broken)} violations. Seed {self.seed}."
        )
        return [
            f"# {self.title}",
            "",
            summary,
            "",
            f"| Flow | {' | '.join(names)} |",
            f"| --- |{' ---: |' * len(names)}",
            *(f"| {flow} | {' | '.join(str(count[name]) for name in names)} |" for flow, count in counts.items()),
            f"| crashes | {' | '.join(str(self.died[name]) for name in names)} |",
            *(f"\n- {each}" for each in self.broken),
        ]


async def sweep(
    world: World,
    points: CrashPoints,
    flows: Sequence[type[Flow]],
    *,
    title: str,
    seconds: float,
    few: int,
    doors: bool = False,
) -> Sweep:
    """Let services die at points of flows: at as many as there is time for, at all with `GATEPOST_FAULTS=full`.

    Args:
        world: Where.
        points: Its points.
        flows: Of which a few are gone through unless it is all.
        title: Of the report, which is written into docs/reports if it is all.
        seconds: To spend on crashes, unless it is all.
        few: How many flows.
        doors: Whether only points are meant where something leaves the stack.
    """
    full = os.environ.get("GATEPOST_FAULTS") == "full"
    found = Sweep(title, int(os.environ.get("GATEPOST_HISTORY_SEED") or SystemRandom().randrange(10**6)))
    random = Random(found.seed)  # noqa: S311  chooses what a test does
    chosen: list[tuple[type[Flow], Point]] = []
    for flow in flows if full else random.sample(flows, few):
        passed = await undisturbed(world, points, flow(), doors=doors)
        found.passed[flow.__name__] = passed
        chosen += [(flow, point) for point in passed]
    random.shuffle(chosen)
    until = time.monotonic() + seconds
    for flow, point in chosen:
        if not full and found.died and time.monotonic() > until:
            break
        try:
            died = await survived(world, points, flow(), point)
        except (AssertionError, RefusedError, TimeoutError, ClientError) as error:
            found.broken.append(f"{flow.__name__} at {point}: {error!r}")
            died = True
        if died:
            found.died[point.service] += 1
        else:
            found.missed += 1
    if full:
        REPORTS.mkdir(exist_ok=True)
        name = f"{title.lower().replace(' ', '-')}.md"
        (REPORTS / name).write_text("\n".join(found.lines()) + "\n", encoding="utf-8")
    return found


async def undisturbed(world: World, points: CrashPoints, flow: Flow, *, doors: bool) -> list[Point]:
    """Let a flow go; return the points it passes, or its doors: there is one at least, what it sets off included."""
    await flow.start(world)
    await asyncio.sleep(PAUSE_SECONDS)
    points.trace()
    await flow.go(world)
    passed: list[Point] = []
    async with asyncio.timeout(MAIL_SECONDS):
        while not passed:
            await asyncio.sleep(PAUSE_SECONDS)
            passed = [point for point in points.passed() if point.is_outside or not doors]
    points.untrace()
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
        await points.reached(point, 2 * PAUSE_SECONDS)
    finally:
        died = points.disarm(point)
    assert await flow.done(world), "what was acknowledged is not so"
    if not isinstance(flow, Deletion):
        await assert_whole(world, flow)
    return died


async def assert_whole(world: World, flow: Flow) -> None:
    """Look for an account without its profile, and for letters that came twice."""
    assert (await world.profile(flow.app(world), flow.email)).first_name == FIRST_NAME
    if world.outside is not None:
        await world.settled(flow.email)
    # Who sets the same password again, not having been answered, is told again.
    mails = [each for each in await world.letters(flow.email) if each["template"] != "password_changed"]
    letters = Counter((each["template"], each["text"]) for each in mails)
    assert not [letter for letter, times in letters.items() if times > 1]
