"""The PostgreSQL pool when the server hangs, restarts or is gone; and migrations."""

import asyncio
import importlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import pytest_asyncio

from gatepost_cli.embedded import postgres as embedded
from gatepost_cli.embedded.postgres import PostgresServer
from runtime.errors import GatepostError, Reason
from runtime.migrations import MigrationError, migrate, open_migrated, shipped
from runtime.postgres import Database

PASSWORD = "a password of the tests"
HUNG_SECONDS = 1.9  # one and a quarter, and the rest for a busy machine; two are promised to people


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own-postgres")


@pytest_asyncio.fixture(loop_scope="session")
async def server(folder: Path) -> AsyncIterator[PostgresServer]:
    """A server of our own, to be ill-treated."""
    started = await embedded.start(folder, password=PASSWORD, durable=False)
    yield started
    await started.stop()


def signal_all(server: PostgresServer, number: signal.Signals) -> None:
    parent = psutil.Process(server.process.pid)
    for process in (parent, *parent.children(recursive=True)):
        process.send_signal(number)


async def refused(call: Any) -> float:
    """Await a call that must fail as UNAVAILABLE; return how many seconds it took."""
    started = time.monotonic()
    with pytest.raises(GatepostError) as caught:
        await call
    assert (caught.value.reason, caught.value.retry_after_seconds) == (Reason.UNAVAILABLE, 1)
    return time.monotonic() - started


async def one(database: Database) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval("SELECT 1"))


async def in_transaction(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("SELECT 1")


async def until_usable(database: Database, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await database.ready():  # noqa: ASYNC110 another process's state
            await asyncio.sleep(0.05)


async def test_a_hung_server_is_unavailable_within_two_seconds_and_usable_after(server: PostgresServer) -> None:
    database = await Database.connect(server.dsn_for("postgres"), max_size=3)
    await asyncio.gather(*(in_transaction(database) for _ in range(3)))
    signal_all(server, signal.SIGSTOP)
    try:
        calls = [one(database) for _ in range(4)] + [in_transaction(database) for _ in range(4)]
        seconds = await asyncio.gather(*(refused(call) for call in calls))
        assert max(seconds) < HUNG_SECONDS
        assert await refused(one(database)) < HUNG_SECONDS  # connections have been dropped: none comes about
    finally:
        signal_all(server, signal.SIGCONT)
    await until_usable(database, 5)
    assert await asyncio.gather(*(one(database) for _ in range(10))) == [1] * 10
    await database.close()


async def test_a_server_that_hangs_in_the_middle_of_a_transaction_does_not_hold_the_caller(
    server: PostgresServer,
) -> None:
    database = await Database.connect(server.dsn_for("postgres"), max_size=2)

    async def hang() -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT 1")
            signal_all(server, signal.SIGSTOP)

    try:
        assert await refused(hang()) < HUNG_SECONDS
    finally:
        signal_all(server, signal.SIGCONT)
    await until_usable(database, 5)
    await database.close()


async def test_a_server_killed_and_started_again_is_found_by_the_same_pool(
    folder: Path, server: PostgresServer
) -> None:
    database = await Database.connect(server.dsn_for("postgres"), max_size=3)
    await asyncio.gather(*(in_transaction(database) for _ in range(3)))
    server.process.kill()
    second = await embedded.start(folder, password=PASSWORD, durable=False)  # ends what is left of the first
    try:
        await until_usable(database, 5)
        assert await asyncio.gather(*(one(database) for _ in range(10))) == [1] * 10
    finally:
        await second.stop()
    assert await refused(one(database)) < 2
    assert not await database.ready()
    third = await embedded.start(folder, password=PASSWORD, durable=False)
    await until_usable(database, 5)
    await database.close()
    await third.stop()


async def test_a_busy_pool_is_unavailable_rather_than_endless(postgres: Any) -> None:
    database = await Database.connect(postgres.create_database(), max_size=1, acquire_timeout_seconds=0.2)
    async with database.acquire():
        assert await refused(one(database)) < 1
    assert await one(database) == 1
    await database.close()


async def test_a_statement_that_takes_too_long_is_unavailable(postgres: Any) -> None:
    database = await Database.connect(postgres.create_database(), max_size=1, command_timeout_seconds=0.2)

    async def slow() -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_sleep(5)")

    assert await refused(slow()) < 1
    assert await one(database) == 1
    await database.close()


async def test_a_failed_transaction_leaves_nothing_and_the_connection_is_used_again(postgres: Any) -> None:
    database = await Database.connect(postgres.create_database(), max_size=1)
    async with database.acquire() as connection:
        await connection.execute("CREATE TABLE t (n integer)")

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    call = asyncio.ensure_future(in_the_middle(database))
    await asyncio.sleep(0.05)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM t") == 0
        assert not connection.is_in_transaction()
    await database.close()


async def in_the_middle(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO t VALUES (1)")
        await connection.execute("SELECT pg_sleep(5)")


async def test_text_that_postgresql_cannot_hold_is_the_callers_mistake(postgres: Any) -> None:
    database = await Database.connect(postgres.create_database(), max_size=1)

    async def ask(sql: str, text: str) -> None:
        async with database.acquire() as connection:
            await connection.fetchval(sql, text)

    for sql, text in (("SELECT $1::text", "a\x00b"), ("SELECT $1::jsonb", '{"a": "\\u0000"}')):
        with pytest.raises(GatepostError) as caught:
            await ask(sql, text)
        assert caught.value.reason is Reason.MALFORMED_REQUEST
    await database.close()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that makes a package with these migrations, or changes them."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"migrated_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name / "migrations").mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()

    def write(**files: str) -> str:
        for old in (tmp_path / name / "migrations").iterdir():
            old.unlink()
        for file, sql in files.items():
            (tmp_path / name / "migrations" / f"{file}.sql").write_text(sql, encoding="utf-8")
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        return name

    return write


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows} - {"schema_migrations"}


async def test_migrations_are_applied_once_and_in_order(postgres: Any, package: Callable[..., str]) -> None:
    dsn = postgres.create_database()
    name = package(**{"0002_b": "ALTER TABLE a RENAME TO b", "0001_a": "CREATE TABLE a (); CREATE TABLE x ()"})
    assert await migrate(dsn, name) == ["0001_a.sql", "0002_b.sql"]
    assert await migrate(dsn, name) == []
    assert await tables(dsn) == {"b", "x"}


async def test_instances_that_start_at_once_apply_each_migration_once(
    postgres: Any, package: Callable[..., str]
) -> None:
    dsn = postgres.create_database()
    name = package(**{"0001_a": "CREATE TABLE a ()", "0002_b": "CREATE TABLE b ()"})
    applied = await asyncio.gather(*(migrate(dsn, name) for _ in range(8)))
    assert sorted(applied, key=len)[:-1] == [[]] * 7
    assert max(applied, key=len) == ["0001_a.sql", "0002_b.sql"]


async def test_a_migration_changed_after_it_was_applied_is_refused(postgres: Any, package: Callable[..., str]) -> None:
    dsn = postgres.create_database()
    await migrate(dsn, package(**{"0001_a": "CREATE TABLE a ()"}))
    with pytest.raises(MigrationError, match=r"0001_a\.sql was changed after it was applied"):
        await migrate(dsn, package(**{"0001_a": "CREATE TABLE a ( )", "0002_b": "CREATE TABLE b ()"}))
    assert await tables(dsn) == {"a"}


async def test_a_failing_migration_leaves_those_before_it_and_nothing_of_its_own(
    postgres: Any, package: Callable[..., str]
) -> None:
    dsn = postgres.create_database()
    name = package(**{"0001_a": "CREATE TABLE a ()", "0002_b": "CREATE TABLE b (); SELECT 1/0"})
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn, name)
    assert await tables(dsn) == {"a"}
    package(**{"0001_a": "CREATE TABLE a ()", "0002_b": "CREATE TABLE b ()"})
    assert await migrate(dsn, name) == ["0002_b.sql"]


