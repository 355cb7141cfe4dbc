"""Migrations on tables with rows, while people read and write: who waits, and what is written anew.

And those that are no transaction.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from runtime.migrations import OUTSIDE, MigrationError, migrate, shipped

# Services give a statement 1.25 s. A lock for a moment takes milliseconds; this machine is not alone.
LONGEST_SECONDS = 1.0
ROWS_OF = {
    "auth_service": """
        INSERT INTO projects (id, name, sign_in_policy, roles, self_assignable_roles, hosts, dialects,
            password_min_length, allow_plain_pkce, access_token_seconds, refresh_token_seconds, created_at)
        VALUES ('00000000-0000-0000-0000-000000000001', 'p', 'none', '{user}', '{}', '{}', '{}', 8, false, 0, 0,
            now());
        INSERT INTO accounts (id, project_id, state, role, created_at, updated_at)
        SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'active', 'user', now(), now()
        FROM generate_series(1, 20000);
        INSERT INTO identifiers (project_id, kind, normalized, value, account_id)
        SELECT project_id, 'email', id, id, id FROM accounts;
        INSERT INTO audit_events (at, action, outcome, actor, project, client_id, address, request_id)
        SELECT now(), 'a', 'b', 'c', '', '', '', '' FROM accounts;
        INSERT INTO apps (id, project_id, client_id, name, type, redirect_urls, scopes, origins, allow_plain_pkce,
            created_at)
        SELECT id, id, '1', 'app', 'public', '{}', '{}', '{}', false, now() FROM projects;
        INSERT INTO sessions (id, account_id, app_id, scopes, salt, generation, security_version, code_hash,
            authenticated_at, created_at, rotated_at, expires_at, ends_at)
        SELECT id, id, project_id, '{}', '', 1, 1, uuid_send(id), now(), now(), now(), now(), now() FROM accounts;
        """,
    "user_service": """
        INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
            biography, website, relationship, language, version, created_at, updated_at)
        SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', n, md5(n::text), '', '', '', '', '', '', '',
            '', '', 1, now(), now() FROM generate_series(1, 20000) AS n;
        """,
    "notify_service": """
        INSERT INTO messages (id, channel, address, template, project, language, subject, body_text, body_html, code,
            link, message_id, created_at, next_attempt_at)
        SELECT gen_random_uuid(), 'mail', 'a@example.com', 't', 'p', 'en', '', '', '', '', '', n::text, now(), now()
        FROM generate_series(1, 20000) AS n;
        """,
}
TRAFFIC = {
    "auth_service": (
        "SELECT count(*) FROM (SELECT FROM sessions s JOIN accounts a ON a.id = s.account_id LIMIT 10) AS x",
        "UPDATE sessions SET rotated_at = now() WHERE id = (SELECT id FROM sessions LIMIT 1)",
        "UPDATE accounts SET updated_at = now() WHERE id = (SELECT id FROM accounts LIMIT 1)",
        """INSERT INTO audit_events (at, action, outcome, actor, project, client_id, address, request_id)
        VALUES (now(), 'a', 'b', 'c', '', '', '', '')""",
    ),
    "user_service": (
        "SELECT first_name FROM profiles LIMIT 10",
        "UPDATE profiles SET version = version + 1 WHERE user_id = (SELECT user_id FROM profiles LIMIT 1)",
    ),
    "notify_service": (
        "SELECT subject FROM messages LIMIT 10",
        "UPDATE messages SET attempts = attempts + 1 WHERE id = (SELECT id FROM messages LIMIT 1)",
    ),
}
FILES = """
SELECT oid::regclass::text, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
ONCE = f"{OUTSIDE}DROP INDEX CONCURRENTLY IF EXISTS once;\nCREATE UNIQUE INDEX CONCURRENTLY once ON things (name);\n"


@asynccontextmanager
async def traffic(dsn: str, statements: tuple[str, ...]) -> AsyncIterator[list[float]]:
    """Run the statements over and over; yield how long each took, in seconds."""
    took: list[float] = []
    done = asyncio.Event()

    async def repeat(statement: str) -> None:
        connection = await asyncpg.connect(dsn, statement_cache_size=0)
        try:
            while not done.is_set():
                before = time.perf_counter()
                await connection.fetch(statement)
                took.append(time.perf_counter() - before)
                await asyncio.sleep(0.001)
        finally:
            await connection.close()

    working = [asyncio.create_task(repeat(statement)) for statement in statements]
    try:
        yield took
    finally:
        done.set()
        await asyncio.gather(*working)


@pytest.mark.parametrize("package", list(ROWS_OF))
async def test_people_read_and_write_while_tables_with_rows_are_migrated(postgres: Any, package: str) -> None:
    dsn = postgres.create_database()
    await migrate(dsn, package, 1)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(ROWS_OF[package])
        before = {row[0]: row[1] for row in await connection.fetch(FILES)}
        async with traffic(dsn, TRAFFIC[package]) as took:
            for migration in shipped(package)[1:]:
                assert await migrate(dsn, package, migration.version) == [migration.name]
                await asyncio.sleep(0.3)  # each of them comes by once more
        after = {row[0]: row[1] for row in await connection.fetch(FILES)}
    finally:
        await connection.close()
    assert {name: after[name] for name in before} == before  # none was written anew
    assert len(took) > len(TRAFFIC[package])
    assert max(took) < LONGEST_SECONDS


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of migrations of a package that can be imported."""
    folder = tmp_path / "service_of_a_test" / "migrations"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    (folder / "0001_first.sql").write_text("CREATE TABLE things (name text);", encoding="utf-8")
    sys.modules.pop("service_of_a_test", None)
    return folder


async def test_an_index_is_made_beside_people_at_work_even_after_it_was_cut_off(postgres: Any, package: Path) -> None:
    dsn = postgres.create_database()
    await migrate(dsn, "service_of_a_test")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("INSERT INTO things VALUES ('twice'), ('twice')")
        (package / "0002_once.sql").write_text(ONCE, encoding="utf-8")
        with pytest.raises(asyncpg.UniqueViolationError):  # which leaves an index that is not valid
            await migrate(dsn, "service_of_a_test")
        await connection.execute("TRUNCATE things")
        first, second = await asyncio.gather(*(migrate(dsn, "service_of_a_test") for _ in range(2)))
        assert [*first, *second] == ["0002_once.sql"]
        assert await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'once'::regclass")
    finally:
        await connection.close()


async def test_a_migration_of_a_later_release_is_not_to_be_had(postgres: Any) -> None:
    with pytest.raises(MigrationError, match="older release"):
        await migrate(postgres.create_database(), "notify_service", 9999)
