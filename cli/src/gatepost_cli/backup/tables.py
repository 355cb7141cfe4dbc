"""The tables of one database, whatever they hold: copied out of a snapshot, copied into an empty schema.

Rows travel as PostgreSQL's own text format of COPY, which every version reads, with their columns named.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic in its stubs only
MIGRATIONS = "schema_migrations"  # made by migrating, never copied
PART_BYTES = 4 * 1024 * 1024
_COLUMNS = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attgenerated = '' AND c.relname <> $1
    AND c.relnamespace = current_schema()::regnamespace
GROUP BY c.relname"""
_REFERENCES = """
SELECT f.relname AS referring, t.relname AS referred
FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND f.relnamespace = current_schema()::regnamespace"""
_NUMBERED = """
SELECT c.relname AS name, a.attname AS attribute
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace"""


@dataclass(frozen=True)
class Table:
    """A table and its columns."""

    name: str
    columns: Sequence[str]


async def found(connection: Connection) -> list[Table]:
    """Return the tables of the connection's schema, each after those that it refers to."""
    rows = await connection.fetch(_COLUMNS, MIGRATIONS)
    order: TopologicalSorter[str] = TopologicalSorter({row["name"]: () for row in rows})
    for reference in await connection.fetch(_REFERENCES):
        order.add(reference["referring"], reference["referred"])
    columns = {row["name"]: row["columns"] for row in rows}
    return [Table(name, columns[name]) for name in order.static_order() if name in columns]


async def migrations(connection: Connection) -> dict[str, str]:
    """Return the checksums of the migrations that the schema has, by name, in order."""
    rows = await connection.fetch(f"SELECT name, checksum FROM {MIGRATIONS} ORDER BY version")  # noqa: S608 constant
    return {row["name"]: row["checksum"] for row in rows}


async def copy_out(connection: Connection, table: Table, take: Callable[[bytes], None]) -> int:
    """Hand a table's rows to `take` in parts of some megabytes; return how many rows."""
    buffer = bytearray()

    async def gather(chunk: bytes) -> None:
        buffer.extend(chunk)
        if len(buffer) >= PART_BYTES:
            take(bytes(buffer))
            buffer.clear()

    done = await connection.copy_from_query(
        f"SELECT {_listed(table.columns)} FROM {_quoted(table.name)}",  # noqa: S608 names of the catalogue
        output=gather,
    )
    if buffer:
        take(bytes(buffer))
    return int(done.rpartition(" ")[2])


async def copy_in(connection: Connection, table: Table, schema: str, parts: Iterable[bytes]) -> int:
    """Put rows that `copy_out` gave into an empty table; return how many."""

    async def source() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    done = await connection.copy_to_table(table.name, source=source(), columns=list(table.columns), schema_name=schema)
    return int(done.rpartition(" ")[2])


async def number_on(connection: Connection) -> None:
    """Let numbers that the database gives out be higher than all there are."""
    for row in await connection.fetch(_NUMBERED):
        table, attribute = _quoted(row["name"]), _quoted(row["attribute"])
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence($1, $2), (SELECT max({attribute}) FROM {table})) "  # noqa: S608
            f"WHERE EXISTS (SELECT FROM {table})",
            table,
            row["attribute"],
        )


def counted(rows: Mapping[str, int]) -> int:
    """Return how many rows there are in all tables."""
    return sum(rows.values())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
