"""What letting people in reads and writes at once goes to PostgreSQL together, and each gets his own."""

import asyncio
from uuid import uuid4

import pytest
from store.auth.engines import Engines

from auth_service.entrance import Entrance
from auth_service.store.audit import Event

together = pytest.mark.parametrize("most", [1, 100], ids=["alone", "together"])


@together
async def test_accounts_and_apps_asked_for_at_once_are_told_apart(engines: Engines, most: int) -> None:
    entrance = Entrance(engines.database, most=most)
    apps = [(await engines.app())[0] for _ in range(2)]
    accounts = [await engines.account(app) for app in apps]
    ids = [account.id for account in accounts]
    found = await asyncio.gather(*map(entrance.account, [*ids, uuid4(), ids[0]]))
    assert [account and account.id for account in found] == [*ids, None, ids[0]]
    found_apps = await asyncio.gather(*map(entrance.app, [apps[0].id, uuid4(), apps[1].id, apps[0].id]))
    assert found_apps == [apps[0], None, apps[1], apps[0]]


@together
async def test_events_appended_at_once_are_all_there_as_they_were(engines: Engines, most: int) -> None:
    entrance = Entrance(engines.database, most=most)
    app, _ = await engines.app()
    accounts = [await engines.account(app) for _ in range(3)]
    events = [engines.audit.event("account.sign_in", account=account, app=app) for account in accounts]
    events.append(engines.audit.event("account.sign_in", outcome="bad_credentials", project=app.project.name))
    await asyncio.gather(*map(entrance.append, events))
    async with engines.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT * FROM audit_events WHERE action = 'account.sign_in' AND project = $1 ORDER BY id", app.project.name
        )
    kept = [Event(**dict(row)) for row in rows]
    assert sorted(map(repr, (event.values() for event in kept))) == sorted(map(repr, (e.values() for e in events)))


async def test_those_who_are_let_in_at_once_take_one_commit(engines: Engines) -> None:
    app, _ = await engines.app()
    entrance = Entrance(engines.database, most=100)
    events = [engines.audit.event("account.sign_in", account=await engines.account(app)) for _ in range(30)]
    await asyncio.gather(*map(entrance.append, events))
    async with engines.database.acquire() as connection:
        commits = await connection.fetchval(
            "SELECT count(DISTINCT xmin::text) FROM audit_events WHERE action = 'account.sign_in' AND project = $1",
            app.project.name,
        )
    assert commits == 1
