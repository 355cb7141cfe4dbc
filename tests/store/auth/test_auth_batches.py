"""What is asked for at once goes to PostgreSQL together, and each gets what he would have got alone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from store.auth.engines import Engines, at_once

from auth_service.keys import digest
from auth_service.model import Account, App, TokenForm, TokenSet
from auth_service.store import accounts, apps, grants, session_writes, sessions
from auth_service.store.session_writes import Ending, Opening, Rotation, Touch, Visit
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

Refused = Callable[..., Any]


@dataclass
class House:
    """An app and what people do with it; what is done of a list is done at once."""

    engines: Engines
    app: App
    secret: str

    @property
    def client(self) -> dict[str, Any]:
        return {"client_id": self.app.client_id, "client_secret": self.secret}

    async def people(self, number: int) -> list[Account]:
        return [await self.engines.account(self.app) for _ in range(number)]

    async def code(self, account: Account, **more: Any) -> str:
        return await self.engines.codes.issue(account, self.app, None, self.engines.clock.now(), **more)

    async def exchange(self, code: str) -> TokenSet:
        return (await self.engines.issuance.exchange(**self.client, code=code, code_verifier=""))[0]

    async def refresh(self, token: str) -> TokenSet:
        return (await self.engines.issuance.refresh(**self.client, refresh_token=token))[0]

    async def sign_in(self, number: int) -> list[TokenSet]:
        """Return the tokens of that many people."""
        codes = [await self.code(account) for account in await self.people(number)]
        return list(await asyncio.gather(*map(self.exchange, codes)))

    async def session_id(self, tokens: TokenSet) -> UUID:
        return (await self.engines.sessions.authenticate(tokens.access_token))[0].id

    def opening(self, account: Account, code: str) -> Opening:
        now = self.engines.clock.now()
        session = self.engines.sessions.new(account.id, account.security_version, TokenForm.PAIR, now, now, self.app)
        return Opening(session, self.engines.audit.event("session.create", account=account), code_hash=digest(code))


def reasons(answers: list[Any]) -> list[Reason | None]:
    """Return why each call failed; None for those that did not."""
    return [answer.reason if isinstance(answer, GatepostError) else None for answer in answers]


async def fetch(database: Database, sql: str, *values: Any) -> list[Any]:
    async with database.acquire() as connection:
        return [row[0] for row in await connection.fetch(sql, *values)]


@pytest_asyncio.fixture(loop_scope="session")
async def house(engines: Engines) -> House:
    return House(engines, *await engines.app())


async def test_of_many_tokens_shown_at_once_each_is_judged_by_itself(engines: Engines, house: House) -> None:
    good, revoked, changed, other = await house.sign_in(4)
    await engines.sessions.end(revoked.access_token)
    await engines.sessions.end_all((await engines.sessions.authenticate(changed.access_token))[1])
    [unknown] = await house.sign_in(1)
    async with engines.database.acquire() as connection:
        await connection.execute("DELETE FROM sessions WHERE id = $1", await house.session_id(unknown))
    shown = (good, revoked, changed, unknown, other, good)
    answers = await at_once(*(engines.sessions.authenticate(tokens.access_token) for tokens in shown))
    invalid = Reason.TOKEN_INVALID
    assert reasons(answers) == [None, invalid, invalid, invalid, None, None]
    assert answers[0][0] == answers[5][0]
    assert {answers[0][1].id, answers[4][1].id} == {
        (await engines.sessions.authenticate(tokens.access_token))[1].id for tokens in (good, other)
    }


async def test_an_expired_session_among_live_ones_is_alone_in_that(engines: Engines, house: House) -> None:
    old, new = await house.sign_in(2)
    async with engines.database.acquire() as connection:
        sql = "UPDATE sessions SET expires_at = $2 WHERE id = $1"
        await connection.execute(sql, await house.session_id(old), engines.clock.now())
    answers = await at_once(*(engines.sessions.authenticate(tokens.access_token) for tokens in (old, new)))
    assert reasons(answers) == [Reason.TOKEN_EXPIRED, None]


async def test_apps_asked_for_at_once_are_told_apart(engines: Engines, house: House) -> None:
    other, _ = await engines.app()
    wanted = [house.app.client_id, "nobody's", other.client_id, "with\x00NUL", house.app.client_id]
    answers = await at_once(*map(engines.clients.find, wanted))
    assert reasons(answers) == [None, Reason.CLIENT_UNKNOWN, None, Reason.MALFORMED_REQUEST, None]
    assert [answers[place].id for place in (0, 2, 4)] == [house.app.id, other.id, house.app.id]


async def test_one_refresh_token_twenty_times_in_a_batch_is_used_once(engines: Engines, house: House) -> None:
    [tokens] = await house.sign_in(1)
    answers = await asyncio.gather(*(house.refresh(tokens.refresh_token) for _ in range(20)))
    assert len({answer.refresh_token for answer in answers}) == 1
    sql = "SELECT generation FROM sessions WHERE id = $1"
    assert await fetch(engines.database, sql, await house.session_id(answers[0])) == [2]


async def test_of_many_that_would_rotate_a_session_one_is_told_that_it_has(engines: Engines, house: House) -> None:
    [tokens] = await house.sign_in(1)
    now = engines.clock.now()
    rotation = Rotation(await house.session_id(tokens), 1, now, now + timedelta(days=1), 1)
    stale = rotation._replace(generation=7)
    done = await asyncio.gather(*map(engines.batches.rotate, [stale, rotation, rotation, stale, rotation]))
    assert done == [False, True, False, False, False]


async def test_refreshes_at_once_are_each_refused_for_their_own_reason(engines: Engines, house: House) -> None:
    good, ended, other = await house.sign_in(3)
    await engines.sessions.end(ended.access_token)
    answers = await at_once(*(house.refresh(tokens.refresh_token) for tokens in (good, ended, other)))
    assert reasons(answers) == [None, Reason.TOKEN_INVALID, None]
    assert answers[0].refresh_token != answers[2].refresh_token


async def test_a_code_twice_in_a_batch_opens_one_session(engines: Engines, house: House) -> None:
    [account] = await house.people(1)
    code = uuid4().hex
    opened = await asyncio.gather(*(engines.batches.open(house.opening(account, code)) for _ in range(2)))
    assert sum(answer is not None for answer in opened) == 1
    assert await fetch(engines.database, "SELECT count(*) FROM sessions WHERE account_id = $1", account.id) == [1]


async def test_twenty_exchanges_of_a_code_at_once_open_one_session_and_end_it(engines: Engines, house: House) -> None:
    [account] = await house.people(1)
    code = await house.code(account)
    answers = await at_once(*(house.exchange(code) for _ in range(20)))
    assert sorted(map(str, reasons(answers))) == sorted(["None", *[str(Reason.CODE_INVALID)] * 19])


async def test_of_exchanges_at_once_those_that_may_not_open_none(engines: Engines, house: House) -> None:
    fine, disabled, changed, refusing = await house.people(4)
    async with engines.database.acquire() as connection:
        now = engines.clock.now()
        event = engines.audit.event("grant.create", account=refusing)
        grant = await grants.put(connection, uuid4(), refusing.id, house.app.id, (), event, event.at)
        codes = [await house.code(account) for account in (fine, disabled, changed)]
        codes.append(await house.code(refusing, grant_id=grant.id))
        await connection.execute("UPDATE accounts SET state = 'disabled' WHERE id = $1", disabled.id)
        await accounts.bump_security_version(connection, changed.id, 1, now)
        await grants.delete(connection, refusing.id, grant.id)
    answers = await at_once(*map(house.exchange, codes))
    assert reasons(answers) == [None, *[Reason.CODE_INVALID] * 3]
    sql = "SELECT count(*) FROM audit_events WHERE account_id = $1 AND action = 'session.create'"
    assert [await fetch(engines.database, sql, each.id) for each in (fine, disabled, changed, refusing)] == [
        [1],
        [0],
        [0],
        [0],
    ]


async def test_who_waits_for_his_account_keeps_nobody_waiting(engines: Engines, house: House) -> None:
    held, free = await house.people(2)
    async with engines.database.acquire() as connection:
        event = engines.audit.event("grant.create", account=held)
        grant = await grants.put(connection, uuid4(), held.id, house.app.id, (), event, event.at)
    codes = [await house.code(held, grant_id=grant.id), await house.code(free)]
    async with engines.database.transaction() as connection:
        await accounts.update_language(connection, held.id, "uk")
        waiting, going = (asyncio.create_task(house.exchange(code)) for code in codes)
        await asyncio.wait_for(going, 1)
        assert not waiting.done()
    assert (await waiting).access_token


async def test_who_waits_for_his_session_keeps_nobody_waiting(engines: Engines, house: House) -> None:
    held, free = await house.sign_in(2)
    session_id = await house.session_id(held)
    async with engines.database.transaction() as connection:
        await connection.execute("SELECT FROM sessions WHERE id = $1 FOR UPDATE", session_id)
        waiting, going = (asyncio.create_task(house.refresh(tokens.refresh_token)) for tokens in (held, free))
        await asyncio.wait_for(going, 1)
        assert not waiting.done()
    assert (await waiting).refresh_token


async def test_a_new_client_is_told_of_by_the_exchange_that_brings_it(engines: Engines, house: House) -> None:
    known, new = await house.people(2)
    sql = "SELECT count(*) FROM outbox WHERE message ->> 'template' = 'new_sign_in' AND message ->> 'to' = $1"

    async def told() -> list[Any]:
        return [(await fetch(engines.database, sql, str(account.id)))[0] for account in (known, new)]

    async def arrive(account: Account, agent: str) -> TokenSet:
        with bound(CallContext(user_agent=agent, client_address="192.0.2.1")):
            return await house.exchange(await house.code(account))

    await asyncio.gather(arrive(known, "Agent/1"), arrive(new, "Agent/1"))
    assert await told() == [0, 0]
    tokens, _ = await asyncio.gather(arrive(new, "Agent/2"), arrive(known, "Agent/1"))
    assert await told() == [0, 1]
    assert (await engines.sessions.authenticate(tokens.access_token))[0].user_agent == "Agent/2"


async def test_uses_noted_at_once_are_noted_for_each(engines: Engines, house: House) -> None:
    signed_in = await house.sign_in(3)
    ids = [await house.session_id(tokens) for tokens in signed_in]
    await engines.sessions.end(signed_in[2].access_token)
    before = engines.clock.now()
    engines.clock.advance(timedelta(minutes=2))
    shown = [signed_in[place].access_token for place in (0, 1, 2, 0)]
    await at_once(*map(engines.sessions.authenticate, shown))
    sql = "SELECT last_used_at FROM sessions WHERE id = $1"
    assert [(await fetch(engines.database, sql, each))[0] for each in ids] == [
        before + timedelta(minutes=2),
        before + timedelta(minutes=2),
        before,
    ]


async def test_ending_a_session_twice_at_once_ends_it_and_says_so_once(engines: Engines, house: House) -> None:
    [tokens] = await house.sign_in(1)
    _, account = await engines.sessions.authenticate(tokens.access_token)
    await at_once(*(engines.sessions.end(tokens.access_token) for _ in range(2)))
    sql = "SELECT count(*) FROM audit_events WHERE account_id = $1 AND action = 'session.end'"
    assert await fetch(engines.database, sql, account.id) == [1]


@pytest.mark.parametrize(
    "name", ["sessions", "keys", "apps", "holders", "grants", "open", "rotate", "end", "touch", "acquaint"]
)
async def test_small_batches_are_not_planned_anew_each_time(engines: Engines, house: House, name: str) -> None:
    [account] = await house.people(1)
    now, event = engines.clock.now(), engines.audit.event("session.end", account=account)
    run: dict[str, Callable[..., Any]] = {
        "sessions": lambda c: sessions.fetch_many(c, [uuid4()]),
        "keys": lambda c: sessions.fetch_by_keys(c, [b"key"]),
        "apps": lambda c: apps.fetch_by_client_ids(c, ["app"]),
        "holders": lambda c: apps.fetch_holders(c, [b"key"]),
        "grants": lambda c: grants.fetch_of_apps(c, [(uuid4(), uuid4())]),
        "open": lambda c: session_writes.open_many(c, [house.opening(account, uuid4().hex)], wait=False),
        "rotate": lambda c: session_writes.rotate_many(c, [Rotation(uuid4(), 1, now, now, 1)], wait=False),
        "end": lambda c: session_writes.end_many(c, [Ending(uuid4(), "logout", event)], wait=False),
        "touch": lambda c: session_writes.touch_many(c, [Touch(uuid4(), now, now, now)]),
        "acquaint": lambda c: session_writes.acquaint_many(c, [Visit(uuid4(), "", "", now, now)]),
    }
    async with engines.database.acquire() as connection:
        made = []
        for _ in range(3):
            for _ in range(5):  # PostgreSQL looks at so many plans before it keeps one
                await run[name](connection)
            made.append(await connection.fetchval("SELECT sum(custom_plans) FROM pg_prepared_statements"))
    assert made[1] == made[2]
