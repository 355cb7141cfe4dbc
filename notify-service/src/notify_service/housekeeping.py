"""Background work beside delivery: deletes old messages and measures the queue. Started by `main`."""

from datetime import timedelta

from notify_service.metrics import OLDEST_DUE_SECONDS, QUEUE
from notify_service.store import messages, queue
from runtime.clock import Clock
from runtime.postgres import Database

_BATCH = 1000


class Retention:
    """Deletes messages that are older than anyone needs.

    Args:
        database: The outbox.
        clock: The time.
        sent: Age at which delivered messages go.
        dead: Age at which dead ones go.
    """

    def __init__(self, database: Database, clock: Clock, *, sent: timedelta, dead: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._sent = sent
        self._dead = dead

    async def sweep(self) -> bool:
        """Delete one batch; True if there may be more."""
        now = self._clock.now()
        async with self._database.acquire() as connection:
            count = await messages.forget(
                connection, sent_before=now - self._sent, dead_before=now - self._dead, limit=_BATCH
            )
        return count == _BATCH


class QueueGauges:
    """Keeps the queue's metrics current.

    Args:
        database: The outbox.
        clock: The time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def measure(self) -> bool:
        """Measure once; never more to do."""
        async with self._database.acquire() as connection:
            depth = await queue.depth(connection)
        QUEUE.labels("pending").set(depth.pending)
        QUEUE.labels("dead").set(depth.dead)
        waited = self._clock.now() - depth.oldest_due_at if depth.oldest_due_at is not None else timedelta()
        OLDEST_DUE_SECONDS.set(max(0.0, waited.total_seconds()))
        return False
