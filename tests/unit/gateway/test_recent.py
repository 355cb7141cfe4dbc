"""What is remembered for a moment: asked anew when it is old, told as it was while nobody answers or takes long to."""

import asyncio
import time

import pytest

from gateway.recent import Recent
from runtime.errors import GatepostError, Reason


class Source:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: GatepostError | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, _key: str) -> int:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_an_answer_is_kept_for_its_time_and_then_asked_for_again() -> None:
    source = Source()
    recent = Recent(source.ask, seconds=0.05, entries=10)
    assert [await recent.get("a"), await recent.get("a")] == [1, 1]
    await asyncio.sleep(0.06)
    assert await recent.get("a") == 2


@pytest.mark.parametrize("reason", [Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.OVERLOADED])
async def test_while_nobody_can_answer_the_last_answer_holds(reason: Reason) -> None:
    source = Source()
    recent = Recent(source.ask, seconds=0, entries=10)
    assert await recent.get("a") == 1
    source.error = GatepostError(reason)
    assert await recent.get("a") == 1
    with pytest.raises(GatepostError):
        await recent.get("b")


async def test_a_refusal_goes_before_what_was_answered_once() -> None:
    source = Source()
    recent = Recent(source.ask, seconds=0, entries=10)
    await recent.get("a")
    source.error = GatepostError(Reason.NOT_FOUND)
    with pytest.raises(GatepostError):
        await recent.get("a")


async def test_who_asks_for_what_is_known_waits_a_moment_at_most_and_all_together_ask_once() -> None:
    source = Source()
    recent = Recent(source.ask, seconds=0, entries=10)
    await recent.get("a")
    source.open.clear()
    started = time.monotonic()
    assert set(await asyncio.gather(*(recent.get("a") for _ in range(20)))) == {1}
    assert time.monotonic() - started < 1  # not one after the other
    assert source.asked == 2
    source.open.set()
    await asyncio.sleep(0.01)
    assert recent._known["a"][1] == 2  # the answer that came too late is there for whoever asks next
