"""SQL of a restored copy: taking away what was taken away since. `kept` reads what is known of that.

On connections of `restoration` alone, which has the copy to itself: statements may take as long as they take.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from auth_service.store import audit
from auth_service.store.audit import Event
from auth_service.store.kept import KeptAccount, KeptApp
from runtime.postgres import Connection


async def known(connection: Connection, ids: Sequence[int]) -> Mapping[int, datetime]:
    """Return when those of the events happened that the copy has."""
    rows = await connection.fetch("SELECT id, at FROM audit_events WHERE id = ANY($1)", ids)
    return {row["id"]: row["at"] for row in rows}


async def append(connection: Connection, news: Sequence[Event]) -> None:
    """Append events with the ids they have; one whose id is taken gets a new one from `number_events` on."""
    await connection.executemany(
        f"INSERT INTO audit_events (id, {audit.COLUMNS}) OVERRIDING SYSTEM VALUE "  # noqa: S608 constants
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
        [(event.id, *event.values()) for event in news],
    )


async def number_events(connection: Connection) -> None:
    """Let further events have higher ids than all there are."""
    await connection.execute(
        "SELECT setval(pg_get_serial_sequence('audit_events', 'id'), (SELECT max(id) FROM audit_events)) "
        "WHERE EXISTS (SELECT FROM audit_events)"
    )


async def end_sessions(connection: Connection, now: datetime) -> int:
    """End every session; return how many lived. Nobody is told one by one: nobody is there."""
    await connection.execute("ALTER TABLE sessions DISABLE TRIGGER USER")
    done = await connection.execute(
        "UPDATE sessions SET revoked_at = $1, revoke_reason = 'restored' WHERE revoked_at IS NULL", now
    )
    await connection.execute("ALTER TABLE sessions ENABLE TRIGGER USER")
    return int(done.rpartition(" ")[2])


async def delete_accounts(connection: Connection, ids: Sequence[UUID], now: datetime) -> int:
    """Delete accounts and sign-ups, and note that their profiles are to go; return how many accounts there were."""
    await connection.execute("DELETE FROM registrations WHERE account_id = ANY($1)", ids)
    await connection.execute(
        "INSERT INTO profile_removals (account_id, due_at) SELECT id, $2 FROM accounts WHERE id = ANY($1) "
        "ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at",
        ids,
        now,
    )
    done = await connection.execute("DELETE FROM accounts WHERE id = ANY($1)", ids)
    return int(done.rpartition(" ")[2])


async def put_accounts(connection: Connection, kept: Sequence[KeptAccount], now: datetime) -> None:
    """Make accounts of the copy what they were when it was restored. Those that it has not stay away."""
    ids = [each.id for each in kept]
    await connection.executemany(
        "UPDATE accounts SET role = $2, state = $3, closing_at = $4, updated_at = $5, "
        "security_version = security_version + 1 WHERE id = $1",
        [(each.id, each.role, each.state, each.closing_at, now) for each in kept],
    )
    await drop_passwords(connection, ids)
    await connection.executemany(
        "INSERT INTO credentials (account_id, kind, hash, changed_at) "
        "SELECT id, 'password', $2, $3 FROM accounts WHERE id = $1",
        [(each.id, each.password_hash, now) for each in kept if each.password_hash is not None],
    )
    # All names go first: one may have passed from one account to another.
    await connection.execute("DELETE FROM identifiers WHERE account_id = ANY($1)", ids)
    await connection.executemany(
        "INSERT INTO identifiers (project_id, kind, normalized, value, account_id, verified_at) "
        "SELECT project_id, $2, $3, $4, id, $5 FROM accounts WHERE id = $1 ON CONFLICT DO NOTHING",
        [(each.id, *name) for each in kept for name in each.identifiers],
    )
    await drop_links(connection, ids)
    await connection.executemany(
        "INSERT INTO links (hash, purpose, account_id, data, created_at, expires_at) "
        "SELECT $2, $3, id, $4, $5, $6 FROM accounts WHERE id = $1 ON CONFLICT DO NOTHING",
        [
            (each.id, link.hash, link.purpose, json.dumps(dict(link.data)), link.created_at, link.expires_at)
            for each in kept
            for link in each.links
        ],
    )


async def drop_passwords(connection: Connection, ids: Sequence[UUID]) -> None:
    """Take accounts' passwords away."""
    await connection.execute("DELETE FROM credentials WHERE account_id = ANY($1) AND kind = 'password'", ids)


async def drop_links(connection: Connection, ids: Sequence[UUID]) -> None:
    """Take away the mailed links of accounts."""
    await connection.execute("DELETE FROM links WHERE account_id = ANY($1)", ids)


async def drop_external(connection: Connection, ids: Sequence[UUID]) -> None:
    """Take accounts' external identities away."""
    await connection.execute("DELETE FROM identifiers WHERE account_id = ANY($1) AND kind = 'external'", ids)


async def first_roles(connection: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """Give accounts the first of their project's roles."""
    await connection.execute(
        "UPDATE accounts a SET role = p.roles[1], updated_at = $2 FROM projects p "
        "WHERE p.id = a.project_id AND a.id = ANY($1)",
        ids,
        now,
    )


async def put_state(
    connection: Connection, account_id: UUID, state: str, closing_at: datetime | None, now: datetime
) -> None:
    """Close or open an account."""
    await connection.execute(
        "UPDATE accounts SET state = $2, closing_at = $3, updated_at = $4, security_version = security_version + 1 "
        "WHERE id = $1",
        account_id,
        state,
        closing_at,
        now,
    )


async def delete_apps(connection: Connection, client_ids: Sequence[str]) -> None:
    """Delete apps and what hangs on them."""
    await connection.execute("DELETE FROM apps WHERE client_id = ANY($1)", client_ids)


async def put_apps(connection: Connection, kept: Sequence[KeptApp]) -> None:
    """Close the apps that were closed, and take away the secrets that are not kept."""
    await connection.executemany(
        "UPDATE apps SET disabled = disabled OR $2 WHERE client_id = $1",
        [(each.client_id, each.disabled) for each in kept],
    )
    await connection.executemany(
        "DELETE FROM app_secrets s USING apps a WHERE a.id = s.app_id AND a.client_id = $1 AND s.id <> ALL($2)",
        [(each.client_id, each.secrets) for each in kept],
    )


async def disable_projects(connection: Connection, names: Sequence[str]) -> None:
    """Close projects."""
    await connection.execute("UPDATE projects SET disabled = true WHERE name = ANY($1)", names)


async def keep_keys(connection: Connection, ids: Sequence[UUID]) -> None:
    """Delete every API key but these."""
    await connection.execute("DELETE FROM api_keys WHERE id <> ALL($1)", ids)


async def delete_grants(connection: Connection, pairs: Sequence[tuple[UUID, str]]) -> None:
    """Take back what users granted apps, by account and client id."""
    await connection.executemany(
        "DELETE FROM grants g USING apps a WHERE a.id = g.app_id AND g.account_id = $1 AND a.client_id = $2", pairs
    )
