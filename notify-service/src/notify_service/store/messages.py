"""SQL of the outbox as people see it: take, read, list, requeue, forget. Delivery's own statements are in `queue`."""

from datetime import datetime
from uuid import UUID

import asyncpg

from notify_service.model import Channel, Content, Message, Status
from runtime.postgres import Connection

COLUMNS = """m.id, m.channel, m.address, m.template, m.project, m.language, m.subject, m.body_text, m.body_html, m.code,
    m.link, m.status, m.attempts, m.attempts_forgiven, m.last_error, m.message_id, m.created_at, m.next_attempt_at,
    m.expires_at, m.sent_at"""


def message(row: asyncpg.Record) -> Message:
    """Build a message from a row of COLUMNS."""
    status = Status(row["status"])
    return Message(
        id=row["id"],
        channel=Channel(row["channel"]),
        to=row["address"],
        template=row["template"],
        project=row["project"],
        content=Content(
            language=row["language"],
            subject=row["subject"],
            text=row["body_text"],
            html=row["body_html"],
            code=row["code"],
            link=row["link"],
        ),
        status=status,
        attempts=row["attempts"],
        last_error=row["last_error"],
        message_id=row["message_id"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"] if status is Status.PENDING else None,
        expires_at=row["expires_at"],
        sent_at=row["sent_at"],
    )


async def insert(connection: Connection, new: Message) -> bool:
    """Store a new message, due at once; False, and nothing changed, if its id is known."""
    row = await connection.fetchrow(
        """INSERT INTO messages (id, channel, address, template, project, language, subject, body_text, body_html, code,
               link, message_id, created_at, next_attempt_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        new.id,
        new.channel,
        new.to,
        new.template,
        new.project,
        new.content.language,
        new.content.subject,
        new.content.text,
        new.content.html,
        new.content.code,
        new.content.link,
        new.message_id,
        new.created_at,
        new.expires_at,
    )
    return row is not None


async def get(connection: Connection, message_id: UUID) -> Message | None:
    """Read one message."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM messages m WHERE m.id = $1", message_id)  # noqa: S608 constant
    return None if row is None else message(row)


async def newest(
    connection: Connection,
    *,
    to: str | None,
    status: Status | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Message]:
    """Read messages, newest first, after the place `before` in that order."""
    conditions: list[str] = []
    arguments: list[object] = [limit]
    if to is not None:
        arguments.append(to)
        conditions.append(f"lower(m.address) = lower(${len(arguments)})")
    if status is not None:
        arguments.append(status)
        conditions.append(f"m.status = ${len(arguments)}")
    if before is not None:
        arguments.extend(before)
        conditions.append(f"(m.created_at, m.id) < (${len(arguments) - 1}, ${len(arguments)})")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM messages m {where} ORDER BY m.created_at DESC, m.id DESC LIMIT $1",  # noqa: S608 constants
        *arguments,
    )
    return [message(row) for row in rows]


async def requeue(connection: Connection, message_id: UUID, now: datetime) -> Message | None:
    """Make a dead message due at once, with all its attempts before it again; None if it is not dead."""
    row = await connection.fetchrow(
        f"""UPDATE messages m SET status = 'pending', attempts_forgiven = attempts, next_attempt_at = $2,
                claimed_until = NULL
            WHERE m.id = $1 AND m.status = 'dead' RETURNING {COLUMNS}""",  # noqa: S608 constant
        message_id,
        now,
    )
    return None if row is None else message(row)


async def forget(connection: Connection, *, sent_before: datetime, dead_before: datetime, limit: int) -> int:
    """Delete up to `limit` messages delivered (or skipped) before one time, or dead and taken before the other.

    Returns:
        How many.
    """
    rows = await connection.fetch(
        """DELETE FROM messages WHERE id IN (
               (SELECT id FROM messages WHERE status = 'sent' AND created_at < $1 AND sent_at < $1 LIMIT $3)
               UNION ALL
               (SELECT id FROM messages WHERE status = 'skipped' AND created_at < $1 LIMIT $3)
               UNION ALL
               (SELECT id FROM messages WHERE status = 'dead' AND created_at < $2 LIMIT $3)
               LIMIT $3)
           RETURNING id""",
        sent_before,
        dead_before,
        limit,
    )
    return len(rows)
