"""Coalescing: batches form of what is asked for at once, and nobody pays for his neighbours."""

import asyncio
from collections.abc import Sequence

import pytest

from runtime.coalescing import Coalesced
from runtime.errors import GatepostError, Reason


class Doubling:
    """Doubles numbers and remembers the batches; 13 spoils a batch, negative ones fail by themselves."""

    def __init__(self, *, away: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.away = away

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        await asyncio.sleep(0.01)
        if self.away:
            raise GatepostError(Reason.UNAVAILABLE)
        if 13 in items:
            raise ValueError("thirteen")
        return [ValueError("negative") if item < 0 else 2 * item for item in items]


async def test_callers_at_the_same_time_share_one_batch() -> None:
    work = Doubling()
    coalesced = Coalesced(work, most=100)
    assert await asyncio.gather(*map(coalesced, range(5))) == [0, 2, 4, 6, 8]
    assert work.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_while_a_batch_is_under_way_forms_the_next() -> None:
    work = Doubling()
    coalesced = Coalesced(work, most=100)
    first = asyncio.create_task(coalesced(1))
    await asyncio.sleep(0.005)
    await asyncio.gather(first, coalesced(2), coalesced(3))
    assert work.batches == [[1], [2, 3]]


async def test_a_batch_has_no_more_than_it_may() -> None:
    work = Doubling()
    await asyncio.gather(*map(Coalesced(work, most=2), range(5)))
    assert work.batches == [[0, 1], [2, 3], [4]]


async def test_switched_off_every_item_goes_alone_and_at_once() -> None:
    work = Doubling()
    coalesced = Coalesced(work, most=1)
    async with asyncio.timeout(0.05):
        await asyncio.gather(*map(coalesced, range(10)))
    assert work.batches == [[item] for item in range(10)]


async def test_the_failure_of_one_item_is_its_own() -> None:
    coalesced = Coalesced(Doubling(), most=100)
    answers = await asyncio.gather(coalesced(1), coalesced(-1), coalesced(2), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], ValueError)


async def test_an_item_that_spoils_the_batch_spoils_only_itself() -> None:
    coalesced = Coalesced(Doubling(), most=100)
    answers = await asyncio.gather(coalesced(1), coalesced(13), coalesced(2), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], ValueError)


async def test_a_server_that_is_away_is_asked_once() -> None:
    work = Doubling(away=True)
    answers = await asyncio.gather(*map(Coalesced(work, most=100), range(3)), return_exceptions=True)
    assert [answer.reason for answer in answers if isinstance(answer, GatepostError)] == [Reason.UNAVAILABLE] * 3
    assert work.batches == [[0, 1, 2]]


async def test_who_waits_behind_a_server_that_does_not_answer_is_told_with_the_others() -> None:
    asked = asyncio.Event()

    async def hang(items: Sequence[int]) -> list[int]:
        asked.set()
        await asyncio.sleep(0.6)
        raise GatepostError(Reason.UNAVAILABLE)

    coalesced = Coalesced(hang, most=100)
    first = asyncio.create_task(coalesced(1))
    await asked.wait()
    async with asyncio.timeout(0.9):
        answers = await asyncio.gather(first, coalesced(2), return_exceptions=True)
    assert [answer.reason for answer in answers if isinstance(answer, GatepostError)] == [Reason.UNAVAILABLE] * 2


async def test_a_caller_who_goes_away_takes_nobody_with_him() -> None:
    work = Doubling()
    coalesced = Coalesced(work, most=100)
    staying, leaving = asyncio.create_task(coalesced(1)), asyncio.create_task(coalesced(2))
    await asyncio.sleep(0.005)
    leaving.cancel()
    assert await staying == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_who_goes_away_before_his_batch_begins_is_not_worked_for() -> None:
    work = Doubling()
    coalesced = Coalesced(work, most=100)
    first = asyncio.create_task(coalesced(1))
    await asyncio.sleep(0.005)
    leaving = asyncio.create_task(coalesced(2))
    staying = asyncio.create_task(coalesced(3))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(first, staying)
    assert work.batches == [[1], [3]]
