"""The embedded servers: started, crashed, started again, with their data."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.asyncio

from gatepost_cli import leftovers, probes
from gatepost_cli.account import Account, reaching
from gatepost_cli.embedded import postgres, valkey
from gatepost_cli.embedded.postgres import PostgresServer
from gatepost_cli.errors import CommandFailed

PASSWORD = 'it\'s @ "pass word"/%'


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    folder = tmp_path_factory.mktemp("embedded") / "postgres"
    server = await postgres.start(folder, password=PASSWORD, databases=("auth",), durable=False)
    yield server
    await server.stop()


async def answer(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_dsn_works_as_it_stands(server: PostgresServer) -> None:
    assert await answer(server.dsn_for("auth"), "SELECT current_database() || ' ' || current_user") == "auth gatepost"


async def test_the_role_of_the_services_is_no_superuser(server: PostgresServer) -> None:
    assert await answer(server.dsn_for("auth"), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


async def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn_for("auth"), password="wrong")


async def test_nobody_signs_in_as_superuser(server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(server.dsn_for("auth"), user="postgres")


def test_no_secret_stands_on_a_command_line(server: PostgresServer) -> None:
    assert PASSWORD not in " ".join(psutil.Process(server.process.pid).cmdline())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account")
def test_postgres_never_runs_as_root(server: PostgresServer) -> None:
    assert 0 not in psutil.Process(server.process.pid).uids()


async def test_postgres_starts_again_after_its_postmaster_was_killed(tmp_path: Path) -> None:
    first = await postgres.start(tmp_path / "postgres", password=PASSWORD, databases=("auth",))
    connection = await asyncpg.connect(first.dsn_for("auth"))
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    busy = asyncio.create_task(connection.fetchval("SELECT count(*) FROM generate_series(1, 1000000000)"))
    await asyncio.sleep(0.2)
    orphans = leftovers.working_in(first.cluster.data, "postgres")
    first.process.send_signal(signal.SIGKILL)
    await first.process.wait()

    second = await postgres.start(tmp_path / "postgres", password=PASSWORD, databases=("auth",))
    try:
        assert await answer(second.dsn_for("auth"), "SELECT value FROM kept") == 42
        assert not [process for process in orphans if leftovers.alive(process)]
    finally:
        connection.terminate()
        await asyncio.gather(busy, return_exceptions=True)
        await second.stop()


async def test_postgres_starts_when_its_lock_names_a_living_stranger(tmp_path: Path) -> None:
    first = await postgres.start(tmp_path / "postgres", password=PASSWORD, durable=False)
    await first.stop()
    lock = first.cluster.data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{first.cluster.data}\n", encoding="utf-8")
    second = await postgres.start(tmp_path / "postgres", password=PASSWORD, durable=False)
    await second.stop()


async def test_an_interrupted_first_start_leaves_no_half_made_cluster(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data.new" / "base").mkdir(parents=True)
    server = await postgres.start(tmp_path / "postgres", password=PASSWORD, durable=False)
    await server.stop()
    assert not (tmp_path / "postgres" / "data.new").exists()


async def test_a_password_that_is_not_the_clusters_is_a_clear_failure(server: PostgresServer) -> None:
    folder = server.folder.with_name("other")
    await (await postgres.start(folder, password=PASSWORD, durable=False)).stop()
    with pytest.raises(CommandFailed, match="password authentication failed"):
        await postgres.start(folder, password="another", durable=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account")
def test_an_account_that_may_not_enter_a_folder_needs_setpriv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed" / "inner"
    closed.mkdir(parents=True)
    closed.parent.chmod(0o700)
    nobody = Account("nobody", 65534, 65534)
    assert reaching(nobody, [Path("/usr/bin")]).capability is None
    assert reaching(nobody, [closed]).capability is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandFailed, match=r"install util-linux \(setpriv\)"):
        reaching(nobody, [closed])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account")
def test_a_program_in_a_closed_folder_is_found_by_access_too(tmp_path: Path) -> None:
    """PostgreSQL asks with access(2), which looks at the real user, whether its binary can be run."""
    closed = tmp_path / "closed" / "inner"
    closed.mkdir(parents=True)
    closed.parent.chmod(0o700)
    account = reaching(Account("nobody", 65534, 65534), [closed])
    ask = "import os, sys; sys.exit(not os.access(sys.argv[1], os.X_OK))"

    done = subprocess.run(
        account.command([sys.executable, "-c", ask, str(closed)], signal.SIGKILL), check=False, **account.forked()
    )

    assert done.returncode == 0


async def test_valkey_keeps_what_it_acknowledged_when_it_is_killed(tmp_path: Path) -> None:
    first = await valkey.start(tmp_path / "valkey", password=PASSWORD)
    async with redis.asyncio.from_url(first.url) as client:
        await client.set("code", "1234")
    first.process.send_signal(signal.SIGKILL)
    await first.process.wait()

    second = await valkey.start(tmp_path / "valkey", password=PASSWORD)
    async with redis.asyncio.from_url(second.url) as client:
        assert await client.get("code") == b"1234"
    await second.stop()


async def test_valkey_refuses_a_wrong_password(tmp_path: Path) -> None:
    server = await valkey.start(tmp_path / "valkey", password=PASSWORD, durable=False)
    assert await probes.valkey_ready(server.url)
    assert not await probes.valkey_ready(server.url.replace(":it", ":is"))
    await server.stop()


async def test_valkeys_configuration_is_closed_to_others(tmp_path: Path) -> None:
    server = await valkey.start(tmp_path / "valkey", password=PASSWORD, durable=False)
    await server.stop()
    assert (tmp_path / "valkey" / "valkey.conf").stat().st_mode & 0o077 == 0
