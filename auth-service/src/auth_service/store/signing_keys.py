"""Sealed signing keys in PostgreSQL. Who changes them holds the lock of `keys`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A signing key as stored; its id is the thumbprint of its public half."""

    id: str
    sealed: bytes
    created_at: datetime
    revoked_at: datetime | None = None


async def fetch_all(connection: Connection) -> list[StoredSigningKey]:
    """Return all signing keys, oldest first."""
    rows = await connection.fetch("SELECT id, sealed, created_at, revoked_at FROM signing_keys ORDER BY number")
    return [StoredSigningKey(*row) for row in rows]


async def insert(connection: Connection, key: StoredSigningKey) -> None:
    """Add a signing key."""
    await connection.execute(
        "INSERT INTO signing_keys (id, sealed, created_at) VALUES ($1, $2, $3)", key.id, key.sealed, key.created_at
    )


async def revoke_all(connection: Connection, now: datetime) -> None:
    """Revoke every signing key there is."""
    await connection.execute("UPDATE signing_keys SET revoked_at = $1 WHERE revoked_at IS NULL", now)


async def reseal(connection: Connection, sealed: Sequence[tuple[str, bytes]]) -> None:
    """Put other sealed values in the place of those there are."""
    await connection.executemany("UPDATE signing_keys SET sealed = $2 WHERE id = $1", sealed)


async def delete(connection: Connection, key_id: str) -> None:
    """Forget a signing key."""
    await connection.execute("DELETE FROM signing_keys WHERE id = $1 AND revoked_at IS NULL", key_id)
