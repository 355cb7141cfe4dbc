"""Sessions over time: expiry, the replay window, reuse, and what a forgetful Valkey cannot undo."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from store.auth.engines import Engines, at_once

from auth_service.keys import digest
from auth_service.model import Account, App, TokenSet
from auth_service.store import accounts
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

Refused = Callable[..., Any]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class SignedIn:
    """Somebody signed in with an app."""

    def __init__(self, engines: Engines, app: App, secret: str, account: Account) -> None:
        self.engines = engines
        self.app = app
        self.account = account
        self.client: dict[str, Any] = {"client_id": app.client_id, "client_secret": secret}

    async def code(self) -> str:
        return await self.engines.codes.issue(self.account, self.app, None, self.engines.clock.now())

    async def exchange(self, code: str) -> TokenSet:
        tokens, _ = await self.engines.issuance.exchange(**self.client, code=code, code_verifier="")
        return tokens

    async def refresh(self, token: str, engines: Engines | None = None) -> TokenSet:
        tokens, _ = await (engines or self.engines).issuance.refresh(**self.client, refresh_token=token)
        return tokens


@pytest_asyncio.fixture(loop_scope="session")
async def person(engines: Engines) -> SignedIn:
    app, secret = await engines.app()
    return SignedIn(engines, app, secret, await engines.account(app))


@pytest_asyncio.fixture(loop_scope="session")
async def tokens(person: SignedIn) -> TokenSet:
    return await person.exchange(await person.code())


async def test_an_access_token_expires(engines: Engines, tokens: TokenSet, refused: Refused) -> None:
    assert tokens.expires_in == 3600
    engines.clock.advance(HOUR - timedelta(seconds=2))
    await engines.sessions.authenticate(tokens.access_token)
    engines.clock.advance(timedelta(seconds=2))
    await refused(engines.sessions.authenticate(tokens.access_token), Reason.TOKEN_EXPIRED)


async def test_a_refresh_token_expires_unless_it_is_used(
    engines: Engines, person: SignedIn, tokens: TokenSet, refused: Refused
) -> None:
    engines.clock.advance(DAY - HOUR)
    second = await person.refresh(tokens.refresh_token)
    engines.clock.advance(DAY - HOUR)
    third = await person.refresh(second.refresh_token)
    engines.clock.advance(DAY)
    await refused(person.refresh(third.refresh_token), Reason.TOKEN_EXPIRED)


async def test_no_refreshing_keeps_a_session_beyond_its_absolute_end(
    engines: Engines, person: SignedIn, tokens: TokenSet, refused: Refused
) -> None:
    for _ in range(13):
        engines.clock.advance(timedelta(hours=12))
        tokens = await person.refresh(tokens.refresh_token)
    engines.clock.advance(timedelta(hours=11, minutes=59))
    last = await person.refresh(tokens.refresh_token)
    assert last.expires_in <= 60
    engines.clock.advance(timedelta(minutes=1))
    await refused(person.refresh(last.refresh_token), Reason.TOKEN_EXPIRED)
    await refused(engines.sessions.authenticate(last.access_token), Reason.TOKEN_EXPIRED)


async def test_inside_the_window_a_refresh_gets_the_same_successor(
    engines: Engines, person: SignedIn, tokens: TokenSet
) -> None:
    first = await person.refresh(tokens.refresh_token)
    engines.clock.advance(timedelta(seconds=10))
    assert (await person.refresh(tokens.refresh_token)).refresh_token == first.refresh_token
    assert (await person.refresh(first.refresh_token)).refresh_token


async def test_after_the_window_a_refresh_used_again_ends_the_session(
    engines: Engines, person: SignedIn, tokens: TokenSet, refused: Refused
) -> None:
    first = await person.refresh(tokens.refresh_token)
    engines.clock.advance(timedelta(seconds=10, milliseconds=1))
    await refused(person.refresh(tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(person.refresh(first.refresh_token), Reason.TOKEN_INVALID)
    await refused(engines.sessions.authenticate(first.access_token), Reason.TOKEN_INVALID)


async def test_an_older_generation_ends_the_session_even_inside_the_window(
    engines: Engines, person: SignedIn, tokens: TokenSet, refused: Refused
) -> None:
    second = await person.refresh(tokens.refresh_token)
    third = await person.refresh(second.refresh_token)
    await refused(person.refresh(tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(engines.sessions.authenticate(third.access_token), Reason.TOKEN_INVALID)


async def test_one_ended_session_leaves_the_others(
    engines: Engines, person: SignedIn, tokens: TokenSet, refused: Refused
) -> None:
    other = await person.exchange(await person.code())
    await engines.sessions.end(tokens.access_token)
    await refused(engines.sessions.authenticate(tokens.access_token), Reason.TOKEN_INVALID)
    await engines.sessions.authenticate(other.access_token)


async def test_a_code_expires(engines: Engines, person: SignedIn, refused: Refused) -> None:
    code = await person.code()
    key = f"gatepost:{{code:{digest(code).hex()}}}"
    assert 299_000 < await engines.valkey.command("PTTL", key) <= 300_000
    await engines.valkey.command("PEXPIRE", key, 20)
    await asyncio.sleep(0.05)
    await refused(person.exchange(code), Reason.CODE_INVALID)


async def test_a_code_works_once_even_if_valkey_forgets_that_it_was_used(
    engines: Engines, person: SignedIn, refused: Refused
) -> None:
    code = await person.code()
    opened = await person.exchange(code)
    await engines.codes.release(code)
    await refused(person.exchange(code), Reason.CODE_INVALID)
    await refused(engines.sessions.authenticate(opened.access_token), Reason.TOKEN_INVALID)


async def test_a_code_used_again_after_valkey_lost_it_ends_what_it_opened(
    engines: Engines, person: SignedIn, refused: Refused
) -> None:
    code = await person.code()
    opened = await person.exchange(code)
    await engines.valkey.command("DEL", f"gatepost:{{code:{digest(code).hex()}}}")
    await refused(person.exchange(code), Reason.CODE_INVALID)
    await refused(engines.sessions.authenticate(opened.access_token), Reason.TOKEN_INVALID)


async def test_a_session_opened_while_the_password_changes_does_not_outlive_it(
    engines: Engines, person: SignedIn
) -> None:
    for _ in range(10):
        code = await person.code()
        async with engines.database.acquire() as connection:
            now = await accounts.fetch(connection, person.account.id)
            assert now is not None
        opened, _ = await at_once(person.exchange(code), engines.sessions.end_all(person.account))
        if isinstance(opened, TokenSet):
            with pytest.raises(GatepostError):
                await engines.sessions.authenticate(opened.access_token)
        person.account = now


async def test_a_refresh_beside_a_revocation_is_dead_after_it(
    engines: Engines, person: SignedIn, refused: Refused
) -> None:
    for _ in range(10):
        tokens = await person.exchange(await person.code())
        refreshed, _ = await at_once(person.refresh(tokens.refresh_token), engines.sessions.end(tokens.access_token))
        if isinstance(refreshed, TokenSet):
            await refused(engines.sessions.authenticate(refreshed.access_token), Reason.TOKEN_INVALID)
            await refused(person.refresh(refreshed.refresh_token), Reason.TOKEN_INVALID)


async def test_tokens_outlive_a_key_rotation_at_two_instances(
    engines: Engines, person: SignedIn, tokens: TokenSet, database: Database, valkey_url: Callable[[], str]
) -> None:
    other = await Engines.open(database, valkey_url(), engines.clock)
    made, _ = await engines.keeper.rotate()
    assert engines.ring.active_id != made.id  # not used until every instance has had time to load it
    await other.keeper.refresh()
    engines.clock.advance(timedelta(seconds=10))
    await engines.keeper.refresh()
    assert engines.ring.active_id == made.id
    newer = await person.refresh(tokens.refresh_token)
    for instance in (engines, other):
        await instance.sessions.authenticate(tokens.access_token)
        await instance.sessions.authenticate(newer.access_token)
    await other.close()


async def test_instances_that_start_at_once_share_one_first_key(postgres: Any, valkey_url: Callable[[], str]) -> None:
    database = await Database.connect(postgres.create_database("auth_service"), max_size=20)
    instances = await asyncio.gather(*(Engines.open(database, valkey_url()) for _ in range(8)))
    assert {instance.ring.mac("test", b"x", 1) for instance in instances} == {instances[0].ring.mac("test", b"x", 1)}
    assert len((await instances[0].keeper.list_all()).keys) == 1
    for instance in instances:
        await instance.close()
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def second(database: Database, engines: Engines, valkey_url: Callable[[], str]) -> AsyncIterator[Engines]:
    made = await Engines.open(database, valkey_url(), engines.clock)
    yield made
    await made.close()


async def test_twenty_parallel_refreshes_agree_on_one_successor(
    engines: Engines, second: Engines, person: SignedIn, tokens: TokenSet
) -> None:
    both = (engines, second)
    answers = await asyncio.gather(*(person.refresh(tokens.refresh_token, both[n % 2]) for n in range(20)))
    assert len({answer.refresh_token for answer in answers}) == 1
