"""Accounts, identifiers, credentials and registrations in PostgreSQL, each query bound to a project or an account."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record, UniqueViolationError

from auth_service.model import Account, AccountState, NewProfile, Registration
from auth_service.store.arrays import any_of
from runtime.postgres import Connection

# Counted, not EXISTS: that may hash all of a table to answer for a page of a list (20 000 users: 8 ms a page, not 3).
COLUMNS = """a.id AS account_id, a.project_id, p.name AS project_name, a.state, a.role,
    a.security_version AS account_version, a.created_at AS account_created_at, a.updated_at,
    p.display_name AS brand, p.accent_color, a.language, a.closing_at, coalesce(e.value, '') AS email, e.verified_at,
    coalesce(u.value, '') AS username,
    (SELECT count(*) FROM credentials k WHERE k.account_id = a.id AND k.kind = 'password') > 0 AS has_password"""
JOINS = """JOIN projects p ON p.id = a.project_id
    LEFT JOIN identifiers e ON e.account_id = a.id AND e.kind = 'email'
    LEFT JOIN identifiers u ON u.account_id = a.id AND u.kind = 'username'"""
_SELECT = f"SELECT {COLUMNS} FROM accounts a {JOINS} "  # noqa: S608 constants


@dataclass(frozen=True, slots=True)
class Identifier:
    """What somebody goes by: `email`, `username`, `phone` or `external`, as he gave it."""

    kind: str
    value: str
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """A password's hash, and whether strangers have guessed at it too often to try any more."""

    hash: str = field(repr=False)
    locked: bool


def from_record(row: Record) -> Account:
    """Build an account from COLUMNS."""
    return Account(
        id=row["account_id"],
        project_id=row["project_id"],
        project=row["project_name"],
        state=AccountState(row["state"]),
        role=row["role"],
        security_version=row["account_version"],
        email=row["email"],
        email_verified=row["verified_at"] is not None,
        username=row["username"],
        created_at=row["account_created_at"],
        updated_at=row["updated_at"],
        language=row["language"],
        closing_at=row["closing_at"],
        has_password=row["has_password"],
        brand=row["brand"],
        accent_color=row["accent_color"],
    )


async def fetch_identifiers(connection: Connection, account_id: UUID) -> list[Identifier]:
    """Return what an account goes by."""
    rows = await connection.fetch(
        "SELECT kind, value, verified_at FROM identifiers WHERE account_id = $1 ORDER BY kind, value", account_id
    )
    return [Identifier(*row.values()) for row in rows]


async def verify_email(connection: Connection, account_id: UUID, now: datetime) -> None:
    """Note that an account's address is proven, and make a pending account active."""
    await connection.execute(
        "UPDATE identifiers SET verified_at = coalesce(verified_at, $2) WHERE account_id = $1 AND kind = 'email'",
        account_id,
        now,
    )
    await connection.execute(
        "UPDATE accounts SET state = 'active', updated_at = $2 WHERE id = $1 AND state = 'pending'", account_id, now
    )


async def put_password(connection: Connection, account_id: UUID, password_hash: str, now: datetime) -> None:
    """Set an account's password hash; a new password is not locked."""
    await connection.execute(
        "INSERT INTO credentials (account_id, kind, hash, changed_at) VALUES ($1, 'password', $2, $3) "
        "ON CONFLICT (account_id, kind) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at, "
        "locked_at = NULL",
        account_id,
        password_hash,
        now,
    )


async def replace_password_hash(connection: Connection, account_id: UUID, old: str, new: str) -> None:
    """Swap a hash for one of the same password at today's cost, unless the password has changed meanwhile."""
    await connection.execute(
        "UPDATE credentials SET hash = $3 WHERE account_id = $1 AND kind = 'password' AND hash = $2",
        account_id,
        old,
        new,
    )


async def lock_password(connection: Connection, account_id: UUID, now: datetime) -> None:
    """Let an account's password open nothing for strangers until it is another one."""
    await connection.execute(
        "UPDATE credentials SET locked_at = coalesce(locked_at, $2) WHERE account_id = $1 AND kind = 'password'",
        account_id,
        now,
    )


async def unlock_password(connection: Connection, account_id: UUID) -> bool:
    """Take the lock back; False if there is none."""
    sql = (
        "UPDATE credentials SET locked_at = NULL WHERE account_id = $1 AND kind = 'password' "
        "AND locked_at IS NOT NULL RETURNING true"
    )
    return bool(await connection.fetchval(sql, account_id))


async def drop_password(connection: Connection, account_id: UUID) -> None:
    """Take an account's password away."""
    await connection.execute("DELETE FROM credentials WHERE account_id = $1 AND kind = 'password'", account_id)


async def drop_external(connection: Connection, account_id: UUID) -> None:
    """Take an account's external identities away."""
    await connection.execute("DELETE FROM identifiers WHERE account_id = $1 AND kind = 'external'", account_id)


async def fetch(connection: Connection, account_id: UUID, *, lock: bool = False) -> Account | None:
    """Return an account, locked for a change if asked."""
    row = await connection.fetchrow(_SELECT + "WHERE a.id = $1" + (" FOR UPDATE OF a" if lock else ""), account_id)
    return from_record(row) if row else None


