"""SQL of delivery: claim what is due, record what became of it, measure the queue.

Recording is fenced by the attempt number: whoever lost a claim to a newer holder changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from notify_service.model import Channel, Claim, Message, Status
from notify_service.store.messages import COLUMNS, message
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits, how much was given up, and since when the oldest due message waits (None if none does)."""

    pending: int
    dead: int
    oldest_due_at: datetime | None


async def claim(connection: Connection, channel: Channel, *, now: datetime, until: datetime, limit: int) -> list[Claim]:
    """Claim a channel's due messages that nobody else works on, longest due first, and count the attempt."""
    rows = await connection.fetch(
        f"""WITH due AS (
                SELECT id FROM messages
                WHERE channel = $4 AND status = 'pending' AND next_attempt_at <= $1
                    AND (claimed_until IS NULL OR claimed_until <= $1)
                ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED)
            UPDATE messages m SET claimed_until = $2, attempts = m.attempts + 1
            FROM due WHERE m.id = due.id RETURNING {COLUMNS}""",  # noqa: S608 constant
        now,
        until,
        limit,
        channel,
    )
    claims = [Claim(message(row), row["attempts"] - row["attempts_forgiven"]) for row in rows]
    return sorted(claims, key=lambda claim: claim.message.created_at)


async def mark_sent(connection: Connection, sent: Message, *, now: datetime, keep_content: bool) -> bool:
    """Record a delivery; without `keep_content` the text is forgotten. False if the claim was lost."""
    return await _finish(connection, sent, Status.SENT, sent_at=now, keep_content=keep_content)


async def mark_skipped(connection: Connection, skipped: Message, *, keep_content: bool) -> bool:
    """Record that nobody was there; without `keep_content` the text is forgotten. False if the claim was lost."""
    return await _finish(connection, skipped, Status.SKIPPED, sent_at=None, keep_content=keep_content)


async def _finish(
    connection: Connection, done: Message, status: Status, *, sent_at: datetime | None, keep_content: bool
) -> bool:
    row = await connection.fetchrow(
        """UPDATE messages SET status = $5, sent_at = $3, claimed_until = NULL, last_error = '',
               body_text = CASE WHEN $4 THEN body_text ELSE '' END, body_html = CASE WHEN $4 THEN body_html ELSE '' END,
               code = CASE WHEN $4 THEN code ELSE '' END, link = CASE WHEN $4 THEN link ELSE '' END
           WHERE id = $1 AND attempts = $2 AND status = 'pending' RETURNING id""",
        done.id,
        done.attempts,
        sent_at,
        keep_content,
        status,
    )
    return row is not None


async def defer(connection: Connection, failed: Message, *, until: datetime, error: str) -> bool:
    """Record a failed attempt and when to try again. False if the claim was lost."""
    row = await connection.fetchrow(
        """UPDATE messages SET next_attempt_at = $3, claimed_until = NULL, last_error = $4
           WHERE id = $1 AND attempts = $2 AND status = 'pending' RETURNING id""",
        failed.id,
        failed.attempts,
        until,
        error,
    )
    return row is not None


async def bury(connection: Connection, failed: Message, *, error: str) -> bool:
    """Give a message up; it is kept for people to see and can be requeued. False if the claim was lost."""
    row = await connection.fetchrow(
        """UPDATE messages SET status = 'dead', claimed_until = NULL, last_error = $3
           WHERE id = $1 AND attempts = $2 AND status = 'pending' RETURNING id""",
        failed.id,
        failed.attempts,
        error,
    )
    return row is not None


async def depth(connection: Connection) -> Depth:
    """Measure the queue."""
    row = await connection.fetchrow(
        """SELECT (SELECT count(*) FROM messages WHERE status = 'pending') AS pending,
                  (SELECT count(*) FROM messages WHERE status = 'dead') AS dead,
                  (SELECT min(next_attempt_at) FROM messages WHERE status = 'pending') AS oldest"""
    )
    if row is None:  # not with aggregates, but its type says so
        return Depth(0, 0, None)
    return Depth(row["pending"], row["dead"], row["oldest"])
