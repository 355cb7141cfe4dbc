"""One of each service against two of each: what a request costs, and whether both work.

Where there are no idle cores two can do no more than one, so throughput would say nothing; that a request costs no more
says that it would grow where there are. Twice as many callers ask two, so that each has as many at a time as one alone:
what is asked together shares its cost. Called by `run` at the end of a full run; the stack is stopped by then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from bench.rounds import Round, Subject
from bench.seeding import open_seeder
from bench.stack import Stack
from bench.workloads import Size, Workloads

PAIR = ("--gateways", "2", "--auth", "2", "--users", "2")
WORKLOADS = ("profile", "profile-cold", "refresh")
SERVICES = ("gateway", "auth-service", "user-service")
_TIMES = 2


@dataclass
class Compared:
    """Rounds of each workload with one of each service, and with two."""

    one: dict[str, list[Round]] = field(default_factory=dict)
    two: dict[str, list[Round]] = field(default_factory=dict)


async def compare(
    stack: Stack, ids: Mapping[str, Sequence[UUID]], size: Size, seconds: float, tell: Callable[[str], None]
) -> Compared:
    """Measure both in turn, twice.

    Args:
        stack: Stopped.
        ids: Of the people who are in it, by project.
        size: How much there is of everything.
        seconds: Of a round.
        tell: Shows progress.
    """
    compared = Compared()
    for _ in range(_TIMES):
        for options, rounds, times in (((), compared.one, 1), (PAIR, compared.two, 2)):
            again = await stack.again(*options)
            try:
                await _measure(again, ids, replace(size, callers=times * size.callers), seconds, rounds, tell)
            finally:
                await again.stop()
    return compared


def share(rounds: Sequence[Round], service: str) -> float:
    """Return the part of a service's CPU time that the less busy of its two instances used; 0.5 at most."""
    spent = [sum(found.split[f"{service} {index}"] for found in rounds) for index in (0, 1)]
    return min(spent) / max(sum(spent), 1e-9)


async def _measure(
    stack: Stack,
    ids: Mapping[str, Sequence[UUID]],
    size: Size,
    seconds: float,
    rounds: dict[str, list[Round]],
    tell: Callable[[str], None],
) -> None:
    async with open_seeder(stack) as seeder:
        seeder.ids |= {project: list(people) for project, people in ids.items()}
        workloads = Workloads(stack, seeder, size)
        await workloads.prepare_tokens()
        subject = Subject("gatepost", stack.group, {name: workloads.maker(name) for name in WORKLOADS})
        await subject.measure(WORKLOADS[0], seconds)  # each gateway gets to know the tokens
        for name in WORKLOADS:
            tell(f"{len(stack.group.pids)} processes: {name}")
            rounds.setdefault(name, []).append(await subject.measure(name, seconds))