async def fetch_many(connection: Connection, account_ids: Sequence[UUID]) -> dict[UUID, Account]:
    """Return accounts by id; those that there are."""
    rows = await connection.fetch(_SELECT + f"WHERE a.id {any_of('uuid')}", account_ids)
    return {row["account_id"]: from_record(row) for row in rows}


async def fetch_by_identifier(
    connection: Connection, project_id: UUID, kind: str, normalized: str
) -> tuple[Account, StoredPassword | None] | None:
    """Return the account of a project that has an identifier, and its password if it has one."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS}, c.hash, c.locked_at FROM identifiers i JOIN accounts a ON a.id = i.account_id {JOINS} "  # noqa: S608
        "LEFT JOIN credentials c ON c.account_id = a.id AND c.kind = 'password' "
        "WHERE i.project_id = $1 AND i.kind = $2 AND i.normalized = $3",
        project_id,
        kind,
        normalized,
    )
    return (from_record(row), _password(row)) if row else None


async def fetch_holder(connection: Connection, project_id: UUID, normalized: str) -> Account | None:
    """Return the account that has an address in a project, or that the address is kept for, with it as its address.

    One statement in every case, so that the time it takes says nothing.
    """
    row = await connection.fetchrow(
        f"SELECT {COLUMNS}, h.kept FROM (SELECT account_id, NULL AS kept FROM identifiers "  # noqa: S608 constants
        "WHERE project_id = $1 AND kind = 'email' AND normalized = $2 UNION ALL "
        "SELECT l.account_id, l.data ->> 'email' FROM links l JOIN accounts o ON o.id = l.account_id "
        "WHERE l.purpose = 'undo-email-change' AND l.used_at IS NULL AND l.data ->> 'normalized' = $2 "
        f"AND o.project_id = $1) h JOIN accounts a ON a.id = h.account_id {JOINS} ORDER BY h.kept NULLS FIRST LIMIT 1",
        project_id,
        normalized,
    )
    return replace(from_record(row), email=row["kept"] or row["email"]) if row else None


async def fetch_password(connection: Connection, account_id: UUID) -> StoredPassword | None:
    """Return an account's password."""
    sql = "SELECT hash, locked_at FROM credentials WHERE account_id = $1 AND kind = 'password'"
    row = await connection.fetchrow(sql, account_id)
    return _password(row) if row else None


def _password(row: Record) -> StoredPassword | None:
    return StoredPassword(row["hash"], row["locked_at"] is not None) if row["hash"] else None


async def fetch_page(
    connection: Connection, project_id: UUID, before: datetime, before_id: UUID, limit: int
) -> Sequence[Account]:
    """Return a project's accounts, newest first, before a position."""
    # How many is part of the statement: with an argument in its place PostgreSQL would plan each page anew, for 0.5 ms.
    rows = await connection.fetch(
        _SELECT + "WHERE a.project_id = $1 AND (a.created_at, a.id) < ($2, $3) ORDER BY a.created_at DESC, a.id DESC "
        f"LIMIT {limit:d}",
        project_id,
        before,
        before_id,
    )
    return [from_record(row) for row in rows]


async def update_state(connection: Connection, account_id: UUID, state: AccountState, now: datetime) -> None:
    """Change an account's state; whatever it is, tokens from before are dead. An active one is closing no more."""
    await connection.execute(
        "UPDATE accounts SET state = $2, security_version = security_version + 1, updated_at = $3, "
        "closing_at = CASE WHEN $2 = 'active' THEN NULL ELSE closing_at END WHERE id = $1",
        account_id,
        state,
        now,
    )


async def close(connection: Connection, account_id: UUID, closing_at: datetime, now: datetime) -> None:
    """Disable an account until it is deleted."""
    await connection.execute(
        "UPDATE accounts SET state = 'disabled', closing_at = $2, updated_at = $3 WHERE id = $1",
        account_id,
        closing_at,
        now,
    )


async def keep(connection: Connection, account_id: UUID, now: datetime) -> None:
    """Take a closing back."""
    await connection.execute(
        "UPDATE accounts SET state = 'active', closing_at = NULL, updated_at = $2 "
        "WHERE id = $1 AND closing_at IS NOT NULL",
        account_id,
        now,
    )


async def fetch_due_closing(connection: Connection, now: datetime) -> Account | None:
    """Return and lock one closed account that is due to be deleted and that no other instance is working on.

    None is due while a change of its address can be undone: perhaps it was not its owner who closed it.
    """
    row = await connection.fetchrow(
        _SELECT + "WHERE a.closing_at <= $1 AND NOT EXISTS (SELECT FROM links l WHERE l.account_id = a.id "
        "AND l.purpose = 'undo-email-change' AND l.used_at IS NULL AND l.expires_at > $1) "
        "ORDER BY a.closing_at LIMIT 1 FOR UPDATE OF a SKIP LOCKED",
        now,
    )
    return from_record(row) if row else None


