"""Background loops: a step, again at once while there is work, else after an interval or a nudge; failures survived."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import uuid4

from runtime.context import CallContext, bound
from runtime.errors import GatepostError
from runtime.logs import get_logger
from runtime.metrics import LOOP_FAILURES

# The first steps of a process's loops are spread over this: all at once they opened four connections to PostgreSQL
# more, which idle for five minutes at 2.6 MB each.
_SPREAD_SECONDS = 0.5


class Loop:
    """A loop that runs until stopped.

    Args:
        name: For logs and metrics.
        interval_seconds: Pause when a step had nothing to do, or failed; varied by a fifth so that instances spread.
        step: Does a bounded piece of work; True when there may be more at once.
    """

    def __init__(self, name: str, interval_seconds: float, step: Callable[[], Awaitable[bool]]) -> None:
        self._name = name
        self._interval = interval_seconds
        self._step = step
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    def nudge(self) -> None:
        """Do the next step now: there is work."""
        self._nudged.set()

    async def stop(self) -> None:
        """End at the next await; a step is written so that it can be cut off anywhere."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await self._pause(random.uniform(0, min(self._interval, _SPREAD_SECONDS)))  # noqa: S311 not a secret
        while True:
            self._nudged.clear()
            try:
                with bound(CallContext(request_id=str(uuid4()), work=self._name)):
                    more = await self._step()
            except Exception as exc:  # noqa: BLE001 a loop outlives what one step meets
                LOOP_FAILURES.labels(self._name).inc()
                expected = isinstance(exc, GatepostError)
                get_logger().warning("loop failed", loop=self._name, error=str(exc), exc_info=None if expected else exc)
                await asyncio.sleep(self._interval)
                continue
            if not more:
                await self._pause(self._interval * random.uniform(0.8, 1.2))  # noqa: S311 jitter, not a secret

    async def _pause(self, seconds: float) -> None:
        """Wait that long, or until nudged."""
        try:
            async with asyncio.timeout(seconds):  # not wait_for: before 3.12 it can swallow what `stop` sends
                await self._nudged.wait()
        except TimeoutError:
            return
