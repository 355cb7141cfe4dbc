"""Loads a crowd into the databases of a stack that is stopped: as quickly as PostgreSQL can, then as it always is.

Constraints that look something up and indexes are dropped, rows made by the server itself, and both made again:
sorting once costs a fraction of inserting ten million times. The server runs with settings of its own meanwhile, which
lose everything if it dies; then we begin anew. What is left are real tables, vacuumed and analysed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from bench.scale.crowd import ROWS, TABLES, Crowd
from gatepost_cli import secrets_file
from gatepost_cli.data_dir import DataDir
from gatepost_cli.embedded import postgres

_AT_ONCE = 2  # jobs; each sorts with memory of its own
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "autovacuum": "off",
    "shared_buffers": "512MB",
}
_CONSTRAINTS = """
SELECT conrelid::regclass::text AS owner, conname AS name, contype = 'f' AS points, pg_get_constraintdef(oid) AS text
FROM pg_constraint
WHERE contype IN ('p', 'u', 'f') AND (conrelid = ANY($1::text[]::regclass[]) OR confrelid = ANY($1::text[]::regclass[]))
ORDER BY contype = 'f' DESC"""
_INDEXES = """
SELECT indrelid::regclass::text AS owner, indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS text
FROM pg_index
WHERE indrelid = ANY($1::text[]::regclass[]) AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)"""


@dataclass(frozen=True)
class Loaded:
    """What was loaded: seconds it took, and megabytes of all databases."""

    seconds: float
    megabytes: float


async def load(folder: Path, crowd: Crowd, arguments: Mapping[str, Any], tell: Callable[[str], None]) -> Loaded:
    """Fill the stopped stack in a folder.

    Args:
        folder: its data folder.
        crowd: who.
        arguments: of the statements in `crowd.ROWS`, by name.
        tell: shows progress.
    """
    began = asyncio.get_running_loop().time()
    where = DataDir(folder)
    # A quarter of the memory, to sort in, at most a gigabyte for each job.
    sorting = min(psutil.virtual_memory().total // 4 // _AT_ONCE, 1 << 30) >> 20
    settings = _SETTINGS | {"maintenance_work_mem": f"{sorting}MB"}
    server = await postgres.start(
        where.postgres, password=secrets_file.load(where).postgres_password, settings=settings
    )
    try:
        for database, tables in TABLES.items():
            filling = _Filling(server.dsn_for(database), tables, crowd, arguments, tell)
            await filling.strip()
            await filling.for_each(filling.rows)
            await filling.for_each(filling.dress)
            await filling.finish()
            await filling.for_each(filling.vacuum)
        megabytes = sum([await _megabytes(server.dsn_for(database)) for database in TABLES])
    finally:
        await server.stop()
    return Loaded(asyncio.get_running_loop().time() - began, megabytes)


class _Filling:
    """Fills one database."""

    def __init__(
        self,
        dsn: str,
        tables: Sequence[str],
        crowd: Crowd,
        arguments: Mapping[str, Any],
        tell: Callable[[str], None],
    ) -> None:
        self._dsn = dsn
        self._tables = tables
        self._crowd = crowd
        self._arguments = arguments
        self._tell = tell
        self._constraints: list[asyncpg.Record] = []
        self._indexes: list[asyncpg.Record] = []

    async def for_each(self, job: Callable[[asyncpg.Connection, str], Awaitable[None]]) -> None:
        """Do a job for each table, some at once."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(table: str) -> None:
            async with free, _connected(self._dsn) as connection:
                await job(connection, table)

        await asyncio.gather(*(one(table) for table in self._tables))

    async def strip(self) -> None:
        """Drop what rows are looked up for and sorted into."""
        async with _connected(self._dsn) as connection:
            self._constraints = await connection.fetch(_CONSTRAINTS, self._tables)
            self._indexes = await connection.fetch(_INDEXES, self._tables)
            for each in self._constraints:
                await connection.execute(f'ALTER TABLE {each["owner"]} DROP CONSTRAINT "{each["name"]}"')
            for each in self._indexes:
                await connection.execute(f"DROP INDEX {each['name']}")
            for table in self._tables:
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")

    async def rows(self, connection: asyncpg.Connection, table: str) -> None:
        """Make the rows of a table."""
        self._tell(f"loading {table} of {self._crowd.count} users")
        statement, names = ROWS[table]
        await connection.execute(statement, self._crowd.count, *(self._arguments[name] for name in names))

    async def dress(self, connection: asyncpg.Connection, table: str) -> None:
        """Make the indexes of a table again, those of keys included."""
        self._tell(f"making the indexes of {table}")
        for each in self._constraints:
            if each["owner"] == table and not each["points"]:
                await connection.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{each["name"]}" {each["text"]}')
        for each in self._indexes:
            if each["owner"] == table:
                await connection.execute(each["text"])
        await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    async def vacuum(self, connection: asyncpg.Connection, table: str) -> None:
        """Vacuum a table; after all the rest, whose snapshots would keep it from noting what everybody sees."""
        self._tell(f"vacuuming {table}")
        await connection.execute(f"VACUUM (ANALYZE) {table}")

    async def finish(self) -> None:
        """Make the foreign keys again, for what comes: what was loaded is known to be right."""
        async with _connected(self._dsn) as connection:
            for each in self._constraints:
                if each["points"]:
                    text = each["text"].removesuffix(" NOT VALID")
                    named = f'ALTER TABLE {each["owner"]} ADD CONSTRAINT "{each["name"]}"'
                    await connection.execute(f"{named} {text} NOT VALID")
            if "profiles" in self._tables:
                numbers = "INSERT INTO project_numbers (project_id, last_number) VALUES ($1, $2)"
                await connection.execute(numbers, self._arguments["project"], self._crowd.count)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _megabytes(dsn: str) -> float:
    async with _connected(dsn) as connection:
        return float(await connection.fetchval("SELECT pg_database_size(current_database())")) / 1e6
