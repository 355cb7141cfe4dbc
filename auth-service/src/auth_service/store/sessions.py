"""Sessions in PostgreSQL: families of tokens."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record, UniqueViolationError

from auth_service.model import Account, Session
from auth_service.store import accounts
from runtime.postgres import Connection

_COLUMNS = """s.id AS session_id, s.account_id AS session_account_id, s.app_id, ap.client_id, s.scopes, s.salt,
    s.generation, s.security_version AS session_version, s.authenticated_at, s.created_at AS session_created_at,
    s.rotated_at, s.expires_at, s.ends_at, s.revoked_at"""


@dataclass(frozen=True, slots=True)
class Found:
    """A session with what decides whether it lives."""

    session: Session
    account: Account
    client_disabled: bool
    access_token_seconds: int
    refresh_token_seconds: int


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
    )


async def insert(connection: Connection, session: Session, code_hash: bytes) -> bool:
    """Add a session; False if its account is not active at its security version, or the code is spent."""
    try:
        done = await connection.fetchval(
            "INSERT INTO sessions (id, account_id, app_id, scopes, salt, generation, security_version, code_hash, "
            "authenticated_at, created_at, rotated_at, expires_at, ends_at) "
            "SELECT $1, a.id, $3, $4, $5, $6, a.security_version, $8, $9, $10, $11, $12, $13 FROM accounts a "
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
        )
    except UniqueViolationError:
        return False
    return bool(done)


async def fetch(connection: Connection, session_id: UUID) -> Found | None:
    """Return a session with its account and app, whatever their state."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, {accounts.COLUMNS}, p.access_token_seconds, p.refresh_token_seconds, "  # noqa: S608
        "ap.disabled OR p.disabled AS client_disabled "
        f"FROM sessions s JOIN apps ap ON ap.id = s.app_id JOIN accounts a ON a.id = s.account_id {accounts.JOINS} "
        "WHERE s.id = $1",
        session_id,
    )
    if row is None:
        return None
    return Found(
        _session(row),
        accounts.from_record(row),
        row["client_disabled"],
        row["access_token_seconds"],
        row["refresh_token_seconds"],
    )


async def rotate(connection: Connection, session: Session, now: datetime, expires_at: datetime) -> bool:
    """Move a session to its next generation; False if it is not live at this generation any more."""
    done = await connection.fetchval(
        "UPDATE sessions s SET generation = s.generation + 1, rotated_at = $3, expires_at = $4 FROM accounts a "
        "WHERE s.id = $1 AND s.generation = $2 AND s.revoked_at IS NULL AND a.id = s.account_id AND a.state = 'active' "
        "AND a.security_version = s.security_version RETURNING true",
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
        f"SELECT {_COLUMNS} FROM sessions s JOIN apps ap ON ap.id = s.app_id "  # noqa: S608 constants
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
