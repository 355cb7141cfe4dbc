"""Sealed keys in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runtime.postgres import Connection

__all__ = [
    "OLDEST_GOOD",
    "Connection",
    "StoredKey",
    "delete",
    "fetch_all",
    "insert",
    "is_in_use",
    "lock",
    "reseal",
    "revoke_all",
    "revoke_before",
]

# What was made with an older key than this has ended. Worked out once a statement, from the few rows that there are.
OLDEST_GOOD = "(SELECT coalesce(max(id) + 1, 0) FROM keys WHERE revoked_at IS NOT NULL)"
_LOOK_SECONDS = 60.0  # at all sessions, once in the life of a key


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as stored."""

    id: int
    sealed: bytes
    created_at: datetime
    revoked_at: datetime | None = None


async def lock(connection: Connection) -> None:
    """Let one instance at a time make keys, until the transaction ends."""
    await connection.execute("LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE")


async def fetch_all(connection: Connection) -> list[StoredKey]:
    """Return all keys, oldest first."""
    rows = await connection.fetch("SELECT id, sealed, created_at, revoked_at FROM keys ORDER BY id")
    return [StoredKey(*row) for row in rows]


async def insert(connection: Connection, key: StoredKey) -> None:
    """Add a key."""
    await connection.execute(
        "INSERT INTO keys (id, sealed, created_at) VALUES ($1, $2, $3)", key.id, key.sealed, key.created_at
    )


async def revoke_all(connection: Connection, now: datetime) -> None:
    """Revoke every key there is."""
    await connection.execute("UPDATE keys SET revoked_at = $1 WHERE revoked_at IS NULL", now)


async def revoke_before(connection: Connection, key_id: int, now: datetime) -> None:
    """Revoke every key older than one; with them every session ends that was made before it."""
    await connection.execute("UPDATE keys SET revoked_at = $2 WHERE id < $1 AND revoked_at IS NULL", key_id, now)


async def reseal(connection: Connection, sealed: Sequence[tuple[int, bytes]]) -> None:
    """Put other sealed values in the place of those there are."""
    await connection.executemany("UPDATE keys SET sealed = $2 WHERE id = $1", sealed)


async def is_in_use(connection: Connection, key_id: int, now: datetime) -> bool:
    """Say whether any session lives whose tokens are made with a key, or not known to be made with another.

    Reads all sessions if none does.
    """
    return bool(
        await connection.fetchval(
            "SELECT true FROM sessions WHERE key_id IN (0, $1) AND revoked_at IS NULL AND expires_at > $2 LIMIT 1",
            key_id,
            now,
            timeout=_LOOK_SECONDS,
        )
    )


async def delete(connection: Connection, key_id: int) -> None:
    """Forget a key."""
    await connection.execute("DELETE FROM keys WHERE id = $1 AND revoked_at IS NULL", key_id)
