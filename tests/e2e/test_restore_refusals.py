"""What `gatepost backup` and `gatepost restore` do without a stack: on databases that hold just what a case needs."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from conftest import GatepostStack, inherited_environment

from auth_service.keys import Seal
from gatepost_cli.backup import schemas
from runtime.migrations import migrate

MASTER_KEY = "a master key of the tests of 32 characters and more"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = ("auth", "users", "notify")
PACKAGES = ("auth_service", "user_service", "notify_service")
OLDEST = """
INSERT INTO projects (id, name, sign_in_policy, roles, self_assignable_roles, hosts, dialects, password_min_length,
    allow_plain_pkce, access_token_seconds, refresh_token_seconds, created_at)
VALUES ($1, 'default', 'none', '{user,chief}', '{}', '{}', '{}', 8, false, 0, 0, $2)"""
ACCOUNT = """
INSERT INTO accounts (id, project_id, state, role, created_at, updated_at) VALUES ($1, $2, 'active', 'chief', $3, $3)"""
EVENT = """
INSERT INTO audit_events (at, action, outcome, actor, account_id, project, client_id, address, request_id)
VALUES ($1, $2, 'success', 'service:cli', $3, 'default', '', '', '')"""


class Place:
    """Three databases, what is in them, and the command on them.

    Args:
        dsns: of the databases, by word.
        folder: a data folder.
        do: runs a coroutine.
    """

    def __init__(self, dsns: dict[str, str], folder: Path, do: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.dsns = dsns
        self._do = do
        settings = {f"GATEPOST_{word.upper()}_POSTGRES_DSN": dsn for word, dsn in dsns.items()}
        self.command = GatepostStack(folder, inherited_environment() | settings | {"GATEPOST_MASTER_KEY": MASTER_KEY})

    def sql(self, word: str, statement: str, *arguments: Any) -> list[Any]:
        return list(self._do(self._fetch(self.dsns[word], statement, *arguments)))

    async def _fetch(self, dsn: str, statement: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()

    def made(self, project: UUID, *accounts: UUID, schemas: Mapping[str, int] = MappingProxyType({})) -> "Place":
        """Make tables (as of these migrations), a key, a project and accounts with profiles."""
        for word, package in zip(WORDS, PACKAGES, strict=True):
            self._do(migrate(self.dsns[word], package, schemas.get(word)))
        sealed = Seal(MASTER_KEY).close(1, b"k" * 32)
        self.sql("auth", "INSERT INTO keys (id, sealed, created_at) VALUES (1, $1, $2)", sealed, NOW)
        self.sql("auth", OLDEST, project, NOW)
        for number, account in enumerate(accounts, 1):
            self.sql("auth", ACCOUNT, account, project, NOW)
            name = f"a{number}@example.com"
            values = (project, name, account)
            self.sql("auth", "INSERT INTO identifiers VALUES ($1, 'email', $2, $2, $3, now())", *values)
            self.sql("auth", "INSERT INTO credentials VALUES ($1, 'password', 'a hash', now())", account)
            self.sql("auth", EVENT, NOW, "account.create", account)
            self.sql(
                "users",
                "INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, "
                "phone_e164, gender, biography, website, relationship, language, version, created_at, updated_at) "
                "VALUES ($1, $2, $3, $4, '', '', '', '', '', '', '', '', '', 1, now(), now())",
                account,
                project,
                number,
                account.hex,
            )
        self.sql("users", "INSERT INTO project_numbers VALUES ($1, $2)", project, len(accounts) or 1)
        return self

    def refused(self, *arguments: str) -> str:
        done = self.command.run(*arguments, "--json")
        assert done.returncode == 1, done.stdout + done.stderr
        return str(json.loads(done.stdout)["error"])

    @property
    def accounts(self) -> set[UUID]:
        return {row[0] for row in self.sql("auth", "SELECT id FROM accounts")}


@pytest.fixture
def place(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    """Return a function that makes a place with empty databases."""

    def make() -> Place:
        folder = tmp_path_factory.mktemp("place") / "data"
        return Place({word: postgres.create_database() for word in WORDS}, folder, asyncio.run)

    return make


def test_a_backup_of_older_tables_restores_into_this_release_and_who_lost_his_picture_has_none(
    place: Callable[[], Place], tmp_path: Path
) -> None:
    file, account = str(tmp_path / "b.tar"), uuid4()
    old = place().made(uuid4(), account, schemas={"auth": 3, "users": 2, "notify": 1})
    picture = uuid4().hex  # its files went while the backup was made
    old.sql(
        "users", "INSERT INTO pictures VALUES ($1, 'avatar', $2, 'image/png', 'used', now(), now())", picture, account
    )
    old.sql("users", "UPDATE profiles SET picture = $1", picture)
    said = old.command.cli("backup", file)
    assert (said["databases"]["auth"]["schema"], said["pictures"]["replaced_meanwhile"]) == (3, 1)
    new = place()
    answer = new.command.cli("restore", file, "--accept-missing-history")
    assert answer["migrated"]["auth"][0] == "0004_forms_checked.sql"
    assert answer["migrated"]["notify"][0] == "0002_sms_and_push.sql"
    assert (answer["invariants"]["ok"], answer["pictures_without_file"]) == (True, 1)
    assert new.accounts == {account}
    assert new.sql("users", "SELECT picture FROM profiles") == [("",)]


def test_what_is_damaged_cut_off_newer_or_lost_is_refused_and_changes_nothing(
    place: Callable[[], Place], tmp_path: Path
) -> None:
    file, account = tmp_path / "b.tar", uuid4()
    there = place().made(uuid4(), account)
    there.command.cli("backup", str(file))
    content = file.read_bytes()
    harmed, cut = tmp_path / "harmed.tar", tmp_path / "cut.tar"
    where = content.index(b"a hash")
    harmed.write_bytes(content[:where] + b"A" + content[where + 1 :])
    cut.write_bytes(content[: len(content) // 2])
    assert "credentials/000001 is not what was written" in there.refused("restore", str(harmed), "--replace")
    assert "no whole backup" in there.refused("restore", str(cut), "--replace")
    assert "--replace puts the backup" in there.refused("restore", str(file))
    assert "exists already" in there.refused("backup", str(file))
    assert "nothing here knows what happened" in place().refused("restore", str(file))
    there.sql("auth", "INSERT INTO schema_migrations VALUES (9999, '9999_to_come.sql', 'x', now())")
    newer = tmp_path / "newer.tar"
    there.command.cli("backup", str(newer))
    assert "of an older release" in place().refused("restore", str(newer), "--accept-missing-history")
    there.command.environment["GATEPOST_MASTER_KEY"] = MASTER_KEY[::-1]
    assert "another master key" in there.refused("restore", str(file), "--replace")
    assert there.accounts == {account}


def test_events_in_a_file_take_away_what_they_tell(place: Callable[[], Place], tmp_path: Path) -> None:
    file, history = str(tmp_path / "b.tar"), tmp_path / "events.jsonl"
    goes, changes, falls = uuid4(), uuid4(), uuid4()
    project = uuid4()
    place().made(project, goes, changes, falls).command.cli("backup", file)
    acts = {"account.delete": goes, "password.change": changes, "role.change": falls, "account.disable": falls}
    history.write_text(
        "".join(
            json.dumps(
                {"id": 100 + n, "time": NOW.isoformat(), "action": act, "outcome": "success", "user_id": str(of)}
            )
            + "\n"
            for n, (act, of) in enumerate(acts.items())
        ),
        encoding="utf-8",
    )
    new = place()
    settled = new.command.cli("restore", file, "--deletions", str(history))["settled"]
    assert (settled["events"], settled["accounts_deleted"], settled["passwords_dropped"]) == (4, 1, 1)
    assert new.accounts == {changes, falls}
    assert new.sql("auth", "SELECT account_id FROM profile_removals") == [(goes,)]
    assert new.sql("auth", "SELECT account_id FROM credentials") == [(falls,)]
    assert new.sql("auth", "SELECT role, state FROM accounts WHERE id = $1", falls) == [("user", "disabled")]
    new.sql("auth", EVENT, NOW, "account.enable", falls)
    told = [row[0] for row in new.sql("auth", "SELECT action FROM audit_events WHERE id >= 100 ORDER BY id")]
    assert told == [*acts, "installation.restore", "account.enable"]


def test_a_restore_cut_off_in_the_exchange_leaves_no_auth_database_to_serve_from_and_is_completed_by_another(
    place: Callable[[], Place], tmp_path: Path
) -> None:
    file, kept, goes = str(tmp_path / "b.tar"), uuid4(), uuid4()
    there = place().made(uuid4(), kept, goes)
    there.command.cli("backup", file)
    there.sql("auth", EVENT, NOW, "account.delete", goes)
    there.sql("auth", "DELETE FROM accounts WHERE id = $1", goes)
    asyncio.run(cut_off(there.dsns))
    assert there.sql("auth", "SELECT to_regclass('accounts')") == [(None,)]
    with pytest.raises(asyncpg.InvalidSchemaNameError):
        asyncio.run(migrate(there.dsns["auth"], "auth_service"))
    answer = there.command.cli("restore", file, "--replace")
    assert (answer["history"], answer["settled"]["accounts_deleted"]) == ("the installation replaced", 1)
    assert there.accounts == {kept}


async def cut_off(dsns: dict[str, str]) -> None:
    """Exchange the databases, with somebody reading a table of the second for as long as that is waited for."""
    connections = {word: await asyncpg.connect(dsn) for word, dsn in dsns.items()}
    reader = await asyncpg.connect(dsns["users"])
    try:
        for connection in connections.values():
            await schemas.begin(connection)
        await reader.execute("BEGIN; LOCK TABLE profiles IN ACCESS SHARE MODE")
        with pytest.raises(Exception, match="somebody uses the databases"):
            await schemas.swap(connections, patience_seconds=1)
    finally:
        for connection in (*connections.values(), reader):
            await connection.close()


def test_nothing_of_a_backup_that_fails_is_left(place: Callable[[], Place], tmp_path: Path) -> None:
    there = place()
    assert "no tables yet" in there.refused("backup", str(tmp_path / "b.tar"))
    assert not list(tmp_path.iterdir())
