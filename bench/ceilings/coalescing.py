"""Many callers, one batch under way: what arrives meanwhile forms the next batch. The ceiling of every batched part."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Coalescer(Generic[Item, Answer]):
    """Turns single calls into batches.

    Args:
        work: does a batch and returns an answer for each item, in order.
        most: items of one batch.
    """

    def __init__(self, work: Callable[[list[Item]], Awaitable[Sequence[Answer]]], most: int = 100) -> None:
        self._work = work
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Answer:
        """Return the answer to one item."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                answers = await self._work([item for item, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    future.set_result(answer)
        finally:
            self._running = None


async def drive(one: Callable[[int], Awaitable[object]], *, callers: int, seconds: float) -> int:
    """Let callers call as fast as they are answered, for that long; return how many calls were made."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    made = 0

    async def caller(number: int) -> None:
        nonlocal made
        while loop.time() < until:
            await one(number + made * callers)
            made += 1

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return made
