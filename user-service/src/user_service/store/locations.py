"""Places in PostgreSQL."""

from collections.abc import Sequence

from runtime.postgres import Connection
from user_service.model import Location

_SELECT = """
SELECT l.id, l.name, coalesce(l.parent_id, 0) AS parent_id, coalesce(p.name, '') AS parent_name
FROM locations l LEFT JOIN locations p ON p.id = l.parent_id"""

_PUT = """
INSERT INTO locations AS known (id, name, parent_id)
SELECT id, name, nullif(parent_id, 0)
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS given (id, name, parent_id)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id
WHERE (known.name, known.parent_id) IS DISTINCT FROM (excluded.name, excluded.parent_id)"""

_CIRCLES = """
WITH RECURSIVE line (origin, id) AS (
    SELECT id, id FROM locations WHERE id = ANY($1)
    UNION
    SELECT line.origin, l.parent_id FROM line JOIN locations l ON l.id = line.id WHERE l.parent_id IS NOT NULL
) CYCLE id SET in_circle USING path
SELECT DISTINCT origin FROM line WHERE in_circle"""


async def lock(connection: Connection) -> None:
    """Keep others from changing places until the transaction ends; reading goes on."""
    await connection.execute("LOCK TABLE locations IN SHARE ROW EXCLUSIVE MODE")


async def known(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Return those of the ids that places have."""
    rows = await connection.fetch("SELECT id FROM locations WHERE id = ANY($1)", ids)
    return {row["id"] for row in rows}


async def is_empty(connection: Connection) -> bool:
    """Say whether there is no place at all."""
    empty: bool = await connection.fetchval("SELECT NOT EXISTS (SELECT FROM locations)")
    return empty


async def put(connection: Connection, locations: Sequence[Location]) -> int:
    """Add places, or change those whose id is known; return how many rows that touched. Parents must be known or given.

    The ids must differ.
    """
    done = await connection.execute(
        _PUT,
        [location.id for location in locations],
        [location.name for location in locations],
        [location.parent_id for location in locations],
    )
    return int(done.rpartition(" ")[2])


async def in_circles(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Return those of the ids whose line of parents never ends."""
    return {row["origin"] for row in await connection.fetch(_CIRCLES, ids)}


async def find(connection: Connection, location_id: int) -> Location | None:
    """Read a place."""
    row = await connection.fetchrow(_SELECT + " WHERE l.id = $1", location_id)
    return Location(**row) if row else None


async def find_page(connection: Connection, *, parent_id: int, after: int, limit: int) -> list[Location]:
    """Read places by id: those with a greater id than `after`, in `parent_id` unless that is 0."""
    where = " WHERE l.id > $1 AND l.parent_id = $3" if parent_id else " WHERE l.id > $1 AND $3 = 0::bigint"
    rows = await connection.fetch(_SELECT + where + " ORDER BY l.id LIMIT $2", after, limit, parent_id)
    return [Location(**row) for row in rows]
