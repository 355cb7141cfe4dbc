"""Recording what became of a message, for `delivery` and `push`: a database that is away is waited for, for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection, Database

LONGEST_WAIT = timedelta(seconds=30)
_PAUSE_SECONDS = 0.5

T = TypeVar("T")


async def recorded(database: Database, clock: Clock, write: Callable[[Connection], Awaitable[T]]) -> T:
    """Write in a transaction, again and again while the database is away; return what `write` returns.

    Raises:
        GatepostError: UNAVAILABLE (for longer than LONGEST_WAIT), or what `write` raises.
    """
    give_up_at = clock.now() + LONGEST_WAIT
    while True:
        try:
            async with database.transaction() as connection:
                return await write(connection)
        except GatepostError as exc:
            if exc.reason is not Reason.UNAVAILABLE or clock.now() >= give_up_at:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
