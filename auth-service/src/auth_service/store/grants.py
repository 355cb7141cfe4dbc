"""Grants in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from auth_service.model import Grant
from runtime.postgres import Connection

_RETURN = "g.id, g.account_id, (SELECT client_id FROM apps WHERE id = g.app_id) AS client_id, g.scopes, g.granted_at"


def _from_record(row: Record) -> Grant:
    return Grant(row["id"], row["account_id"], row["client_id"], tuple(row["scopes"]), row["granted_at"])


async def put(
    connection: Connection, grant_id: UUID, account_id: UUID, app_id: UUID, scopes: Sequence[str], now: datetime
) -> Grant:
    """Record consent, adding to what was granted before."""
    row = await connection.fetchrow(
        "INSERT INTO grants AS g (id, account_id, app_id, scopes, granted_at) VALUES ($1, $2, $3, $4, $5) "  # noqa: S608
        "ON CONFLICT (account_id, app_id) DO UPDATE SET granted_at = excluded.granted_at, scopes = "
        "ARRAY(SELECT DISTINCT scope FROM unnest(g.scopes || excluded.scopes) scope ORDER BY scope) "
        f"RETURNING {_RETURN}",
        grant_id,
        account_id,
        app_id,
        scopes,
        now,
    )
    assert row is not None  # noqa: S101 an upsert returns its row
    return _from_record(row)


async def fetch_of_app(connection: Connection, account_id: UUID, app_id: UUID) -> Grant | None:
    """Return what a user has granted an app."""
    row = await connection.fetchrow(
        f"SELECT {_RETURN} FROM grants g WHERE g.account_id = $1 AND g.app_id = $2",  # noqa: S608 constant
        account_id,
        app_id,
    )
    return _from_record(row) if row else None


async def hold(connection: Connection, grant_id: UUID) -> bool:
    """Keep a grant from being taken back until the transaction ends; False if it has been."""
    return bool(await connection.fetchval("SELECT true FROM grants WHERE id = $1 FOR SHARE", grant_id))


async def fetch_all(connection: Connection, account_id: UUID) -> list[Grant]:
    """Return a user's grants, latest first, at most 100."""
    rows = await connection.fetch(
        f"SELECT {_RETURN} FROM grants g WHERE g.account_id = $1 ORDER BY g.granted_at DESC LIMIT 100",  # noqa: S608
        account_id,
    )
    return [_from_record(row) for row in rows]


async def delete(connection: Connection, account_id: UUID, grant_id: UUID) -> UUID | None:
    """Take a user's grant back and return its app's id; None if he has no such grant."""
    found: UUID | None = await connection.fetchval(
        "DELETE FROM grants WHERE account_id = $1 AND id = $2 RETURNING app_id", account_id, grant_id
    )
    return found
