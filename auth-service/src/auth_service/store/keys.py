"""Sealed keys in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

from runtime.postgres import Connection

__all__ = ["Connection", "StoredKey", "fetch_all", "insert", "lock"]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as stored."""

    id: int
    sealed: bytes
    created_at: datetime


async def lock(connection: Connection) -> None:
    """Let one instance at a time make keys, until the transaction ends."""
    await connection.execute("LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE")


async def fetch_all(connection: Connection) -> list[StoredKey]:
    """Return all keys, oldest first."""
    rows = await connection.fetch("SELECT id, sealed, created_at FROM keys ORDER BY id")
    return [StoredKey(row["id"], row["sealed"], row["created_at"]) for row in rows]


async def insert(connection: Connection, key: StoredKey) -> None:
    """Add a key."""
    await connection.execute(
        "INSERT INTO keys (id, sealed, created_at) VALUES ($1, $2, $3)", key.id, key.sealed, key.created_at
    )
