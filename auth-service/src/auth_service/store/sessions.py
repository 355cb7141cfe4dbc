"""Sessions in PostgreSQL: families of tokens."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record, UniqueViolationError

from auth_service.model import Account, Session, TokenForm
from auth_service.store import accounts
from runtime.postgres import Connection

_COLUMNS = """s.id AS session_id, s.account_id AS session_account_id, s.app_id, coalesce(ap.client_id, '') AS client_id,
    coalesce(ap.name, '') AS app_name, s.scopes, s.salt, s.form, s.last_used_at, s.user_agent, s.client_address,
    s.generation, s.security_version AS session_version, s.authenticated_at, s.created_at AS session_created_at,
    s.rotated_at, s.expires_at, s.ends_at, s.revoked_at"""


@dataclass(frozen=True, slots=True)
class Found:
    """A session with what decides whether it lives.

    `status_mode` is its app's, empty for none of its own; `project_modes` its project's, by dialect.
    """

    session: Session
    account: Account
    client_disabled: bool
    dialects: tuple[str, ...]
    status_mode: str
    project_modes: Mapping[str, str]
    access_token_seconds: int
    refresh_token_seconds: int


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What an account's sessions say of a client.

    Args:
        any: Whether there were any from a known client.
        this: Whether there were any from this one.
        lately: How many clients there were of late.
    """

    any: bool
    this: bool
    lately: int


def _session(row: Record) -> Session:
    return Session(
        id=row["session_id"],
        account_id=row["session_account_id"],
        app_id=row["app_id"],
        client_id=row["client_id"],
        scopes=tuple(row["scopes"]),
        salt=row["salt"],
        generation=row["generation"],
        security_version=row["session_version"],
        authenticated_at=row["authenticated_at"],
        created_at=row["session_created_at"],
        rotated_at=row["rotated_at"],
        expires_at=row["expires_at"],
        ends_at=row["ends_at"],
        revoked=row["revoked_at"] is not None,
        form=TokenForm(row["form"]),
        last_used_at=row["last_used_at"] or row["rotated_at"],
        user_agent=row["user_agent"],
        client_address=row["client_address"],
        app_name=row["app_name"],
    )


async def insert(
    connection: Connection, session: Session, *, code_hash: bytes | None = None, key_hash: bytes | None = None
) -> bool:
    """Add a session; False if its account is not active at its security version, or the code is spent.

    Args:
        connection: Of the transaction that opens it.
        session: As it will be.
        code_hash: Of the code that it was opened with; none if it was opened without an app.
        key_hash: Of its one token; none if its tokens are computed.
    """
    try:
        done = await connection.fetchval(
            "INSERT INTO sessions (id, account_id, app_id, scopes, salt, generation, security_version, code_hash, "
            "authenticated_at, created_at, rotated_at, expires_at, ends_at, form, key_hash, last_used_at, user_agent, "
            "client_address) SELECT $1, a.id, $3, $4, $5, $6, a.security_version, $8, $9, $10, $11, $12, $13, $14, "
            "$15, $16, $17, $18 FROM accounts a "
            "WHERE a.id = $2 AND a.state = 'active' AND a.security_version = $7 FOR SHARE RETURNING true",
            session.id,
            session.account_id,
            session.app_id,
            session.scopes,
            session.salt,
            session.generation,
            session.security_version,
            code_hash,
            session.authenticated_at,
            session.created_at,
            session.rotated_at,
            session.expires_at,
            session.ends_at,
            session.form,
            key_hash,
            session.last_used_at,
            session.user_agent,
            session.client_address,
        )
    except UniqueViolationError:
        return False
    return bool(done)


def _found(row: Record) -> Found:
    return Found(
        session=_session(row),
        account=accounts.from_record(row),
        client_disabled=row["client_disabled"],
        dialects=tuple(row["dialects"]),
        status_mode=row["status_mode"],
        project_modes=json.loads(row["project_modes"]),
        access_token_seconds=row["access_token_seconds"],
        refresh_token_seconds=row["refresh_token_seconds"],
    )


_FIND = (
    f"SELECT {_COLUMNS}, {accounts.COLUMNS}, p.dialects, p.access_token_seconds, p.refresh_token_seconds, "  # noqa: S608
    "p.status_modes AS project_modes, coalesce(ap.disabled, false) OR p.disabled AS client_disabled, "
    "coalesce(ap.status_mode, '') AS status_mode "
    f"FROM sessions s LEFT JOIN apps ap ON ap.id = s.app_id JOIN accounts a ON a.id = s.account_id {accounts.JOINS} "
)


async def fetch(connection: Connection, session_id: UUID) -> Found | None:
    """Return a session with its account and app, whatever their state."""
    row = await connection.fetchrow(_FIND + "WHERE s.id = $1", session_id)
    return _found(row) if row else None


async def fetch_by_key(connection: Connection, key_hash: bytes) -> Found | None:
    """Return the session of a token that is not computed, with its account and app, whatever their state."""
    row = await connection.fetchrow(_FIND + "WHERE s.key_hash = $1", key_hash)
    return _found(row) if row else None


