"""From the release before: its rows are read, and its statements work on beside the new release."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest_asyncio

from auth_service.store import accounts, apps, projects, sessions
from runtime.migrations import migrate, shipped
from runtime.postgres import Database

NOW = datetime(2025, 1, 1, tzinfo=UTC)
PROJECT, APP, ACCOUNT, SESSION = (uuid4() for _ in range(4))
_MIGRATIONS = """CREATE TABLE schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz DEFAULT now())"""
# As the release before writes them.
INSERTS: list[tuple[str, tuple[Any, ...]]] = [
    (
        """INSERT INTO projects (id, name, sign_in_policy, roles, self_assignable_roles, hosts, dialects,
        password_min_length, allow_plain_pkce, access_token_seconds, refresh_token_seconds, disabled, created_at)
        VALUES ($1, $2, 'none', '{user}', '{}', '{}', '{}', 8, false, 0, 0, false, $3)""",
        (PROJECT, "old", NOW),
    ),
    (
        """INSERT INTO apps (id, project_id, client_id, name, type, redirect_urls, scopes, origins, allow_plain_pkce,
        disabled, created_at) VALUES ($1, $2, '123', 'App', 'public', '{}', '{}', '{}', false, false, $3)""",
        (APP, PROJECT, NOW),
    ),
    (
        "INSERT INTO api_keys (id, project_id, hash, scopes, hint, created_at) VALUES ($1, $2, $3, '{}', 'abcd', $4)",
        (uuid4(), PROJECT, b"h", NOW),
    ),
    (
        """INSERT INTO accounts (id, project_id, state, role, security_version, created_at, updated_at)
        VALUES ($1, $2, 'active', 'user', 1, $3, $3)""",
        (ACCOUNT, PROJECT, NOW),
    ),
]
SESSION_SQL = (
    "INSERT INTO sessions (id, account_id, app_id, scopes, salt, generation, security_version, code_hash, "
    "authenticated_at, created_at, rotated_at, expires_at, ends_at) SELECT $1, a.id, $3, $4, $5, 1, "
    "a.security_version, $6, $7, $7, $7, $8, $8 FROM accounts a WHERE a.id = $2 FOR SHARE RETURNING true"
)
REGISTRATION_SQL = (
    "INSERT INTO registrations (project_id, email_normalized, account_id, email, password_hash, profile, created_at, "
    'expires_at) VALUES ($1, $2, $3, $2, NULL, \'{"first_name": "Ada", "meta": null}\', $4, $5)'
)


def session_of(code_hash: bytes) -> tuple[Any, ...]:
    return uuid4(), ACCOUNT, APP, [], b"salt", code_hash, NOW, NOW + timedelta(days=30)


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: Any) -> AsyncIterator[Database]:
    """Yield a database that the release before has filled, migrated."""
    dsn = postgres.create_database()
    connection = await asyncpg.connect(dsn)
    first = shipped("auth_service")[0]
    await connection.execute(first.sql)
    await connection.execute(_MIGRATIONS)
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (1, $1, $2)", first.name, first.checksum
    )
    for sql, values in INSERTS:
        await connection.execute(sql, *values)
    await connection.execute(SESSION_SQL, SESSION, *session_of(b"c1")[1:])
    await connection.execute(REGISTRATION_SQL, PROJECT, "ada@example.org", uuid4(), NOW, NOW + timedelta(days=1))
    await connection.close()
    assert (await migrate(dsn, "auth_service"))[0] == "0002_forms.sql"
    opened = await Database.connect(dsn)
    yield opened
    await opened.close()


async def test_rows_of_the_release_before_mean_what_they_meant(database: Database) -> None:
    async with database.acquire() as connection:
        project = await projects.fetch(connection, PROJECT)
        app = await apps.fetch(connection, APP)
        account = await accounts.fetch(connection, ACCOUNT)
        found = (await sessions.fetch_many(connection, [SESSION])).get(SESSION)
        waiting = await accounts.fetch_registration_by_email(connection, PROJECT, "ada@example.org", NOW)
    assert project is not None
    assert (project.user_apps, project.switches, dict(project.status_modes), project.display_name) == (True, (), {}, "")
    assert app is not None
    assert (app.owner_id, app.allow_query_secret, app.status_mode) == (None, False, "")
    assert account is not None
    assert (account.language, account.closing_at, account.has_password) == ("", None, False)
    assert found is not None
    assert (found.session.form, found.session.client_id, found.session.last_used_at) == ("pair", "123", NOW)
    assert waiting is not None
    assert (waiting.profile.first_name, waiting.username, waiting.identity) == ("Ada", "", "")


async def test_the_release_before_goes_on_writing(database: Database) -> None:
    async with database.acquire() as connection:
        assert await connection.fetchval(SESSION_SQL, *session_of(b"c2"))
        later = NOW + timedelta(days=1)
        await connection.execute(REGISTRATION_SQL, PROJECT, "bob@example.org", uuid4(), NOW, later)


async def test_an_app_goes_with_the_account_that_registered_it_and_takes_everything_along(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("UPDATE apps SET owner_id = $2 WHERE id = $1", APP, ACCOUNT)
        await connection.execute(
            "INSERT INTO app_secrets (id, app_id, hash, hint, created_at) VALUES ($1, $2, $3, 'abcd', $4)",
            uuid4(),
            APP,
            b"h",
            NOW,
        )
        await accounts.delete(connection, ACCOUNT)
        assert await apps.fetch(connection, APP) is None
        assert await connection.fetchval("SELECT count(*) FROM app_secrets") == 0
        assert await connection.fetchval("SELECT count(*) FROM sessions") == 0
