"""SQL of pictures in a restored copy: those whose files are not there, and those there are."""

from collections.abc import Sequence
from datetime import datetime

from runtime.postgres import Connection


async def let_go(connection: Connection, there: Sequence[str], now: datetime) -> int:
    """Let profiles point to pictures with files alone; return how many pictures have none.

    Their rows stay until their files, if there should be any, are deleted.
    """
    rows = await connection.fetch(
        "UPDATE pictures SET state = 'removing', due_at = $2 WHERE state = 'used' AND id <> ALL($1) RETURNING id",
        there,
        now,
    )
    gone = [row["id"] for row in rows]
    await connection.execute(
        "UPDATE profiles SET picture = CASE WHEN picture = ANY($1) THEN '' ELSE picture END, "
        "cover = CASE WHEN cover = ANY($1) THEN '' ELSE cover END, version = version + 1, updated_at = $2 "
        "WHERE picture = ANY($1) OR cover = ANY($1)",
        gone,
        now,
    )
    return len(gone)


async def known(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of the ids that there are rows of."""
    return {row["id"] for row in await connection.fetch("SELECT id FROM pictures WHERE id = ANY($1)", ids)}