async def update_role(connection: Connection, account_id: UUID, role: str, now: datetime) -> None:
    """Change an account's role; it is read anew for every token check."""
    await connection.execute("UPDATE accounts SET role = $2, updated_at = $3 WHERE id = $1", account_id, role, now)


async def update_language(connection: Connection, account_id: UUID, language: str) -> None:
    """Keep which language a user was last seen to prefer."""
    await connection.execute("UPDATE accounts SET language = $2 WHERE id = $1", account_id, language)


async def bump_security_version(connection: Connection, account_id: UUID, expected: int, now: datetime) -> bool:
    """End every session of an account; False if its security version has moved on since it was read."""
    done = await connection.fetchval(
        "UPDATE accounts SET security_version = security_version + 1, updated_at = $3 "
        "WHERE id = $1 AND security_version = $2 RETURNING true",
        account_id,
        expected,
        now,
    )
    return bool(done)


async def delete(connection: Connection, account_id: UUID) -> None:
    """Delete an account; identifiers, credentials, sessions and grants go with it."""
    await connection.execute("DELETE FROM accounts WHERE id = $1", account_id)


async def put_registration(connection: Connection, registration: Registration) -> bool:
    """Keep a sign-up until its address is proven, in place of an earlier one for the address; False if its id is taken.

    When it is, the transaction can only be rolled back.
    """
    sql = (
        "INSERT INTO registrations (project_id, email_normalized, account_id, email, password_hash, profile, "
        "created_at, expires_at, username, identity) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (project_id, email_normalized) DO UPDATE SET "
        "account_id = excluded.account_id, email = excluded.email, password_hash = excluded.password_hash, "
        "profile = excluded.profile, created_at = excluded.created_at, expires_at = excluded.expires_at, "
        "username = excluded.username, identity = excluded.identity"
    )
    try:
        await connection.execute(
            sql,
            registration.project_id,
            registration.email_normalized,
            registration.account_id,
            registration.email,
            registration.password_hash,
            json.dumps(_said(registration.profile)),
            registration.created_at,
            registration.expires_at,
            registration.username,
            registration.identity,
        )
    except UniqueViolationError:
        return False
    return True


def _said(profile: NewProfile) -> dict[str, Any]:
    """Return what was said of a profile; what was not is left out, so that an older release can read the rest."""
    empty = asdict(NewProfile())
    return {name: value for name, value in asdict(profile).items() if value != empty[name]}


def _registration(row: Record) -> Registration:
    return Registration(
        account_id=row["account_id"],
        project_id=row["project_id"],
        email=row["email"],
        email_normalized=row["email_normalized"],
        password_hash=row["password_hash"],
        profile=NewProfile(**json.loads(row["profile"])),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        username=row["username"],
        identity=row["identity"],
    )


_REGISTRATION = (
    "SELECT project_id, email_normalized, account_id, email, password_hash, profile, created_at, expires_at, "
    "username, identity FROM registrations "
)


async def fetch_registration(connection: Connection, account_id: UUID) -> Registration | None:
    """Return a registration by the id its account will have."""
    row = await connection.fetchrow(_REGISTRATION + "WHERE account_id = $1", account_id)
    return _registration(row) if row else None


async def fetch_registration_by_email(
    connection: Connection, project_id: UUID, email_normalized: str, now: datetime
) -> Registration | None:
    """Return the live registration of an address."""
    row = await connection.fetchrow(
        _REGISTRATION + "WHERE project_id = $1 AND email_normalized = $2 AND expires_at > $3",
        project_id,
        email_normalized,
        now,
    )
    return _registration(row) if row else None


async def delete_registration(connection: Connection, account_id: UUID) -> bool:
    """Forget a registration; False if it is gone already."""
    sql = "DELETE FROM registrations WHERE account_id = $1 RETURNING true"
    return bool(await connection.fetchval(sql, account_id))


async def delete_expired_registrations(connection: Connection, now: datetime, limit: int) -> int:
    """Forget registrations that nobody proved, at most so many; return how many."""
    sql = (
        "WITH gone AS (DELETE FROM registrations WHERE account_id IN "
        "(SELECT account_id FROM registrations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING 1) "
        "SELECT count(*) FROM gone"
    )
    return int(await connection.fetchval(sql, now, limit))


async def put_profile_removal(connection: Connection, account_id: UUID, due_at: datetime) -> None:
    """Note that a profile is to be removed unless its account exists by then."""
    await connection.execute(
        "INSERT INTO profile_removals (account_id, due_at) VALUES ($1, $2) "
        "ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at",
        account_id,
        due_at,
    )


async def cancel_profile_removal(connection: Connection, account_id: UUID) -> bool:
    """Take the note back; False if the profile may be gone already."""
    sql = "DELETE FROM profile_removals WHERE account_id = $1 RETURNING true"
    return bool(await connection.fetchval(sql, account_id))


async def fetch_due_profile_removal(connection: Connection, now: datetime) -> UUID | None:
    """Return and lock one due removal that no other instance is working on."""
    sql = "SELECT account_id FROM profile_removals WHERE due_at <= $1 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    found: UUID | None = await connection.fetchval(sql, now)
    return found
