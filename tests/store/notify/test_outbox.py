"""The outbox on a real PostgreSQL: taken once, listed in order, claimed by one, kept as long as promised."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from notify_service.housekeeping import QueueGauges, Retention
from notify_service.metrics import OLDEST_DUE_SECONDS, QUEUE
from notify_service.model import Channel, Status
from notify_service.outbox import Outbox
from notify_service.store import messages, queue
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

LEASE = timedelta(seconds=60)


async def claim(database: Database, clock: ManualClock, limit: int = 100) -> list[Any]:
    now = clock.now()
    async with database.acquire() as connection:
        return await queue.claim(connection, Channel.MAIL, now=now, until=now + LEASE, limit=limit)


async def test_a_message_is_stored_as_rendered(take: Any, outbox: Outbox) -> None:
    taken = await take()

    stored = await outbox.get(taken.id)

    assert stored == taken
    assert (stored.status, stored.content.code, stored.project) == (Status.PENDING, "482915", "Harbour")
    assert stored.message_id == f"<{taken.id}@example.com>"


async def test_the_same_id_again_returns_the_first_message_and_sends_nothing_twice(
    take: Any, database: Database, clock: ManualClock
) -> None:
    first = await take()
    clock.advance(timedelta(seconds=1))

    again = await take(id=first.id, to="eve@example.com", data={"code": "111111", "minutes": 5.0})

    assert again == first
    assert len(await claim(database, clock)) == 1


async def test_the_same_id_at_the_same_time_is_taken_once(take: Any, database: Database, clock: ManualClock) -> None:
    message_id = uuid4()

    taken = await asyncio.gather(*(take(id=message_id) for _ in range(20)))

    assert {message.id for message in taken} == {message_id}
    assert len(await claim(database, clock)) == 1


@pytest.mark.parametrize("to", ["nobody", "ada@example.com\r\nBcc: all@example.com", ""])
async def test_a_bad_address_never_reaches_the_queue(
    take: Any, database: Database, clock: ManualClock, to: str
) -> None:
    with pytest.raises(GatepostError) as caught:
        await take(to=to)

    assert (caught.value.reason, caught.value.violations[0].field) == (Reason.INVALID_PARAMETER, "to")
    assert await claim(database, clock) == []


async def test_a_list_goes_newest_first_page_by_page(take: Any, outbox: Outbox, clock: ManualClock) -> None:
    taken = []
    for number in range(7):
        taken.append(await take())
        clock.advance(timedelta(milliseconds=number % 2))  # some at the very same time

    listed, token, pages = [], "", 0
    while True:
        page, token = await outbox.page(to="", status=None, page_size=3, page_token=token)
        listed += page
        pages += 1
        if not token:
            break

    assert pages == 3
    assert listed == sorted(taken, key=lambda message: (message.created_at, message.id), reverse=True)


async def test_a_full_last_page_has_no_token(take: Any, outbox: Outbox) -> None:
    await take()
    await take()

    page, token = await outbox.page(to="", status=None, page_size=2, page_token="")

    assert (len(page), token) == (2, "")


async def test_a_list_may_be_of_one_address_in_any_case(take: Any, outbox: Outbox) -> None:
    mine = await take(to="Ada@Example.com")
    await take(to="bob@example.com")

    page, _ = await outbox.page(to="aDA@eXAMPLE.COM", status=None, page_size=0, page_token="")

    assert page == [mine]


async def test_a_list_may_be_of_one_status(take: Any, outbox: Outbox, database: Database, clock: ManualClock) -> None:
    await take()
    (held,) = await claim(database, clock)
    waiting = await take()
    async with database.acquire() as connection:
        await queue.bury(connection, held.message, error="no such mailbox")

    pending, _ = await outbox.page(to="", status=Status.PENDING, page_size=0, page_token="")
    dead, _ = await outbox.page(to="ada@example.com", status=Status.DEAD, page_size=0, page_token="")

    assert pending == [waiting]
    assert [message.id for message in dead] == [held.message.id]


@pytest.mark.parametrize("size", [-1, 101])
async def test_a_page_of_another_size_is_refused(outbox: Outbox, size: int) -> None:
    with pytest.raises(GatepostError) as caught:
        await outbox.page(to="", status=None, page_size=size, page_token="")
    assert caught.value.reason is Reason.INVALID_PARAMETER


async def test_many_claim_at_once_and_nobody_gets_the_same(take: Any, database: Database, clock: ManualClock) -> None:
    taken = [await take() for _ in range(40)]

    claims = await asyncio.gather(*(claim(database, clock, limit=7) for _ in range(8)))

    ids = [one.message.id for batch in claims for one in batch]
    assert sorted(ids) == sorted(message.id for message in taken)
    assert max(map(len, claims)) <= 7


async def test_a_claim_of_a_crashed_instance_runs_out(take: Any, database: Database, clock: ManualClock) -> None:
    await take()
    (first,) = await claim(database, clock)
    clock.advance(LEASE - timedelta(seconds=1))
    before = await claim(database, clock)
    clock.advance(timedelta(seconds=2))

    (second,) = await claim(database, clock)

    assert before == []
    assert (first.message.attempts, second.message.attempts) == (1, 2)


async def test_who_lost_the_claim_changes_nothing(
    take: Any, outbox: Outbox, database: Database, clock: ManualClock
) -> None:
    await take()
    (lost,) = await claim(database, clock)
    clock.advance(LEASE)
    (held,) = await claim(database, clock)

    async with database.acquire() as connection:
        late = [
            await queue.bury(connection, lost.message, error="late"),
            await queue.defer(connection, lost.message, until=clock.now(), error="late"),
            await queue.mark_sent(connection, lost.message, now=clock.now(), keep_content=False),
        ]

    assert late == [False, False, False]
    assert (await outbox.get(held.message.id)).status is Status.PENDING


async def test_only_a_dead_message_can_be_retried(take: Any, outbox: Outbox) -> None:
    taken = await take()

    with pytest.raises(GatepostError) as living:
        await outbox.retry(taken.id)
    with pytest.raises(GatepostError) as unknown:
        await outbox.retry(uuid4())

    assert (living.value.reason, unknown.value.reason) == (Reason.CONFLICT, Reason.NOT_FOUND)


async def test_retention_deletes_what_is_old_and_nothing_else(
    take: Any, outbox: Outbox, database: Database, clock: ManualClock
) -> None:
    waiting, sent, dead = await take(), await take(), await take()
    for one in await claim(database, clock):
        async with database.acquire() as connection:
            if one.message.id == sent.id:
                await queue.mark_sent(connection, one.message, now=clock.now(), keep_content=True)
            elif one.message.id == dead.id:
                await queue.bury(connection, one.message, error="refused")
    retention = Retention(database, clock, sent=timedelta(days=30), dead=timedelta(days=90))

    async def left_after(**by: float) -> set[Any]:
        clock.advance(timedelta(**by))
        assert await retention.sweep() is False
        page, _ = await outbox.page(to="", status=None, page_size=0, page_token="")
        return {message.id for message in page}

    assert await left_after(days=29) == {waiting.id, sent.id, dead.id}
    assert await left_after(days=2) == {waiting.id, dead.id}
    assert await left_after(days=60) == {waiting.id}


async def test_a_sweep_goes_batch_by_batch(take: Any, database: Database, clock: ManualClock) -> None:
    for _ in range(5):
        await take()
    for one in await claim(database, clock):
        async with database.acquire() as connection:
            await queue.bury(connection, one.message, error="refused")
    clock.advance(timedelta(days=1))

    async with database.acquire() as connection:
        counts = [
            await messages.forget(connection, sent_before=clock.now(), dead_before=clock.now(), limit=3)
            for _ in range(3)
        ]

    assert counts == [3, 2, 0]


async def test_the_queue_is_measured(take: Any, database: Database, clock: ManualClock) -> None:
    await take()
    await take()
    (gone,) = await claim(database, clock, limit=1)
    async with database.acquire() as connection:
        await queue.bury(connection, gone.message, error="refused")
    clock.advance(timedelta(seconds=40))

    await QueueGauges(database, clock).measure()

    assert QUEUE.labels("pending")._value.get() == 1
    assert QUEUE.labels("dead")._value.get() == 1
    assert OLDEST_DUE_SECONDS._value.get() == 40
