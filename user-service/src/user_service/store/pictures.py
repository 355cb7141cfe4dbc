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
) -> bool:
    """Note that a picture's files are being made; unless it is `use`d by `due_at` they are deleted again.

    False, and nothing noted, if the account has no profile.
    """
    done = await connection.execute(
        "INSERT INTO pictures (id, kind, user_id, content_type, state, due_at, created_at) "
        "SELECT $1, $2, $3, $4, 'writing', $5, $6 "
        "WHERE $3::uuid IS NULL OR EXISTS (SELECT FROM profiles WHERE user_id = $3 FOR KEY SHARE)",
        picture_id,
        picture.kind,
        user_id,
        picture.content_type,
        due_at,
        now,
    )
    return done == "INSERT 0 1"


async def use(connection: Connection, picture_id: str, now: datetime) -> bool:
    """Note that something points to a picture; False if its files may be deleted already."""
    done = await connection.execute(
        "UPDATE pictures SET state = 'used', due_at = $2 WHERE id = $1 AND state = 'writing'", picture_id, now
    )
    return done == "UPDATE 1"


async def replace(connection: Connection, before: str, after: str, now: datetime) -> bool:
    """Note that something points to the picture `after` where it pointed to `before`, whose files are due.

    Either may be empty for none. False if the files of `after` may be deleted already.
    """
    rows = await connection.fetch(
        "UPDATE pictures SET state = CASE WHEN id = $2 THEN 'used' ELSE 'removing' END, due_at = $3 "
        "WHERE (id = $1 AND state = 'used') OR (id = $2 AND state = 'writing') RETURNING id",
        before,
        after,
        now,
    )
    return not after or after in {row["id"] for row in rows}


async def discard_icon(connection: Connection, picture_id: str, now: datetime) -> None:
    """Note that nothing points to a picture that belongs to no profile: its files are due. Any other is left alone."""
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
