"""Rounds: one subject, one workload, some seconds; what it cost and what it gave. Interleaving is `run`'s business."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench import load
from bench.accounting import Group, spent
from bench.load import Plan

Maker = Callable[[int], Awaitable[Plan]]
_WARM = 32
_FIRST_RATE = 1500
_ROOM = 1.4
_TICK_SECONDS = 0.01  # what /proc counts in


@dataclass(frozen=True)
class Round:
    """What one round gave.

    Attributes:
        cpu_us: CPU time of all processes of the subject for one operation.
        split: the same by process.
        per_second: operations.
        p50, p95, p99: milliseconds, of one request.
        errors: answers that were wrong or lost.
        sample: the first wrong answer, shortened.
    """

    cpu_us: float
    split: Mapping[str, float]
    per_second: float
    p50: float
    p95: float
    p99: float
    errors: int
    sample: str = ""

    def document(self) -> dict[str, Any]:
        """Return what goes into the report's JSON."""
        rounded = {name: round(value, 3) for name, value in asdict(self).items() if isinstance(value, float)}
        return asdict(self) | rounded | {"split": {name: round(value, 1) for name, value in self.split.items()}}


@dataclass
class Subject:
    """Somebody who is measured.

    Attributes:
        name: for the report.
        group: whose CPU time counts.
        makers: of a round's requests, by workload.
        rounds: what was measured so far.
    """

    name: str
    group: Group
    makers: Mapping[str, Maker]
    rounds: dict[str, list[Round]] = field(default_factory=dict)

    async def measure(self, workload: str, seconds: float) -> Round:
        """Measure one round; before the first of a workload some requests warm up what is made at first use."""
        before = self.rounds.setdefault(workload, [])
        rate = max((found.per_second for found in before), default=_FIRST_RATE)
        plan = await self.makers[workload](int(rate * seconds * _ROOM) + _WARM)
        if not before:
            callers = min(plan.callers, _WARM)
            entries = plan.entries[: min(2 * callers, _WARM)]
            warm = replace(plan, entries=entries, cycle=False, callers=callers, follow=None)
            await load.run(warm, 5)
            plan = plan if plan.cycle else replace(plan, entries=plan.entries[_WARM:] or plan.entries)
        cpu = self.group.cpu_seconds()
        outcome = await load.run(plan, seconds)
        used = spent(cpu, self.group.cpu_seconds())
        count = max(outcome.operations, 1)
        found = Round(
            cpu_us=max(sum(used.values()), _TICK_SECONDS) / count * 1e6,
            split={name: value / count * 1e6 for name, value in used.items()},
            per_second=outcome.operations / outcome.seconds,
            p50=outcome.p50,
            p95=outcome.p95,
            p99=outcome.p99,
            errors=outcome.errors,
            sample=outcome.sample,
        )
        before.append(found)
        return found
