"""What was taken away after a backup stays away in the copy: what no test of the whole restore comes by."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from store.auth.engines import Engines

from auth_service.audit import describe
from auth_service.history import Document
from auth_service.key_life import KeyState
from auth_service.known_devices import KnownDevices
from auth_service.links import Links
from auth_service.model import LinkPurpose
from auth_service.reset_links import ResetLinks
from auth_service.restoration import catch_up, tell
from auth_service.store.audit import Event
from runtime.errors import Reason
from runtime.postgres import Connection, Database

THIEVES = {"email": "thief@example.com", "normalized": "thief@example.com"}


@pytest_asyncio.fixture(loop_scope="session")
async def copy(postgres: Any, valkey_url: Callable[[], str]) -> AsyncIterator[Engines]:
    """Yield an instance on a database of its own, whose keys and sessions may end."""
    database = await Database.connect(postgres.create_database("auth_service"), max_size=5)
    made = await Engines.open(database, valkey_url())
    yield made
    await made.close()
    await database.close()


def event(number: int, action: str, account_id: UUID | None = None) -> Document:
    """Return the line of an event that the copy does not have."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return describe(Event(1000 + number, at, action, "success", "service:cli", account_id, "p", "", "", ""))


async def settle(copy: Engines, *lines: Document) -> Document:
    async with copy.database.transaction() as connection:
        return await catch_up(connection, map(json.dumps, lines), copy.clock, 60)


async def states(copy: Engines) -> tuple[list[KeyState], list[KeyState]]:
    """Return the states of token keys and of signing keys, newest first, once the copy is served."""
    await copy.keeper.load()
    listed = await copy.keeper.list_all()
    assert copy.ring.active_id == listed.keys[0][0].id
    return [state for _, state in listed.keys], [state for _, state in listed.signing_keys]


async def test_keys_revoked_after_the_backup_are_revoked_in_the_copy_which_makes_new_ones(copy: Engines) -> None:
    assert not (await settle(copy, event(1, "key.rotate")))["signing_keys_revoked"]
    assert await states(copy) == ([KeyState.ACTIVE, KeyState.REVOKED], [KeyState.ACTIVE])
    assert (await settle(copy, event(2, "key.revoke_all")))["signing_keys_revoked"]
    revoked = [KeyState.REVOKED] * 2
    assert await states(copy) == ([KeyState.ACTIVE, *revoked], [KeyState.ACTIVE, KeyState.REVOKED])


async def issue(connection: Connection, links: Links, account_id: UUID) -> str:
    return await links.issue(connection, LinkPurpose.UNDO_EMAIL_CHANGE, account_id, THIEVES, 3600)


@pytest.mark.parametrize("events_alone", [False, True])
async def test_a_link_that_ended_after_the_backup_leads_nowhere_in_the_copy(
    copy: Engines, refused: Callable[..., Any], *, events_alone: bool
) -> None:
    """It would give the account again to whoever had taken it."""
    account = await copy.account((await copy.app())[0])
    links = Links(copy.clock, "http://gatepost.example")
    undone = event(1, "email.change_undo", account.id)
    async with copy.database.transaction() as connection:
        ended = await issue(connection, links, account.id)
    told: list[Document] = []
    async with copy.database.acquire() as connection:
        replaced = connection.transaction()  # the installation that is replaced: the copy does not have what it did
        await replaced.start()
        await links.use(connection, ended)
        lives = await issue(connection, links, account.id)
        await copy.audit.record(connection, "email.change_undo", account=account)
        await tell(connection, 0, told.append)
        await replaced.rollback()
    await settle(copy, undone, *(line for line in told if "kept" in line and not events_alone))
    async with copy.database.acquire() as connection:
        await refused(links.find(connection, ended), Reason.CHALLENGE_FAILED)
        if not events_alone:
            assert (await links.find(connection, lives)).data == THIEVES


async def test_what_was_made_with_the_keys_of_the_copy_is_worthless_in_it_whatever_is_known(
    copy: Engines, refused: Callable[..., Any]
) -> None:
    account = await copy.account((await copy.app())[0])
    links, devices = ResetLinks(copy.ring, copy.clock), KnownDevices(copy.ring)
    link = links.issue(account, copy.clock.now() + timedelta(minutes=30))
    device = devices.issue(account.id, account.security_version)
    await settle(copy)
    await copy.keeper.load()
    await refused(links.account_id(link), Reason.CHALLENGE_FAILED)
    assert devices.recognize([device], account) == ""


async def test_a_project_disabled_after_the_backup_is_disabled_in_the_copy(copy: Engines) -> None:
    app, _ = await copy.app()
    told: list[Document] = []
    async with copy.database.acquire() as connection:
        replaced = connection.transaction()
        await replaced.start()
        await connection.execute("UPDATE projects SET disabled = true WHERE id = $1", app.project.id)
        await copy.audit.record(connection, "project.change", project=app.project.name)
        await tell(connection, 0, told.append)
        await replaced.rollback()
    await settle(copy, *told)
    async with copy.database.acquire() as connection:
        assert await connection.fetchval("SELECT disabled FROM projects WHERE id = $1", app.project.id)
