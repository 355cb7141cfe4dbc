"""What is good once is good once: for twenty who try at the same time, on two of each service, one of which is killed.

Ten at once, while one gateway and one auth-service die; ten more on what is left; a last one when both are back.
A refresh token is the one exception: within its window it always gives the same successor.
"""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio
from conftest import GatepostStack
from faults.history_client import opened
from faults.nemesis import Nemesis
from faults.one_time_values import VALUES, open_place, ready

AT_ONCE = 10
KINDS = [value.__name__ for value in VALUES]
Told = dict[str, list[str | None]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(fragile: GatepostStack) -> AsyncIterator[Told]:
    """Show a value of each kind twenty-one times; yield what came of it, by kind."""
    assert fragile.data_dir is not None
    nemesis = Nemesis(fragile.data_dir, Random(0))  # noqa: S311  it is told whom to kill
    async with opened() as session:
        uses = await ready(await asyncio.to_thread(open_place, fragile, session))
        answers: Told = {kind: [] for kind in uses}

        async def show(times: int) -> None:
            shown = [(kind, use) for kind, use in uses.items() for _ in range(times)]
            for (kind, _), answer in zip(shown, await asyncio.gather(*(use() for _, use in shown)), strict=True):
                answers[kind].append(answer)

        first = asyncio.create_task(show(AT_ONCE))
        await asyncio.sleep(0.05)  # while they are at it
        gone = nemesis.kill(("gateway", 0), ("auth-service", 1))
        await first
        await show(AT_ONCE)
        await nemesis.back(gone)
        await show(1)
        yield answers


@pytest.mark.parametrize("kind", KINDS)
async def test_a_one_time_value_is_good_once(told: Told, kind: str) -> None:
    answers = told[kind]
    successes = [answer for answer in answers if answer]
    assert len(answers) == 2 * AT_ONCE + 1
    if kind == "refresh_token":
        successes = list(set(successes))
    assert len(successes) <= 1, answers
    # Somebody was told, or nobody can know who had it.
    assert successes or None in answers, answers
    assert answers[-1] is not None
