"""Waiting for what delivery does to a message."""

import asyncio
from collections.abc import Callable

from notify_service.model import Message, Status
from notify_service.outbox import Outbox
from runtime.clock import ManualClock

WAIT_SECONDS = 10.0


async def until(outbox: Outbox, message: Message, holds: Callable[[Message], bool]) -> Message:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds(now := await outbox.get(message.id)):  # noqa: ASYNC110 another process' work shows in rows only
            await asyncio.sleep(0.01)
    return now


async def settled(outbox: Outbox, message: Message) -> Message:
    return await until(outbox, message, lambda now: now.status is not Status.PENDING)


async def deferred(outbox: Outbox, message: Message, clock: ManualClock, attempts: int = 1) -> Message:
    def put_off(now: Message) -> bool:
        due = now.next_attempt_at
        return now.attempts == attempts and due is not None and due > clock.now()

    return await until(outbox, message, put_off)
