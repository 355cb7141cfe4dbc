"""What the three databases and Valkey hold, as text: to see that nothing has changed, and what stands where."""

import re
from collections.abc import Iterable
from typing import Any

import asyncpg
from redis.asyncio import Redis

from gatepost_cli.stack import Stack

# How far a delivery is, and what the relay and the sweep have still to do: it changes by itself.
_RESTLESS = frozenset({"outbox", "messages", "push_outcomes", "profile_removals", "schema_migrations"})


class Databases:
    """Reads them. A row is told as JSON, without when it was used last: that is noted once a minute.

    Args:
        running: The stack they belong to.
    """

    def __init__(self, running: Stack) -> None:
        self._dsns = running.dsns
        self._valkey_url = running.valkey_url
        self._connections: dict[str, Any] = {}

    async def close(self) -> None:
        """Close what was opened."""
        for connection in self._connections.values():
            await connection.close()

    async def rows(self, pattern: str = "") -> dict[str, list[str]]:
        """Return every row that matches a pattern, sorted, by `database.table`."""
        found: dict[str, list[str]] = {}
        for name, dsn in self._dsns.items():
            if name not in self._connections:
                self._connections[name] = await asyncpg.connect(dsn)
            found |= {f"{name}.{table}": rows for table, rows in await _rows(self._connections[name], pattern)}
        return found

    async def lasting(self, pattern: str = "") -> dict[str, list[str]]:
        """Return the rows that change only because somebody wants it so: all but those of deliveries under way."""
        rows = await self.rows(pattern)
        return {table: rows[table] for table in rows if table.rpartition(".")[2] not in _RESTLESS}

    async def about(self, needles: Iterable[str]) -> dict[str, list[str]]:
        """Return those of `lasting` that name one of the needles."""
        return await self.lasting("|".join(map(re.escape, needles)))

    async def valkey(self) -> str:
        """Return every key of Valkey with its value."""
        async with Redis.from_url(self._valkey_url, decode_responses=False) as client:
            return "\n".join([f"{key!r} {await _value(client, key)!r}" async for key in client.scan_iter(count=1000)])


async def _rows(connection: Any, pattern: str) -> list[tuple[str, list[str]]]:
    names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [(each["tablename"], await _table(connection, each["tablename"], pattern)) for each in names]


async def _table(connection: Any, table: str, pattern: str) -> list[str]:
    row = f"(to_jsonb(t) - 'last_used_at')::text AS row FROM \"{table}\" t"  # a name from the catalogue
    found = await connection.fetch(f"SELECT * FROM (SELECT {row}) r WHERE row ~ $1", pattern)  # noqa: S608
    return sorted(each["row"] for each in found)


async def _value(client: Any, key: bytes) -> Any:
    match await client.type(key):
        case b"hash":
            return await client.hgetall(key)
        case b"string":
            return await client.get(key)
        case b"zset":
            return await client.zrange(key, 0, -1, withscores=True)
        case b"set":
            return await client.smembers(key)
        case b"list":
            return await client.lrange(key, 0, -1)
        case kind:
            return kind
