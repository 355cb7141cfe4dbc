"""One run: everything is started, measured round by round in turn (A-B-A-B), and stopped."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

from bench import instances, load, machine
from bench.ceilings.measure import PARTS, QUICK_PARTS, Ceilings
from bench.goals import GOALS
from bench.load import Outcome, Plan
from bench.peers import entering
from bench.results import Entrants, Extent, Results
from bench.rounds import Subject
from bench.seeding import open_seeder
from bench.servers import Servers
from bench.stack import Stack
from bench.workloads import Size, Workloads, hash_callers

CALLERS = 64
_BUSY_PER_CORE = 0.5
_EXTRAS = ("profile-zipf",)
_DEFAULTS_ROUNDS = 3
_HEAD_START_SECONDS = 0.5


class Run:
    """A run in a folder of its own.

    Args:
        extent: How much is measured.
        folder: Empty; for data and logs.
        tell: Shows progress.
    """

    def __init__(self, extent: Extent, folder: Path, tell: Callable[[str], None]) -> None:
        self._extent = extent
        self._folder = folder
        self._tell = tell
        self._began = time.monotonic()

    async def __call__(self) -> Results:
        """Measure everything.

        Raises:
            RuntimeError: our own stack or a ceiling does not work.
        """
        if machine.load_per_core() > _BUSY_PER_CORE:
            self._say(f"others are at work here: a load of {machine.load_per_core():.1f} per core; trust no figure")
        async with AsyncExitStack() as stack:
            servers = await Servers.start(self._folder / "servers")
            stack.push_async_callback(servers.stop)
            ceilings = await stack.enter_async_context(Ceilings(servers, self._folder, CALLERS))
            results = await self._with_our_stack(servers, ceilings)
            if self._extent.full:
                await servers.empty()
                results.defaults = await self._with_defaults(servers)
        results.seconds = time.monotonic() - self._began
        return results

    async def _with_our_stack(self, servers: Servers, ceilings: Ceilings) -> Results:
        self._say("starting our stack")
        ours = await Stack.start(self._folder / "data")
        size = Size(self._extent.users, self._extent.tokens, CALLERS, hash_callers(machine.cores()))
        ids: dict[str, list[UUID]] = {}
        try:
            results = await self._measure(ours, size, ids, servers, ceilings)
            await ours.forget_what_is_short_lived()
        finally:
            await ours.stop()
        self._say("starting our stack once more")
        again = await ours.again()
        results.starts["second"], results.memory = again.start_seconds, again.group.memory_mb()
        await again.stop()
        if self._extent.full:
            self._say("two of each service")
            results.instances = await instances.compare(ours, ids, size, self._extent.seconds, self._say)
        return results

    async def _measure(
        self, ours: Stack, size: Size, ids: dict[str, list[UUID]], servers: Servers, ceilings: Ceilings
    ) -> Results:
        extent = self._extent
        async with AsyncExitStack() as stack:
            seeder = await stack.enter_async_context(open_seeder(ours))
            workloads = Workloads(ours, seeder, size)
            names = [*GOALS, *(_EXTRAS if extent.full else ())]
            subject = Subject("gatepost", ours.group, {name: workloads.maker(name) for name in names})
            results = Results(extent, machine.facts(), subject)
            results.starts["first"] = ours.start_seconds
            results.memory_first_mb = sum(ours.group.memory_mb().values())
            self._say("idle")
            results.idle_cpu_share = await ours.idle_cpu_share(extent.idle_seconds)
            self._say("comparing the hashers")
            results.hashers = await ceilings.find_best_hasher(min(extent.seconds, 2))
            results.best_hasher = ceilings.best_hasher.name
            results.installable_hasher = ceilings.installable_hasher.name
            self._say(f"seeding {extent.users} users")
            await workloads.prepare()
            ids |= seeder.ids
            results.peers = await self._entrants(stack, servers, defaults=False)
            for number in range(extent.rounds):
                if self._over(number, extent.second_until, results, "one round only"):
                    break
                await self._round(number, results, ceilings)
                results.saturated_p95.append(await self._saturated(workloads))
            results.memory_after_mb = sum(ours.group.memory_mb().values())
        return results

    async def _round(self, number: int, results: Results, ceilings: Ceilings) -> None:
        seconds, which = self._extent.seconds, f"round {number + 1} of {self._extent.rounds}"
        if machine.load_per_core() > _BUSY_PER_CORE * 4:
            results.remarks.append(f"{which}: a load of {machine.load_per_core():.1f} per core")
        for part in PARTS if self._extent.full else QUICK_PARTS:
            self._say(f"{which}: ceiling {part}")
            results.ceilings.setdefault(part, []).append(await ceilings.measure(part, seconds))
        for workload in results.ours.makers:
            self._say(f"{which}: {workload}")
            await results.ours.measure(workload, seconds)
            for peer in results.peers.subjects.values():
                if workload in peer.makers and not self._over(
                    number, self._extent.peers_until, results, "some peers have one round less"
                ):
                    self._say(f"{which}: {workload} of {peer.name}")
                    await peer.measure(workload, seconds)

    async def _saturated(self, workloads: Workloads) -> float:
        """Return the 95th percentile of cheap calls, in milliseconds, while sign-ins take all the hashing there is."""
        self._say("cheap calls while the hash pool is saturated")
        hashing, cheap = await workloads.maker("sign-in")(0), await workloads.cheap()
        seconds = max(self._extent.seconds, 2)
        _, outcome = await asyncio.gather(load.run(hashing, seconds + 1), _a_little_later(cheap, seconds))
        return outcome.p95

    async def _with_defaults(self, servers: Servers) -> Entrants:
        """Measure sign-in and sign-up of the peers once more, each with the password hash it has by itself."""
        async with AsyncExitStack() as stack:
            entrants = await self._entrants(stack, servers, defaults=True)
            for _ in range(_DEFAULTS_ROUNDS):
                for subject in entrants.subjects.values():
                    for workload in subject.makers:
                        self._say(f"own defaults: {workload} of {subject.name}")
                        await subject.measure(workload, self._extent.seconds)
        return entrants

    async def _entrants(self, stack: AsyncExitStack, servers: Servers, *, defaults: bool) -> Entrants:
        return await entering.start(
            stack,
            servers,
            self._folder,
            self._extent,
            callers=CALLERS,
            hash_callers=hash_callers(machine.cores()),
            defaults=defaults,
            tell=self._say,
        )

    def _over(self, number: int, until: float, results: Results, what: str) -> bool:
        """Say whether a quick run has no time for another round, and note it."""
        if not until or not number or time.monotonic() - self._began < until:
            return False
        remark = f"time was up: {what}"
        if remark not in results.remarks:
            results.remarks.append(remark)
        return True

    def _say(self, what: str) -> None:
        self._tell(f"[{time.monotonic() - self._began:5.0f} s] {what}")


async def _a_little_later(plan: Plan, seconds: float) -> Outcome:
    await asyncio.sleep(_HEAD_START_SECONDS)
    return await load.run(plan, seconds)
