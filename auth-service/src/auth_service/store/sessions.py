"""Sessions in PostgreSQL: families of tokens. How they are opened and go on, many at once: `session_writes`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

from asyncpg import Record

from auth_service.model import Account, Session, TokenForm
from auth_service.store import accounts, audit
from auth_service.store.arrays import any_of
from auth_service.store.audit import Event
from auth_service.store.keys import OLDEST_GOOD
from runtime.postgres import Connection

# In the order of the model.
_COLUMNS = f"""s.id AS session_id, s.account_id AS session_account_id, s.app_id,
    coalesce(ap.client_id, '') AS client_id, s.scopes, s.salt, s.generation, s.security_version AS session_version,
    s.authenticated_at, s.created_at AS session_created_at, s.rotated_at, s.expires_at, s.ends_at,
    s.revoked_at IS NOT NULL OR s.key_id < {OLDEST_GOOD} AS revoked,
    s.form, coalesce(s.last_used_at, s.rotated_at) AS last_used_at, s.user_agent, s.client_address,
    coalesce(ap.name, '') AS app_name, s.key_id"""
_NAMES = [field.name for field in fields(Session)]
_FIELDS, _SCOPES, _FORM = len(_NAMES), _NAMES.index("scopes"), _NAMES.index("form")

_NONE_APPENDED = "INSERT 0 0"  # as PostgreSQL says it


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


def _session(row: Record) -> Session:
    """Build a session from _COLUMNS, which come first in the row."""
    values = list(row[:_FIELDS])
    values[_SCOPES] = tuple(values[_SCOPES])
    values[_FORM] = TokenForm(values[_FORM])
    return Session(*values)


@lru_cache(maxsize=1024)
def _modes(text: str) -> Mapping[str, str]:
    """Read a project's status modes; many sessions have the same."""
    return MappingProxyType(json.loads(text))


def _found(row: Record) -> Found:
    return Found(
        session=_session(row),
        account=accounts.from_record(row),
        client_disabled=row["client_disabled"],
        dialects=tuple(row["dialects"]),
        status_mode=row["status_mode"],
        project_modes=_modes(row["project_modes"]),
        access_token_seconds=row["access_token_seconds"],
        refresh_token_seconds=row["refresh_token_seconds"],
    )


_FIND = (
    f"SELECT {_COLUMNS}, {accounts.COLUMNS}, p.dialects, p.access_token_seconds, p.refresh_token_seconds, "  # noqa: S608
    "p.status_modes AS project_modes, coalesce(ap.disabled, false) OR p.disabled AS client_disabled, "
    "coalesce(ap.status_mode, '') AS status_mode, s.key_hash "
    f"FROM sessions s LEFT JOIN apps ap ON ap.id = s.app_id JOIN accounts a ON a.id = s.account_id {accounts.JOINS} "
)


async def fetch_many(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Found]:
    """Return sessions with their accounts and apps, whatever their state, by id; those that there are."""
    rows = await connection.fetch(_FIND + f"WHERE s.id {any_of('uuid')}", ids)
    return {row["session_id"]: _found(row) for row in rows}


async def fetch_by_keys(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, Found]:
    """Return the sessions of tokens that are not computed, as `fetch_many`, by the hash of the token."""
    rows = await connection.fetch(_FIND + f"WHERE s.key_hash {any_of('bytea')}", hashes)
    return {row["key_hash"]: _found(row) for row in rows}


async def carry_over(connection: Connection, session_id: UUID, security_version: int, now: datetime) -> None:
    """Keep one session alive over a change that ends the others; its user has just proven himself."""
    await connection.execute(
        "UPDATE sessions SET security_version = $2, authenticated_at = $3 WHERE id = $1",
        session_id,
        security_version,
        now,
    )


async def revoke_of(connection: Connection, account_id: UUID, session_id: UUID, reason: str, event: Event) -> bool:
    """End a live session of an account, and append what is to be said of that; False if it has none such (any more)."""
    done = await connection.fetchval(
        "WITH ended AS (UPDATE sessions SET revoked_at = $4, revoke_reason = $3 "  # noqa: S608 constants
        "WHERE id = $2 AND account_id = $1 AND revoked_at IS NULL AND expires_at > $4 RETURNING account_id), "
        f"told AS ({audit.appended(5, 'ended')}) SELECT true FROM ended",
        account_id,
        session_id,
        reason,
        event.at,
        *event.values(),
    )
    return bool(done)


async def revoke_by_code(connection: Connection, code_hash: bytes, app_id: UUID, event: Event) -> bool:
    """End the session a code opened for this app, and append what is to be said of its account; False without one."""
    done = await connection.execute(
        "WITH ended AS (UPDATE sessions SET revoked_at = coalesce(revoked_at, $3), "  # noqa: S608 constant
        "revoke_reason = coalesce(revoke_reason, 'code_reuse') WHERE code_hash = $1 AND app_id = $2 "
        f"RETURNING account_id) {audit.appended(4, 'ended')}",
        code_hash,
        app_id,
        event.at,
        *event.values(),
    )
    return done != _NONE_APPENDED


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
        f"WHERE s.account_id = $1 AND s.revoked_at IS NULL AND s.key_id >= {OLDEST_GOOD} AND s.expires_at > $2 "
        "ORDER BY s.created_at DESC LIMIT 100",
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
