"""What is known of pictures in PostgreSQL: which there are, whose, and which are to go. Their files are in `media`.

The states are told in migration 0002.
"""

from datetime import datetime
from uuid import UUID

from runtime.postgres import Connection
from user_service.model import Picture, PictureKind

_CLAIM = """
UPDATE pictures SET state = 'removing', due_at = $2
WHERE id = (
    SELECT id FROM pictures
    WHERE (state <> 'used' OR (kind <> 'icon' AND user_id IS NULL)) AND due_at <= $1
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id"""


async def insert(
    connection: Connection,
    picture_id: str,
    picture: Picture,
    *,
    user_id: UUID | None,
    now: datetime,
    due_at: datetime,
) -> None:
    """Note that a picture's files are being made; unless it is `use`d by `due_at` they are deleted again."""
    await connection.execute(
        "INSERT INTO pictures (id, kind, user_id, content_type, state, due_at, created_at) "
        "VALUES ($1, $2, $3, $4, 'writing', $5, $6)",
        picture_id,
        picture.kind,
        user_id,
        picture.content_type,
        due_at,
        now,
    )


async def use(connection: Connection, picture_id: str, now: datetime) -> bool:
    """Note that something points to a picture; False if its files may be deleted already."""
    done = await connection.execute(
        "UPDATE pictures SET state = 'used', due_at = $2 WHERE id = $1 AND state = 'writing'", picture_id, now
    )
    return done == "UPDATE 1"


async def discard(connection: Connection, picture_id: str, now: datetime) -> None:
    """Note that nothing points to a picture any more: its files are due."""
    await connection.execute(
        "UPDATE pictures SET state = 'removing', due_at = $2 WHERE id = $1 AND state = 'used'", picture_id, now
    )


async def discard_icon(connection: Connection, picture_id: str, now: datetime) -> None:
    """Likewise for a picture that belongs to no profile; any other is left alone."""
    await connection.execute(
        "UPDATE pictures SET state = 'removing', due_at = $2 WHERE id = $1 AND kind = 'icon' AND state = 'used'",
        picture_id,
        now,
    )


async def find(connection: Connection, picture_id: str) -> Picture | None:
    """Read a picture that something points to."""
    row = await connection.fetchrow(
        "SELECT kind, content_type FROM pictures "
        "WHERE id = $1 AND state = 'used' AND (kind = 'icon' OR user_id IS NOT NULL)",
        picture_id,
    )
    return Picture(PictureKind(row["kind"]), row["content_type"]) if row else None


async def claim_due(connection: Connection, now: datetime, again_at: datetime) -> str | None:
    """Return the id of a picture whose files are due, for this instance alone until `again_at`."""
    found: str | None = await connection.fetchval(_CLAIM, now, again_at)
    return found


async def forget(connection: Connection, picture_id: str) -> None:
    """Delete the row of a picture whose files are gone."""
    await connection.execute("DELETE FROM pictures WHERE id = $1 AND state = 'removing'", picture_id)
