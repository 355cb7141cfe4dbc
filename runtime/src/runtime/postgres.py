"""A pool of PostgreSQL connections whose failures are GatepostErrors. Holds no SQL of its own.

Each service has one Database for its own database; its store runs on connections that use cases borrow from it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionError,
    TimeoutError,
    OSError,
    asyncpg.InternalClientError,  # the connection is out of step with a server that went away in mid-answer
)

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"  # generic in its stubs only


class Database:
    """One database, reached through a bounded pool.

    Args:
        pool: An open asyncpg pool.
        acquire_timeout_seconds: How long a caller waits for a connection before UNAVAILABLE.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", acquire_timeout_seconds: float) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout_seconds

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        max_size: int = 10,
        acquire_timeout_seconds: float = 1.5,
        command_timeout_seconds: float = 1.5,
        application_name: str = "gatepost",
    ) -> "Database":
        """Open the pool, waiting for a server that is not there yet."""
        delay = 0.1
        while True:
            try:
                pool = await asyncpg.create_pool(
                    dsn,
                    min_size=1,
                    max_size=max_size,
                    timeout=acquire_timeout_seconds,
                    command_timeout=command_timeout_seconds,
                    connection_class=_Unchanged,
                    server_settings={"application_name": application_name, "timezone": "UTC"},
                )
            except LOST as exc:
                get_logger().warning("waiting for postgresql", error=type(exc).__name__)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
            else:
                return cls(pool, acquire_timeout_seconds)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a connection; every statement commits by itself.

        Raises:
            GatepostError: UNAVAILABLE when no connection can be had in time, or it breaks; MALFORMED_REQUEST for text
                that PostgreSQL cannot hold (with the character NUL).
        """
        try:
            async with self._pool.acquire(timeout=self._acquire_timeout) as connection:
                with _given_up_when_broken(connection):
                    yield connection
        except LOST as exc:
            raise _unavailable(exc) from exc
        except asyncpg.InterfaceError as exc:
            if "clos" in str(exc):  # "connection is closed", "pool is closing": lost too; else our own mistake
                raise _unavailable(exc) from exc
            raise
        except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError) as exc:
            raise GatepostError(Reason.MALFORMED_REQUEST, "text may not contain the character NUL") from exc

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection in a transaction that commits at the end of the block, or not at all.

        Raises:
            GatepostError: UNAVAILABLE as for `acquire`; the outcome of a commit that breaks is unknown.
        """
        async with self.acquire() as connection, connection.transaction():
            with _given_up_when_broken(connection):
                yield connection

    async def ready(self) -> bool:
        """Say whether a statement can be run now."""
        try:
            async with self.acquire() as connection:
                await connection.execute("SELECT 1")
        except GatepostError:
            return False
        return True

    async def close(self) -> None:
        """Close the pool, dropping connections that do not come back in two seconds."""
        try:
            await asyncio.wait_for(self._pool.close(), 2)
        except TimeoutError:
            self._pool.terminate()


class _Unchanged(asyncpg.Connection):
    """A connection whose session nobody changes, so that giving it back to the pool costs no round trip to reset it.

    Transactions left open are rolled back all the same. A store uses SET LOCAL and pg_advisory_xact_lock only.
    """

    def get_reset_query(self) -> str:
        """Return nothing to run."""
        return ""


@contextmanager
def _given_up_when_broken(connection: Connection) -> Iterator[None]:
    """Drop a connection whose server does not answer, or that is out of step with it; it cannot be lent again."""
    try:
        yield
    except (TimeoutError, asyncpg.InternalClientError):
        connection.terminate()
        raise


def _unavailable(exc: BaseException) -> GatepostError:
    get_logger().warning("postgresql unavailable", error=type(exc).__name__)
    return GatepostError(Reason.UNAVAILABLE, "storage is unavailable", retry_after_seconds=1)
