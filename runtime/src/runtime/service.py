"""The life of a service process: event loop, signals, and a graceful end."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import asyncpg
import uvloop

from runtime import heap, logs
from runtime.logs import get_logger
from runtime.migrations import MigrationError, migrate

T = TypeVar("T")
# What an operator can mend; anything else is our mistake and shows its traceback.
_STARTING_TROUBLE = (OSError, ValueError, RuntimeError, MigrationError, asyncpg.PostgresError)


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)` on uvloop; `stop` is set by SIGTERM or SIGINT, and `main` returns when it has drained.

    Args:
        main: Starts everything, awaits `stop`, ends everything.

    Raises:
        SystemExit: With status 1 when it could not start, after one log line that says why.
    """

    async def body() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    try:
        uvloop.run(body())
    except _STARTING_TROUBLE as exc:
        get_logger().error("cannot go on", error=f"{type(exc).__name__}: {exc}")
        sys.exit(1)


def migrate_only(name: str, dsn: str, package: str, to: str = "") -> None:
    """Bring the database of a service up to its newest migration, a log line for each applied, and return.

    `python -m <package> migrate` calls this, for deployments that migrate before they start anything; a service that
    starts migrates by itself too.

    Args:
        name: Of the service, for the log.
        dsn: Of its database.
        package: That ships the migrations.
        to: Number of the migration to end with; empty for the newest.

    Raises:
        SystemExit: With status 1 when it could not, after one log line that says why.
    """
    once(name, "migrate", migrate(dsn, package, int(to) if to else None))


def once(name: str, what: str, work: Coroutine[Any, Any, T]) -> T:
    """Do one thing that a service does when it is called by hand, instead of serving.

    Args:
        name: Of the service, for the log.
        what: It does, for the log when it cannot.
        work: Does it.

    Raises:
        SystemExit: With status 1 when it could not, after one log line that says why.
    """
    logs.configure(name, "info")
    try:
        return uvloop.run(work)
    except _STARTING_TROUBLE as exc:
        get_logger().error(f"cannot {what}", error=f"{type(exc).__name__}: {exc}")
        sys.exit(1)


async def unless_stopped(stop: asyncio.Event, opening: Coroutine[Any, Any, T]) -> T | None:
    """Await something slow at start, like a database that is not there yet; None if told to stop first."""
    task = asyncio.create_task(opening)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stopping.cancel()
        task.cancel()


def settle() -> None:
    """Call once after start: what is loaded by then lives for good, so the collector need not look at it again.

    What starting took and left free goes back to the system: 19 MB of auth-service, which tries out how to hash.
    """
    gc.collect()
    gc.freeze()
    heap.trim()