async def touch(
    connection: Connection, session_id: UUID, now: datetime, expires_at: datetime, before: datetime
) -> None:
    """Note that a session is used and let it live on, unless that was noted after a time."""
    await connection.execute(
        "UPDATE sessions SET last_used_at = $2, expires_at = greatest(expires_at, $3) WHERE id = $1 "
        "AND revoked_at IS NULL AND coalesce(last_used_at, rotated_at) <= $4",
        session_id,
        now,
        expires_at,
        before,
    )


async def acquaintance(
    connection: Connection,
    account_id: UUID,
    user_agent: str,
    client_address: str,
    since: datetime,
    lately: datetime,
) -> Acquaintance:
    """Say what an account's sessions since a time know of a client, and how many clients there were since another."""
    row = await connection.fetchrow(
        "SELECT count(*) > 0 AS any_known, coalesce(bool_or(user_agent = $2 AND client_address = $3), false) AS this, "
        "count(DISTINCT (user_agent, client_address)) FILTER (WHERE created_at > $5) AS lately "
        "FROM sessions WHERE account_id = $1 AND created_at > $4 AND (user_agent <> '' OR client_address <> '')",
        account_id,
        user_agent,
        client_address,
        since,
        lately,
    )
    assert row is not None  # noqa: S101 an aggregate returns its row
    return Acquaintance(row["any_known"], row["this"], row["lately"])


async def rotate(connection: Connection, session: Session, now: datetime, expires_at: datetime) -> bool:
    """Move a session to its next generation; False if it is not live at this generation any more."""
    done = await connection.fetchval(
        "UPDATE sessions s SET generation = s.generation + 1, rotated_at = $3, expires_at = $4, last_used_at = $3 "
        "FROM accounts a WHERE s.id = $1 AND s.generation = $2 AND s.revoked_at IS NULL AND a.id = s.account_id "
        "AND a.state = 'active' AND a.security_version = s.security_version RETURNING true",
        session.id,
        session.generation,
        now,
        expires_at,
    )
    return bool(done)


async def carry_over(connection: Connection, session_id: UUID, security_version: int, now: datetime) -> None:
    """Keep one session alive over a change that ends the others; its user has just proven himself."""
    await connection.execute(
        "UPDATE sessions SET security_version = $2, authenticated_at = $3 WHERE id = $1",
        session_id,
        security_version,
        now,
    )


async def revoke(connection: Connection, session_id: UUID, reason: str, now: datetime) -> None:
    """End a session; the first reason stays."""
    await connection.execute(
        "UPDATE sessions SET revoked_at = $3, revoke_reason = $2 WHERE id = $1 AND revoked_at IS NULL",
        session_id,
        reason,
        now,
    )


async def revoke_of(connection: Connection, account_id: UUID, session_id: UUID, reason: str, now: datetime) -> bool:
    """End a live session of an account; False if it has no such session (any more)."""
    done = await connection.fetchval(
        "UPDATE sessions SET revoked_at = $4, revoke_reason = $3 WHERE id = $2 AND account_id = $1 "
        "AND revoked_at IS NULL AND expires_at > $4 RETURNING true",
        account_id,
        session_id,
        reason,
        now,
    )
    return bool(done)


async def revoke_by_code(connection: Connection, code_hash: bytes, app_id: UUID, now: datetime) -> UUID | None:
    """End the session a code opened, if it opened one for this app; return its account."""
    found: UUID | None = await connection.fetchval(
        "UPDATE sessions SET revoked_at = coalesce(revoked_at, $3), "
        "revoke_reason = coalesce(revoke_reason, 'code_reuse') "
        "WHERE code_hash = $1 AND app_id = $2 RETURNING account_id",
        code_hash,
        app_id,
        now,
    )
    return found


async def revoke_of_app(connection: Connection, account_id: UUID, app_id: UUID, reason: str, now: datetime) -> None:
    """End a user's sessions with one app."""
    await connection.execute(
        "UPDATE sessions SET revoked_at = $4, revoke_reason = $3 "
        "WHERE account_id = $1 AND app_id = $2 AND revoked_at IS NULL",
        account_id,
        app_id,
        reason,
        now,
    )


async def fetch_live(connection: Connection, account_id: UUID, now: datetime) -> list[Session]:
    """Return an account's live sessions, latest first, at most 100."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM sessions s LEFT JOIN apps ap ON ap.id = s.app_id "  # noqa: S608 constants
        "JOIN accounts a ON a.id = s.account_id AND a.security_version = s.security_version "
        "WHERE s.account_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 ORDER BY s.created_at DESC LIMIT 100",
        account_id,
        now,
    )
    return [_session(row) for row in rows]


async def delete_expired(connection: Connection, before: datetime, limit: int) -> int:
    """Forget sessions that expired before a time, at most so many; return how many."""
    sql = (
        "WITH gone AS (DELETE FROM sessions WHERE id IN "
        "(SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) RETURNING 1) "
        "SELECT count(*) FROM gone"
    )
    return int(await connection.fetchval(sql, before, limit))
