"""Mailed links in PostgreSQL, by the hash of their token."""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from auth_service.model import Link, LinkPurpose
from runtime.postgres import Connection

_COLUMNS = "l.purpose, l.account_id, l.data, l.created_at, l.expires_at"


def _from_record(row: Record) -> Link:
    return Link(
        purpose=LinkPurpose(row["purpose"]),
        account_id=row["account_id"],
        project=row["project"],
        data=json.loads(row["data"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


async def insert(
    connection: Connection,
    link_hash: bytes,
    purpose: LinkPurpose,
    account_id: UUID,
    data: Mapping[str, str],
    now: datetime,
    expires_at: datetime,
) -> None:
    """Add a link."""
    await connection.execute(
        "INSERT INTO links (hash, purpose, account_id, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        link_hash,
        purpose,
        account_id,
        json.dumps(dict(data)),
        now,
        expires_at,
    )


async def fetch(connection: Connection, link_hash: bytes, now: datetime) -> Link | None:
    """Return a link that can still be used."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, p.name AS project FROM links l JOIN accounts a ON a.id = l.account_id "  # noqa: S608
        "JOIN projects p ON p.id = a.project_id WHERE l.hash = $1 AND l.used_at IS NULL AND l.expires_at > $2",
        link_hash,
        now,
    )
    return _from_record(row) if row else None


async def use(connection: Connection, link_hash: bytes, now: datetime) -> Link | None:
    """Spend a link in the caller's transaction; None if it cannot be used (any more)."""
    row = await connection.fetchrow(
        "UPDATE links l SET used_at = $2 FROM accounts a JOIN projects p ON p.id = a.project_id "  # noqa: S608 constant
        "WHERE l.hash = $1 AND l.used_at IS NULL AND l.expires_at > $2 AND a.id = l.account_id "
        f"RETURNING {_COLUMNS}, p.name AS project",
        link_hash,
        now,
    )
    return _from_record(row) if row else None


async def end(
    connection: Connection, account_id: UUID, purpose: LinkPurpose, now: datetime, since: datetime | None = None
) -> None:
    """End an account's unused links of a purpose; only those made since a time, if given."""
    await connection.execute(
        "UPDATE links SET used_at = $3 WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL "
        "AND ($4::timestamptz IS NULL OR created_at >= $4)",
        account_id,
        purpose,
        now,
        since,
    )


async def is_ended(connection: Connection, account_id: UUID, purpose: LinkPurpose) -> bool:
    """Say whether an account's latest link of a purpose was used or ended; False if there is none (any more)."""
    sql = (
        "SELECT used_at IS NOT NULL FROM links WHERE account_id = $1 AND purpose = $2 ORDER BY created_at DESC LIMIT 1"
    )
    return bool(await connection.fetchval(sql, account_id, purpose))


async def fetch_reservation(connection: Connection, project_id: UUID, normalized: str) -> tuple[UUID, str] | None:
    """Return the account that an address of a project is kept for by a link that would go back to it, and the address.

    It is kept until the link is used or swept away.
    """
    row = await connection.fetchrow(
        "SELECT l.account_id, l.data ->> 'email' AS email FROM links l JOIN accounts a ON a.id = l.account_id "
        "WHERE l.purpose = 'undo-email-change' AND l.used_at IS NULL AND l.data ->> 'normalized' = $2 "
        "AND a.project_id = $1 ORDER BY l.created_at LIMIT 1",
        project_id,
        normalized,
    )
    return (row["account_id"], row["email"]) if row else None


async def fetch_all(connection: Connection, account_id: UUID, now: datetime) -> list[Link]:
    """Return an account's links that can still be used, latest first, at most 100."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS}, p.name AS project FROM links l JOIN accounts a ON a.id = l.account_id "  # noqa: S608
        "JOIN projects p ON p.id = a.project_id WHERE l.account_id = $1 AND l.used_at IS NULL AND l.expires_at > $2 "
        "ORDER BY l.created_at DESC LIMIT 100",
        account_id,
        now,
    )
    return [_from_record(row) for row in rows]


async def delete_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Forget links whose time is over, at most so many; return how many."""
    sql = (
        "WITH gone AS (DELETE FROM links WHERE hash IN "
        "(SELECT hash FROM links WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING 1) "
        "SELECT count(*) FROM gone"
    )
    return int(await connection.fetchval(sql, now, limit))
