"""The heartbeat of streams: who is silent is asked, who stays so is given up, and our own pauses count for nothing."""

import asyncio
import time

from runtime.heartbeat import Heartbeat


class Other:
    """The other side of a heartbeat, as a test wants it."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.asked = 0
        self.dead = asyncio.Event()
        self.waited_for = True
        self.heartbeat = Heartbeat(lambda: self.waited_for, self.ask, self.dead.set)

    def ask(self) -> None:
        self.asked += 1
        if self.answers:
            self.heartbeat.heard()


async def test_who_answers_when_asked_lives_however_long_it_takes() -> None:
    other = Other(answers=True)
    other.heartbeat.watch()
    await asyncio.sleep(2.5)
    async with asyncio.timeout(5):
        while other.asked < 3:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    assert not other.dead.is_set()
    other.heartbeat.end()


async def test_who_does_not_answer_is_doubted_after_a_second_and_dead_after_two() -> None:
    other = Other(answers=False)
    started = time.monotonic()
    other.heartbeat.watch()
    async with asyncio.timeout(3):
        while not other.heartbeat.doubtful:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
        assert 0.9 < time.monotonic() - started < 1.7
        await other.dead.wait()
    assert 1.7 < time.monotonic() - started < 2.9
    assert other.asked == 1
    other.heartbeat.end()


async def test_while_nothing_is_waited_for_nobody_is_asked() -> None:
    other = Other(answers=False)
    other.waited_for = False
    other.heartbeat.watch()
    await asyncio.sleep(1)
    assert other.asked == 0


async def test_a_pause_of_our_own_event_loop_kills_nobody() -> None:
    other = Other(answers=True)
    other.heartbeat.watch()
    await asyncio.sleep(0.3)
    time.sleep(2.5)  # noqa: ASYNC251 that is the point
    await asyncio.sleep(0.3)
    assert not other.dead.is_set()
    assert not other.heartbeat.doubtful
    other.heartbeat.end()


async def test_after_its_end_nothing_is_heard_of_it() -> None:
    other = Other(answers=False)
    other.heartbeat.watch()
    other.heartbeat.end()
    other.heartbeat.watch()
    await asyncio.sleep(0.6)
    assert other.asked == 0
