"""The pool that hashes: bounded, out of everybody's way, and working for nobody who has gone."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from auth_service.hashing import HashPool
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason


@pytest.fixture
def pool() -> Iterator[HashPool]:
    made = HashPool(workers=1, queue_size=4)
    yield made
    made.close()


class Gate:
    """Work that ends when it is let."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._open = threading.Event()

    def pass_through(self, name: str) -> str:
        """Wait, and note that it was done."""
        self._open.wait(10)
        self.done.append(name)
        return name

    def open(self) -> None:
        """Let everything end."""
        self._open.set()


async def test_beyond_the_queue_the_answer_is_overloaded_at_once(pool: HashPool) -> None:
    gate = Gate()
    calls = [asyncio.ensure_future(pool.run(partial(gate.pass_through, str(n)))) for n in range(20)]
    await asyncio.wait(calls, timeout=0.05)
    errors = [call.exception() for call in calls if call.done()]
    assert [error.reason for error in errors if isinstance(error, GatepostError)] == [Reason.OVERLOADED] * 15
    with pytest.raises(GatepostError) as refused:
        pool.demand_room()
    assert refused.value.retry_after_seconds
    gate.open()
    await asyncio.gather(*calls, return_exceptions=True)
    assert gate.done == ["0", "1", "2", "3", "4"]
    pool.demand_room()


async def test_a_caller_that_gives_up_is_not_hashed_for_and_frees_its_place(pool: HashPool) -> None:
    gate = Gate()
    calls = [asyncio.ensure_future(pool.run(partial(gate.pass_through, str(n)))) for n in range(5)]
    await asyncio.sleep(0.01)
    for call in calls[1:]:
        call.cancel()
    await asyncio.gather(*calls[1:], return_exceptions=True)
    last = asyncio.ensure_future(pool.run(partial(gate.pass_through, "last")))
    await asyncio.sleep(0)
    gate.open()
    assert await last == "last"
    assert gate.done == ["0", "last"]


async def test_who_would_have_gone_by_his_turn_is_refused_before(pool: HashPool) -> None:
    def patient(seconds: float) -> CallContext:
        return CallContext(deadline=time.monotonic() + seconds)

    with bound(patient(0.01)):  # how long a hash takes is not known before the first
        await pool.run(partial(time.sleep, 0.1))
        await pool.run(partial(time.sleep, 0.1))  # nor is anybody refused whom a thread waits for
    waiting = [asyncio.ensure_future(pool.run(partial(time.sleep, 0.1))) for _ in range(3)]
    await asyncio.sleep(0)
    with bound(patient(0.2)), pytest.raises(GatepostError) as refused:
        await pool.run(partial(time.sleep, 0.1))
    assert refused.value.reason is Reason.OVERLOADED
    assert (refused.value.retry_after_seconds or 0) >= 1
    with bound(patient(10)):
        await pool.run(partial(time.sleep, 0.1))
    await pool.run(partial(time.sleep, 0.1))
    await asyncio.gather(*waiting)


async def test_nobody_waits_longer_than_clients_do_however_long_the_queue_may_be() -> None:
    slow = HashPool(workers=1, queue_size=1000)
    gate = Gate()
    await slow.run(partial(time.sleep, 1))
    waiting = [asyncio.ensure_future(slow.run(partial(gate.pass_through, str(n)))) for n in range(20)]
    await asyncio.wait(waiting, timeout=0.05)
    refused = [call.exception() for call in waiting if call.done()]
    assert 15 <= len(refused) <= 18
    assert {error.reason for error in refused if isinstance(error, GatepostError)} == {Reason.OVERLOADED}
    gate.open()
    await asyncio.gather(*waiting, return_exceptions=True)
    slow.close()


async def test_what_fails_frees_its_place(pool: HashPool) -> None:
    def fail() -> None:
        raise ValueError

    for _ in range(10):
        with pytest.raises(ValueError, match=r"^$"):
            await pool.run(fail)


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
async def test_hashing_gives_way_to_the_event_loop(pool: HashPool) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await pool.run(niceness) > niceness()
