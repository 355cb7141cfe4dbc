"""A pool of PostgreSQL connections whose failures are GatepostErrors. Holds no SQL of its own.

Each service has one Database for its own database; its store runs on connections that use cases borrow from it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, wraps
from typing import Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from runtime.coalescing import Coalesced
from runtime.costs import spend
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

# As asyncpg begins and ends a transaction.
_BEGIN, _COMMIT = "BEGIN", "COMMIT;"
# A server that hangs is away, which people are to be told within two seconds, on a busy machine and with what a gateway
# waits for besides; one that takes a second is still heard.
_ANSWER_SECONDS = 1.25
_WRITING = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|SHARE)\b", re.IGNORECASE)  # locking rows is writing, too

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"  # generic in its stubs only
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


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
        acquire_timeout_seconds: float = _ANSWER_SECONDS,
        command_timeout_seconds: float = _ANSWER_SECONDS,
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
                    connection_class=_Lent,
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

    def reading(
        self, fetch: Callable[[Connection, Sequence[Key]], Awaitable[Mapping[Key, Value]]], *, most: int
    ) -> Coalesced[Key, Value | None]:
        """Return what looks one thing up by its key, None if it is not there, together with what others look up.

        Args:
            fetch: A store's reading of many: those that there are, by key.
            most: Keys of one batch.
        """

        async def read(keys: Sequence[Key]) -> list[Value | None]:
            async with self.acquire() as connection:
                found = await fetch(connection, list(set(keys)))
            return [found.get(key) for key in keys]

        return Coalesced(read, most=most)

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


@lru_cache(maxsize=1024)
def _may_write(query: str) -> bool:
    """Say whether a statement may change or lock rows, so that it must be made durable. Only for texts of stores."""
    return bool(_WRITING.search(query))


def _counted(run: Callable[..., Any]) -> Callable[..., Any]:
    """Count a way to run statements: each is a round trip. Costs 1.5 µs where the round trip costs 100 and more."""

    @wraps(run)
    def counted(self: "_Lent", query: str, *args: Any, **options: Any) -> Any:
        spend("statement")
        if query == _COMMIT:
            if self.wrote:
                spend("commit")
        elif _may_write(query):
            if self.is_in_transaction():
                self.wrote = True
            else:
                spend("commit")
        elif query.startswith(_BEGIN):
            self.wrote = False
        return run(self, query, *args, **options)

    return counted


class _Lent(asyncpg.Connection):
    """A connection whose session nobody changes, so that giving it back to the pool costs no round trip to reset it.

    Transactions left open are rolled back all the same. A store uses SET LOCAL and pg_advisory_xact_lock only.
    What is run on it is counted: statements (those of transactions included), and commits of what may have written.
    """

    wrote = False
    execute = _counted(asyncpg.Connection.execute)
    executemany = _counted(asyncpg.Connection.executemany)
    fetch = _counted(asyncpg.Connection.fetch)
    fetchrow = _counted(asyncpg.Connection.fetchrow)
    fetchval = _counted(asyncpg.Connection.fetchval)

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
