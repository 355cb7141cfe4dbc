"""Many callers, one batch: what is asked for at the same time is answered together, each caller for himself.

Stores answer batches (`= ANY($1)`, `unnest`); use cases call a `Coalesced` as if it answered one. A batch begins when
the event loop has run everybody who is ready, or when one before it is done; so it reads what was committed before any
of its items was asked for. Where a server does not answer, nobody waits for it twice. With most=1 every item goes
alone, which is how the gain is measured.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from runtime.errors import AWAY, GatepostError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
_LONG_SECONDS = 0.5


class Coalesced(Generic[Item, Answer]):
    """Turns single calls into batches.

    Args:
        work: Does a batch and returns an answer for each item, in order; an exception among them is that item's own.
        most: Items of one batch.
        at_once: Batches under way at once.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]], *, most: int, at_once: int = 1
    ) -> None:
        self._work = work
        self._most = most
        self._at_once = at_once if most > 1 else 1_000_000
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def __call__(self, item: Item) -> Answer:
        """Return the answer to one item.

        Raises:
            Exception: The item's own; what the whole batch met, if that is nobody's fault.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, future))
        if not self._scheduled and len(self._under_way) < self._at_once:
            self._scheduled = True
            loop.call_soon(self._begin)
        return await future

    def _begin(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._under_way) < self._at_once:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            wanted = [(item, future) for item, future in batch if not future.done()]  # some have gone away
            if wanted:
                task = asyncio.create_task(self._run(wanted))
                self._under_way.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin()

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        began = asyncio.get_running_loop().time()
        try:
            answers = await self._work([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 it is the callers', who are given it
            if len(batch) > 1 and not _is_nobodys_fault(exc):
                for pair in batch:  # one of them spoils it; alone it spoils nobody's
                    await self._run([pair])
                return
            if _is_nobodys_fault(exc) and asyncio.get_running_loop().time() - began > _LONG_SECONDS:
                batch, self._waiting = batch + self._waiting, []  # who has waited so long is told what we know
            answers = [exc] * len(batch)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def _is_nobodys_fault(exc: Exception) -> bool:
    return isinstance(exc, GatepostError) and exc.reason in AWAY
