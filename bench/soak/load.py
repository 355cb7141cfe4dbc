"""The load of the soak: workers that do one operation after another at an easy pace, and what came of it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from aiohttp import ClientError

from bench.soak.client import RefusedError, WrongAnswerError
from bench.soak.people import Person, World

_SAMPLES = 20
_FORGET = 0.02  # how often somebody new takes a worker's place


@dataclass
class Tally:
    """What was done.

    Attributes:
        seconds: how long each operation took, by kind.
        errors: how many failed, by kind.
        samples: what the first of them said.
        refused: how many were told to come again.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    refused: int = 0

    def failed(self, kind: str, error: Exception) -> None:
        """Count a failure."""
        self.errors[kind] += 1
        if len(self.samples) < _SAMPLES:
            self.samples.append(f"{kind}: {type(error).__name__} {error}")

    def operations(self) -> int:
        """Return how many succeeded."""
        return sum(map(len, self.seconds.values()))

    def document(self) -> dict[str, Any]:
        """Return what goes into the report: by kind, operations, errors, and milliseconds of 50, 95 and all of 100."""
        return {
            kind: {"operations": len(took), "errors": self.errors[kind], **_milliseconds(took)}
            for kind, took in sorted(self.seconds.items())
        }


async def run(world: World, *, workers: int, seconds: float, pause: float, seed: int = 1) -> Tally:
    """Let people work for that long and return what came of it.

    Args:
        world: Where.
        workers: How many at once.
        seconds: How long.
        pause: Seconds between two operations of one, at most.
        seed: Of every choice.
    """
    tally = Tally()
    until = time.monotonic() + seconds
    made = [_work(world, random.Random(seed * 1000 + n), tally, until, pause) for n in range(workers)]  # noqa: S311
    await asyncio.gather(*made)
    return tally


async def _work(world: World, chance: random.Random, tally: Tally, until: float, pause: float) -> None:
    kinds: Sequence[str] = tuple(Person.KINDS)
    weights = tuple(Person.KINDS.values())
    person: Person | None = None
    while time.monotonic() < until:
        if person is None or chance.random() < _FORGET:
            person, kind = Person(world, chance), "sign-up"
        else:
            kind = chance.choices(kinds, weights)[0]
        began = time.perf_counter()
        try:
            await person.do(kind)
        except RefusedError as refusal:
            tally.refused += 1
            person = None
            await asyncio.sleep(refusal.seconds)
        except (WrongAnswerError, ClientError, TimeoutError, KeyError) as error:
            tally.failed(kind, error)
            person = None  # whatever he holds may be of no use
        else:
            tally.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        await asyncio.sleep(chance.uniform(0, pause))


def _milliseconds(took: Sequence[float]) -> Mapping[str, float]:
    cuts = quantiles(took, n=20) if len(took) > 1 else [max(took)] * 19
    return {"p50": round(cuts[9] * 1000, 1), "p95": round(cuts[18] * 1000, 1), "most": round(max(took) * 1000, 1)}
