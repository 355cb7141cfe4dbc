"""SQL of devices. Nothing here returns a token; `pushes` does, for those who send."""

import hashlib
from datetime import datetime
from uuid import UUID

import asyncpg

from notify_service.model import Device, DeviceKind
from runtime.postgres import Connection


async def register(
    connection: Connection,
    *,
    device_id: UUID,
    project_id: UUID,
    user_id: UUID,
    kind: DeviceKind,
    token: str,
    now: datetime,
) -> Device:
    """Store a device; a token known in the project moves to this user and keeps its device id."""
    row = await connection.fetchrow(
        """INSERT INTO devices (id, project_id, user_id, kind, token, token_hash, registered_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT ON CONSTRAINT devices_token_once
           DO UPDATE SET user_id = excluded.user_id, kind = excluded.kind, registered_at = excluded.registered_at
           RETURNING id, project_id, user_id, kind, registered_at""",
        device_id,
        project_id,
        user_id,
        kind,
        token,
        hashlib.sha256(token.encode()).digest(),
        now,
    )
    if row is None:
        raise AssertionError("INSERT … DO UPDATE returns its row")
    return _device(row)


async def keep_latest(connection: Connection, user_id: UUID, count: int) -> None:
    """Forget all but a user's latest devices."""
    await connection.execute(
        """DELETE FROM devices WHERE user_id = $1 AND id IN (
               SELECT id FROM devices WHERE user_id = $1 ORDER BY registered_at DESC, id DESC OFFSET $2)""",
        user_id,
        count,
    )


async def latest(connection: Connection, user_id: UUID, limit: int) -> list[Device]:
    """Read a user's devices, latest first."""
    rows = await connection.fetch(
        """SELECT id, project_id, user_id, kind, registered_at FROM devices WHERE user_id = $1
           ORDER BY registered_at DESC, id DESC LIMIT $2""",
        user_id,
        limit,
    )
    return [_device(row) for row in rows]


async def delete(connection: Connection, *, user_id: UUID, device_id: UUID) -> None:
    """Forget a device of this user; nothing happens if it is not theirs."""
    await connection.execute("DELETE FROM devices WHERE user_id = $1 AND id = $2", user_id, device_id)


def _device(row: asyncpg.Record) -> Device:
    return Device(
        id=row["id"],
        user_id=row["user_id"],
        project_id=row["project_id"],
        kind=DeviceKind(row["kind"]),
        registered_at=row["registered_at"],
    )
