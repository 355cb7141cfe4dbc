"""Grants in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from auth_service.model import Grant
from auth_service.store import audit
from auth_service.store.arrays import items
from auth_service.store.audit import Event
from runtime.postgres import Connection

_RETURN = "g.id, g.account_id, (SELECT client_id FROM apps WHERE id = g.app_id) AS client_id, g.scopes, g.granted_at"
_WANTED = items(account_id="uuid", app_id="uuid")


def _from_record(row: Record) -> Grant:
    return Grant(row["id"], row["account_id"], row["client_id"], tuple(row["scopes"]), row["granted_at"])


async def put(
    connection: Connection,
    grant_id: UUID,
    account_id: UUID,
    app_id: UUID,
    scopes: Sequence[str],
    event: Event,
    since: datetime,
) -> Grant:
    """Record consent, adding to what was confirmed `since` then, and append what is to be said of it.

    What is confirmed now is no confirmation of the rest: with some of that, the grant is no younger than it was, and
    what was confirmed before `since` is granted no more.
    """
    row = await connection.fetchrow(
        "WITH given AS (INSERT INTO grants AS g (id, account_id, app_id, scopes, granted_at) "  # noqa: S608 constants
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, app_id) DO UPDATE SET "
        "granted_at = CASE WHEN g.granted_at < $6 OR g.scopes <@ excluded.scopes THEN excluded.granted_at "
        "ELSE g.granted_at END, "
        "scopes = ARRAY(SELECT DISTINCT scope FROM unnest(CASE WHEN g.granted_at < $6 THEN excluded.scopes "
        "ELSE g.scopes || excluded.scopes END) scope ORDER BY scope) "
        f"RETURNING {_RETURN}), told AS ({audit.appended(7, 'given')}) SELECT * FROM given",
        grant_id,
        account_id,
        app_id,
        scopes,
        event.at,
        since,
        *event.values(),
    )
    assert row is not None  # noqa: S101 an upsert returns its row
    return _from_record(row)


async def fetch_of_apps(connection: Connection, wanted: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Grant]:
    """Return what users have granted apps, by account and app; what there is."""
    rows = await connection.fetch(
        f"SELECT {_RETURN}, g.app_id FROM {_WANTED} "  # noqa: S608 constants
        "JOIN grants g ON g.account_id = w.account_id AND g.app_id = w.app_id",
        *zip(*wanted, strict=True),
    )
    return {(row["account_id"], row["app_id"]): _from_record(row) for row in rows}


async def fetch_all(connection: Connection, account_id: UUID) -> list[Grant]:
    """Return a user's grants, latest first, at most 100."""
    rows = await connection.fetch(
        f"SELECT {_RETURN} FROM grants g WHERE g.account_id = $1 ORDER BY g.granted_at DESC LIMIT 100",  # noqa: S608
        account_id,
    )
    return [_from_record(row) for row in rows]


async def delete(connection: Connection, account_id: UUID, grant_id: UUID) -> tuple[UUID, str] | None:
    """Take a user's grant back and return its app's id and client id; None if he has no such grant."""
    row = await connection.fetchrow(
        "DELETE FROM grants g USING apps a WHERE g.account_id = $1 AND g.id = $2 AND a.id = g.app_id "
        "RETURNING g.app_id, a.client_id",
        account_id,
        grant_id,
    )
    return (row["app_id"], row["client_id"]) if row else None