async def test_a_release_before_the_newest_migration_still_starts(postgres: Any, package: Callable[..., str]) -> None:
    dsn = postgres.create_database()
    await migrate(dsn, package(**{"0001_a": "CREATE TABLE a ()", "0002_b": "CREATE TABLE b ()"}))
    assert await migrate(dsn, package(**{"0001_a": "CREATE TABLE a ()"})) == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (("0001_a", "0003_c"), "without gap"),
        (("0002_b",), "without gap"),
        (("0001_a", "0001_b"), "without gap"),
        (("1_a",), "are called NNNN_words.sql"),
        (("0001-a",), "are called NNNN_words.sql"),
    ],
)
def test_misnumbered_migrations_are_refused(package: Callable[..., str], files: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(MigrationError, match=sentence):
        shipped(package(**dict.fromkeys(files, "SELECT 1")))


async def test_a_database_is_waited_for_and_migrated(folder: Path, package: Callable[..., str]) -> None:
    name = package(**{"0001_a": "CREATE TABLE a ()"})
    first = await embedded.start(folder, password=PASSWORD, databases=("waited",), durable=False)
    await first.stop()
    dsn = first.dsn_for("waited")
    waiting = asyncio.ensure_future(open_migrated(dsn, name, max_size=1, application_name="test"))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    started = await embedded.start(folder, password=PASSWORD, durable=False)
    async with asyncio.timeout(10):
        database = await waiting
    assert "a" in await tables(dsn)
    await database.close()
    await started.stop()
