"""One moment of the three databases, held open: what a copy is made of, and what invariants are looked at in.

What spans services is ordered by notes in `profile_removals` of the database auth: written before a profile is made,
taken back with the account's first appearance, written again with its end, gone when the profile is. While nobody can
write or take back a note, every order of the others is one that a crash may leave (docs/architecture.md,
"Consistency"). So that table is locked against writing for the milliseconds in which the three snapshots are taken.
auth comes before notify: a notice that is on its way is in both or in auth alone, and is taken but once.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import asyncpg

from gatepost_cli.backup.tables import Connection
from gatepost_cli.errors import CommandFailed

TRIES = 50
# Who wants to write a note waits behind us: shorter than any statement's patience in the services.
PATIENCE = "300ms"
PAUSE_SECONDS = 0.2
CONNECT_SECONDS = 10.0
_HELD = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@asynccontextmanager
async def held(dsns: Mapping[str, str]) -> AsyncIterator[dict[str, Connection]]:
    """Yield a connection to each database, in a transaction that sees the same moment in all.

    Raises:
        CommandFailed: a database cannot be reached, or is too busy.
    """
    async with AsyncExitStack() as ending:
        connections = {name: await connected(dsn, ending) for name, dsn in dsns.items()}
        barrier = await connected(dsns["auth"], ending)
        await _locked(barrier)
        for name in ("auth", "users", "notify"):
            await connections[name].execute(_HELD)
            await connections[name].fetchval("SELECT pg_current_snapshot()")  # the first statement takes it
        await barrier.execute("ROLLBACK")
        yield connections


@contextmanager
def explained() -> Iterator[None]:
    """Turn what PostgreSQL says in the middle of the work into a CommandFailed."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        raise CommandFailed(f"PostgreSQL does not go on: {str(error) or type(error).__name__}") from error


async def connected(dsn: str, ending: AsyncExitStack) -> Connection:
    """Return a connection that is closed at the end.

    Raises:
        CommandFailed: there is none to be had.
    """
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": "gatepost", "timezone": "UTC"}
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(f"PostgreSQL cannot be used: {str(error) or type(error).__name__}") from error
    ending.push_async_callback(connection.close)
    return connection


async def _locked(barrier: Connection) -> None:
    for _ in range(TRIES):
        await barrier.execute("BEGIN")
        try:
            await barrier.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            await barrier.execute("LOCK TABLE profile_removals IN SHARE MODE")
        except asyncpg.LockNotAvailableError:
            await barrier.execute("ROLLBACK")
            await asyncio.sleep(PAUSE_SECONDS)
        except asyncpg.UndefinedTableError:
            raise CommandFailed("there is nothing to back up: the database auth has no tables yet") from None
        else:
            return
    raise CommandFailed("the database auth is too busy to find one moment for all; try again")
