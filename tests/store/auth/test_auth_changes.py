"""What the database of auth-service tells who listens: what shows in an answer about a token, and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from store.auth.engines import Engines

from auth_service.model import Account, App, TokenSet
from auth_service.store import accounts
from runtime.postgres import Connection, Database

CHANNEL = "gatepost_changes"
SESSION = "UPDATE sessions SET {} WHERE id = $1"
ACCOUNT = "UPDATE accounts SET {} WHERE id = $1"
NAME = "INSERT INTO identifiers (project_id, kind, normalized, value, account_id) VALUES ($1, 'username', $2, $2, $3)"


@dataclass
class Told:
    """A database, and what it has told since one last looked."""

    connection: Connection
    keys: list[str]

    async def after(self, statement: str, *values: Any) -> set[str]:
        """Run a statement; return what it told."""
        await self.news()
        await self.connection.execute(statement, *values)
        return await self.news()

    async def news(self) -> set[str]:
        """Return everything committed before, and forget it."""
        await self.connection.execute("SELECT 1")  # what was committed before comes before its answer
        keys = set(self.keys)
        self.keys.clear()
        return keys


@dataclass(frozen=True)
class Holder:
    """Somebody who is signed in with an app."""

    app: App
    client: dict[str, Any]
    account: Account
    tokens: TokenSet
    session_id: UUID

    @property
    def key(self) -> str:
        return f"account:{self.account.id}"


@pytest_asyncio.fixture(loop_scope="session")
async def told(database: Database) -> AsyncIterator[Told]:
    async with database.acquire() as connection:
        keys: list[str] = []

        def hear(*heard: Any) -> None:
            keys.append(heard[-1])

        await connection.add_listener(CHANNEL, hear)
        yield Told(connection, keys)
        await connection.remove_listener(CHANNEL, hear)


@pytest_asyncio.fixture(loop_scope="session")
async def holder(engines: Engines, told: Told) -> Holder:
    app, secret = await engines.app()
    account = await engines.account(app)
    code = await engines.codes.issue(account, app, None, engines.clock.now())
    client: dict[str, Any] = {"client_id": app.client_id, "client_secret": secret}
    tokens, _ = await engines.issuance.exchange(**client, code=code, code_verifier="")
    session, _ = await engines.sessions.authenticate(tokens.access_token)
    await told.news()
    return Holder(app, client, account, tokens, session.id)


async def test_neither_a_sign_up_nor_a_sign_in_tells_anything(engines: Engines, told: Told) -> None:
    app, _ = await engines.app()
    account = await engines.account(app, username="somebody7", password_hash="hash")
    await engines.codes.issue(account, app, None, engines.clock.now())
    assert await told.news() == set()


async def test_a_refresh_tells_nothing(engines: Engines, told: Told, holder: Holder) -> None:
    await engines.issuance.refresh(**holder.client, refresh_token=holder.tokens.refresh_token)
    assert await told.news() == set()


async def test_a_use_tells_nothing(engines: Engines, told: Told, holder: Holder) -> None:
    engines.clock.advance(timedelta(minutes=2))
    session, _ = await engines.sessions.authenticate(holder.tokens.access_token)
    assert session.last_used_at == engines.clock.now()
    assert await told.news() == set()


async def test_a_logout_tells_whose(engines: Engines, told: Told, holder: Holder) -> None:
    await engines.sessions.end(holder.tokens.access_token)
    assert await told.news() == {holder.key}


@pytest.mark.parametrize(
    "change",
    [
        "revoked_at = now()",
        "security_version = security_version + 1",
        "scopes = '{basic,email}'",
        "authenticated_at = authenticated_at + interval '1 s'",
        "salt = 'other'",
        "expires_at = expires_at - interval '1 s'",
    ],
)
async def test_what_shows_of_a_session_tells_whose(told: Told, holder: Holder, change: str) -> None:
    assert await told.after(SESSION.format(change), holder.session_id) == {holder.key}


async def test_a_live_session_that_is_deleted_tells_whose(told: Told, holder: Holder) -> None:
    assert await told.after("DELETE FROM sessions WHERE id = $1", holder.session_id) == {holder.key}


async def test_a_dead_one_tells_nothing(told: Told, holder: Holder) -> None:
    await told.after("UPDATE sessions SET revoked_at = now() WHERE id = $1", holder.session_id)
    assert await told.after("DELETE FROM sessions WHERE id = $1", holder.session_id) == set()


@pytest.mark.parametrize("change", ["role = 'admin'", "state = 'disabled'", "language = 'de'", "security_version = 9"])
async def test_what_changes_of_an_account_tells_whose(told: Told, holder: Holder, change: str) -> None:
    assert await told.after(ACCOUNT.format(change), holder.account.id) == {holder.key}


async def test_an_account_that_is_deleted_tells_whose(engines: Engines, told: Told, holder: Holder) -> None:
    async with engines.database.transaction() as connection:
        await engines.enrolment.delete(connection, holder.account)
    assert await told.news() == {holder.key}


async def test_a_name_given_proven_or_taken_tells_whose(told: Told, holder: Holder) -> None:
    values = holder.account.project_id, f"n{uuid4().hex}", holder.account.id
    proven = "UPDATE identifiers SET verified_at = now() WHERE account_id = $1"
    assert await told.after(NAME, *values) == {holder.key}
    assert await told.after(proven, holder.account.id) == {holder.key}
    assert await told.after("DELETE FROM identifiers WHERE account_id = $1", holder.account.id) == {holder.key}


async def test_names_loaded_by_the_thousand_are_not_told_one_by_one(told: Told, holder: Holder) -> None:
    load = (
        "INSERT INTO identifiers (project_id, kind, normalized, value, account_id) "
        "SELECT $1, 'external', $2 || n, n, $3 FROM generate_series(1, 1500) n"
    )
    assert await told.after(load, holder.account.project_id, uuid4().hex, holder.account.id) == {"*"}


async def test_an_app_and_a_project_tell_which(told: Told, holder: Holder) -> None:
    app_key, project_key = f"app:{holder.app.client_id}", f"project:{holder.app.project.id}"
    change = "UPDATE {} SET disabled = true WHERE id = $1"
    assert await told.after(change.format("apps"), holder.app.id) == {app_key}
    assert await told.after(change.format("projects"), holder.app.project.id) == {project_key}
    assert await told.after("DELETE FROM apps WHERE id = $1", holder.app.id) == {app_key}


async def test_tables_that_are_emptied_tell_everything(told: Told) -> None:
    await told.news()
    async with told.connection.transaction():
        await told.connection.execute("TRUNCATE sessions")
    assert await told.news() == {"*"}


async def test_what_is_rolled_back_is_not_told(engines: Engines, told: Told, holder: Holder) -> None:
    async def change_and_fail() -> None:
        async with engines.database.transaction() as connection:
            await accounts.update_role(connection, holder.account.id, "admin", engines.clock.now())
            raise KeyError

    with pytest.raises(KeyError):
        await change_and_fail()
    assert await told.news() == set()
