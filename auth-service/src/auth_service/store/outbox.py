"""Notices on their way to notify-service."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from auth_service.store import audit
from auth_service.store.audit import Event
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as stored; without message it is a decoy."""

    id: UUID
    message: dict[str, Any] | None
    attempts: int


_INSERT = "INSERT INTO outbox (id, message, created_at, due_at) VALUES ($1, $2, $3, $3)"
_INSERT_AND_TELL = f"WITH posted AS ({_INSERT} RETURNING NULL::uuid AS account_id) {audit.appended(4, 'posted')}"


async def insert(
    connection: Connection, notice_id: UUID, message: dict[str, Any] | None, now: datetime, event: Event | None = None
) -> None:
    """Add a notice, due at once, and with it the event that is to be said of it, if any."""
    text = None if message is None else json.dumps(message)
    if event is None:
        await connection.execute(_INSERT, notice_id, text, now)
    else:
        await connection.execute(_INSERT_AND_TELL, notice_id, text, now, *event.values())


async def fetch_due(connection: Connection, now: datetime, limit: int) -> list[Notice]:
    """Return and lock due notices that no other instance is working on."""
    rows = await connection.fetch(
        "SELECT id, message, attempts FROM outbox WHERE failure IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2 "
        "FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )
    return [Notice(row["id"], json.loads(row["message"]) if row["message"] else None, row["attempts"]) for row in rows]


async def delete(connection: Connection, notice_ids: list[UUID]) -> None:
    """Forget notices that notify-service has taken."""
    await connection.execute("DELETE FROM outbox WHERE id = ANY($1)", notice_ids)


async def postpone(connection: Connection, notice_id: UUID, due_at: datetime) -> None:
    """Try a notice again later."""
    await connection.execute("UPDATE outbox SET attempts = attempts + 1, due_at = $2 WHERE id = $1", notice_id, due_at)


async def fail(connection: Connection, notice_id: UUID, failure: str) -> None:
    """Keep a notice that notify-service will never take, for people to see."""
    await connection.execute("UPDATE outbox SET failure = $2 WHERE id = $1", notice_id, failure)
