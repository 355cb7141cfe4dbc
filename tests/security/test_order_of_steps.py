"""Every flow out of order: each step after any others but the one before it. What is not due is refused."""

import asyncio

import pytest
from security.flows import FLOWS, Flow, Walk
from security.world import World

_AT_ONCE = 8


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
async def test_a_step_is_taken_in_its_turn_alone(world: World, flow: Flow) -> None:
    free = asyncio.Semaphore(_AT_ONCE)

    async def outcome(taken: int, step: int) -> bool:
        async with free:
            walk = Walk(world)
            await flow.begin(walk)
            for each in flow.steps[:taken]:
                assert await each.take(walk), (flow.name, taken, each.name)
            return await flow.steps[step].take(walk)

    pairs = [(taken, step) for taken in range(len(flow.steps) + 1) for step in range(len(flow.steps))]
    outcomes = await asyncio.gather(*(outcome(*pair) for pair in pairs))
    expected = {said(flow, *pair): flow.expected(*pair) for pair in pairs}
    assert {said(flow, *pair): outcome for pair, outcome in zip(pairs, outcomes, strict=True)} == expected


def said(flow: Flow, taken: int, step: int) -> str:
    """Name a pair."""
    before = flow.steps[taken - 1].name if taken else "nothing"
    return f"{flow.steps[step].name} after {before}"
