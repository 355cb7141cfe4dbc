"""Delivery of a channel: claims due messages, hands them over, records what became of them.

Started by `main` once for each channel, so that a slow one holds up no other; nudged by `outbox`. Several instances may
run. A claim is a lease: while it lasts nobody else touches the message, and when its holder dies it runs out. So a
message may arrive twice after a crash, with the same Message-ID, but is never lost.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from notify_service.metrics import DELIVERIES, DELIVERY_SECONDS, TAKEN_TO_SENT_SECONDS
from notify_service.model import Channel, Claim, Message
from notify_service.recording import LONGEST_WAIT, recorded
from notify_service.store import queue
from notify_service.transports import DeferredError, NobodyError, RefusedError, Transport
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.loops import Loop
from runtime.postgres import Connection, Database

_CANCEL_PAUSE_SECONDS = 0.05
_TRIES_IN_A_LIFE = 20
_FINE = frozenset({"sent", "skipped"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again, and when to stop.

    Args:
        attempts: Most attempts.
        first_pause: After the first failure; doubled after each further one.
        longest_pause: Limit of the doubling.
        jitter: Returns 0 up to 1; spreads what failed together.
    """

    attempts: int
    first_pause: timedelta
    longest_pause: timedelta
    jitter: Callable[[], float] = random.random

    def pause(self, tries: int, lifetime: timedelta | None) -> timedelta:
        """Return how long to wait after `tries` failures, at least half of the doubled pause.

        What expires is tried more often than the doubling allows, so that it still can arrive in time.
        """
        longest = self.longest_pause if lifetime is None else min(self.longest_pause, lifetime / _TRIES_IN_A_LIFE)
        doubled = self.first_pause * float(2 ** min(tries - 1, 20))
        return min(doubled, longest) * (0.5 + self.jitter() / 2)


class Delivery:
    """The background work of delivering.

    Args:
        channel: Whose messages.
        database: The outbox.
        transport: The way out.
        clock: The time.
        policy: When to try again.
        attempt_timeout_seconds: Longest that one attempt may take.
        poll_seconds: How often to look when nobody nudges.
    """

    def __init__(
        self,
        channel: Channel,
        database: Database,
        transport: Transport,
        clock: Clock,
        policy: RetryPolicy,
        *,
        attempt_timeout_seconds: float,
        poll_seconds: float,
    ) -> None:
        self._channel = channel
        self._database = database
        self._transport = transport
        self._clock = clock
        self._policy = policy
        self._attempt_timeout = attempt_timeout_seconds
        self._lease = timedelta(seconds=attempt_timeout_seconds) + LONGEST_WAIT
        self._loop = Loop(f"delivery of {channel}", poll_seconds, self._step)
        self._under_way: set[asyncio.Task[None]] = set()
        self._claiming: asyncio.Future[None] | None = None
        self._more_due = False

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def nudge(self) -> None:
        """Look at the queue now."""
        self._loop.nudge()

    async def close(self, grace_seconds: float) -> None:
        """Claim nothing more, finish what is under way; what cannot finish in time is left to whoever comes next."""
        await self._loop.stop()
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace_seconds)
        while self._under_way:  # again and again: before Python 3.12 `wait_for` (so aiosmtplib) can swallow one
            for task in self._under_way:
                task.cancel()
            await asyncio.wait(self._under_way, timeout=_CANCEL_PAUSE_SECONDS)

    async def _step(self) -> bool:
        # Shielded, so that being stopped does not leave messages claimed but not worked on.
        self._claiming = asyncio.ensure_future(self._claim())
        await asyncio.shield(self._claiming)
        return False  # the tasks nudge when a place is free

    async def _claim(self) -> None:
        free = self._transport.concurrency - len(self._under_way)
        if free <= 0:
            return
        now = self._clock.now()
        async with self._database.acquire() as connection:
            claims = await queue.claim(connection, self._channel, now=now, until=now + self._lease, limit=free)
        self._more_due = len(claims) == free
        for claim in claims:
            task = asyncio.create_task(self._work(claim), name="delivery of one message")
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._more_due:
            self._loop.nudge()
        if not task.cancelled() and (exc := task.exception()) is not None:
            get_logger().error("delivery left to its lease", exc_info=exc)

    async def _work(self, claim: Claim) -> None:
        message = claim.message
        log = get_logger().bind(
            message=str(message.id), channel=message.channel, template=message.template, attempt=message.attempts
        )
        now = self._clock.now()
        if message.expires_at is not None and message.expires_at <= now:
            await self._record(lambda c: queue.bury(c, message, error="expired"))
            outcome = "expired"
        else:
            outcome = await self._attempt(claim)
        DELIVERIES.labels(self._channel, outcome).inc()
        log.log(20 if outcome in _FINE else 30, "delivery", outcome=outcome)

    async def _attempt(self, claim: Claim) -> str:
        message, keep = claim.message, self._transport.keeps_content
        started = perf_counter()
        try:
            async with asyncio.timeout(self._attempt_timeout):
                await self._transport.deliver(message)
        except NobodyError:
            await self._record(lambda c: queue.mark_skipped(c, message, keep_content=keep))
            return "skipped"
        except RefusedError as exc:
            error = str(exc)
            await self._record(lambda c: queue.bury(c, message, error=error))
            return "refused"
        except TimeoutError:
            return await self._put_off(claim, f"not handed over within {self._attempt_timeout:g} seconds")
        except DeferredError as exc:
            return await self._put_off(claim, str(exc), exc.retry_after)
        except Exception as exc:  # noqa: BLE001 a fault of ours with one message must not stop the others
            get_logger().error("delivery failed", message=str(message.id), exc_info=exc)
            return await self._put_off(claim, f"internal error: {type(exc).__name__}")
        finally:
            DELIVERY_SECONDS.labels(self._channel).observe(perf_counter() - started)
        now = self._clock.now()
        await self._record(lambda c: queue.mark_sent(c, message, now=now, keep_content=keep))
        TAKEN_TO_SENT_SECONDS.labels(self._channel).observe(max(0.0, (now - message.created_at).total_seconds()))
        return "sent"

    async def _put_off(self, claim: Claim, error: str, wanted: timedelta | None = None) -> str:
        message = claim.message
        if claim.tries >= self._policy.attempts:
            await self._record(lambda c: queue.bury(c, message, error=error))
            return "exhausted"
        pause = max(self._policy.pause(claim.tries, _lifetime(message)), wanted or timedelta())
        until = self._clock.now() + pause
        await self._record(lambda c: queue.defer(c, message, until=until, error=error))
        return "deferred"

    async def _record(self, write: Callable[[Connection], Awaitable[bool]]) -> None:
        """Record an outcome, waiting for a database that is away while the lease lasts; a lost claim is only noted."""
        if not await recorded(self._database, self._clock, write):
            get_logger().warning("outcome not recorded: the claim was lost")


def _lifetime(message: Message) -> timedelta | None:
    return None if message.expires_at is None else message.expires_at - message.created_at
