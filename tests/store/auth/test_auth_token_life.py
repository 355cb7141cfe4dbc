"""How long each form of token lives, by a clock that the tests move; and what is said of its use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from store.auth.engines import LIFETIMES, Engines

from auth_service.keys import digest
from auth_service.model import Account, App, Session, TokenForm
from auth_service.projects import ProjectChanges
from auth_service.store import accounts
from runtime.context import CallContext, bound
from runtime.errors import Reason

Refused = Callable[..., Any]
OWN = [TokenForm.SINGLE, TokenForm.SESSION_KEY, TokenForm.WEB]


@dataclass
class Holder:
    """Somebody with sessions."""

    engines: Engines
    app: App
    secret: str
    account: Account

    async def open(self, form: TokenForm) -> str:
        async with self.engines.database.transaction() as connection:
            return (await self.engines.sessions.open(connection, self.account, form)).token

    async def use(self, token: str, form: TokenForm) -> Session:
        return (await self.engines.sessions.authenticate(token, form))[0]

    async def stored(self, session_id: UUID) -> tuple[datetime, datetime]:
        """Return when a session was last used and when it expires, as stored."""
        async with self.engines.database.acquire() as connection:
            row = await connection.fetchrow("SELECT last_used_at, expires_at FROM sessions WHERE id = $1", session_id)
        assert row is not None
        return row["last_used_at"], row["expires_at"]

    def wait(self, **time: float) -> None:
        self.engines.clock.advance(timedelta(**time))


@pytest_asyncio.fixture(loop_scope="session")
async def holder(engines: Engines) -> Holder:
    app, secret = await engines.app()
    return Holder(engines, app, secret, await engines.account(app))


async def test_a_session_key_lives_as_long_as_it_is_used(holder: Holder, refused: Refused) -> None:
    key = await holder.open(TokenForm.SESSION_KEY)
    started = holder.engines.clock.now()
    holder.wait(seconds=LIFETIMES.session_key - 1)
    await holder.use(key, TokenForm.SESSION_KEY)
    holder.wait(seconds=LIFETIMES.session_key - 1)
    session = await holder.use(key, TokenForm.SESSION_KEY)
    assert session.ends_at == started + timedelta(seconds=LIFETIMES.session_max)
    holder.wait(seconds=LIFETIMES.session_key)
    await refused(holder.use(key, TokenForm.SESSION_KEY), Reason.TOKEN_EXPIRED)


async def test_a_session_key_that_is_not_used_ends(holder: Holder, refused: Refused) -> None:
    key = await holder.open(TokenForm.SESSION_KEY)
    holder.wait(seconds=LIFETIMES.session_key)
    await refused(holder.use(key, TokenForm.SESSION_KEY), Reason.TOKEN_EXPIRED)


async def test_a_web_session_ends_when_it_is_idle(holder: Holder, refused: Refused) -> None:
    token = await holder.open(TokenForm.WEB)
    holder.wait(seconds=LIFETIMES.web_idle - 1)
    await holder.use(token, TokenForm.WEB)
    holder.wait(seconds=LIFETIMES.web_idle - 1)
    await holder.use(token, TokenForm.WEB)
    holder.wait(seconds=LIFETIMES.web_idle)
    await refused(holder.use(token, TokenForm.WEB), Reason.TOKEN_EXPIRED)


async def test_a_web_session_ends_in_the_end_however_often_used(holder: Holder, refused: Refused) -> None:
    token = await holder.open(TokenForm.WEB)
    started = holder.engines.clock.now()
    for _ in range(4):
        holder.wait(days=1)
        session = await holder.use(token, TokenForm.WEB)
        assert session.expires_at <= session.ends_at == started + timedelta(seconds=LIFETIMES.web_max)
    holder.wait(days=1)
    await refused(holder.use(token, TokenForm.WEB), Reason.TOKEN_EXPIRED)


async def test_a_single_token_ends_whether_or_not_it_is_used(holder: Holder, refused: Refused) -> None:
    token = await holder.open(TokenForm.SINGLE)
    holder.wait(seconds=LIFETIMES.short_access - 1)
    await holder.use(token, TokenForm.SINGLE)
    holder.wait(seconds=1)
    await refused(holder.use(token, TokenForm.SINGLE), Reason.TOKEN_EXPIRED)


@pytest.mark.parametrize("form", OWN)
async def test_the_last_use_is_noted_at_most_once_a_minute(holder: Holder, form: TokenForm) -> None:
    token = await holder.open(form)
    session = await holder.use(token, form)
    before = await holder.stored(session.id)
    holder.wait(seconds=59)
    await holder.use(token, form)
    assert await holder.stored(session.id) == before
    holder.wait(seconds=1)
    noted = await holder.use(token, form)
    now = holder.engines.clock.now()
    assert (await holder.stored(session.id))[0] == noted.last_used_at == now
    slides = form is not TokenForm.SINGLE
    assert ((await holder.stored(session.id))[1] > before[1]) == slides
    holder.wait(seconds=30)
    await holder.use(token, form)
    assert (await holder.stored(session.id))[0] == now


async def test_the_last_use_of_a_pair_is_noted_and_moves_its_end_by_nothing(holder: Holder) -> None:
    code = await holder.engines.codes.issue(holder.account, holder.app, None, holder.engines.clock.now())
    tokens, _ = await holder.engines.issuance.exchange(
        client_id=holder.app.client_id, client_secret=holder.secret, code=code, code_verifier=""
    )
    session = await holder.use(tokens.access_token, TokenForm.PAIR)
    before = await holder.stored(session.id)
    holder.wait(minutes=2)
    await holder.use(tokens.access_token, TokenForm.PAIR)
    assert await holder.stored(session.id) == (before[0] + timedelta(minutes=2), before[1])


@pytest.mark.parametrize("form", OWN)
async def test_a_token_is_kept_as_its_hash_alone(holder: Holder, form: TokenForm) -> None:
    token = await holder.open(form)
    async with holder.engines.database.acquire() as connection:
        row = await connection.fetchrow("SELECT s::text AS text, key_hash FROM sessions s ORDER BY created_at DESC")
        found = await connection.fetchval("SELECT count(*) FROM sessions WHERE key_hash = $1", digest(token))
    assert row is not None
    assert token not in row["text"]
    assert found == 1


@pytest.mark.parametrize("form", OWN)
async def test_a_disabled_project_ends_what_was_opened_for_itself(
    holder: Holder, refused: Refused, form: TokenForm
) -> None:
    token = await holder.open(form)
    await holder.engines.projects.update(holder.app.project.name, ProjectChanges(disabled=True))
    await refused(holder.use(token, form), Reason.TOKEN_INVALID)
    await holder.engines.projects.update(holder.app.project.name, ProjectChanges(disabled=False))
    await holder.use(token, form)


@pytest.mark.parametrize("form", OWN)
async def test_no_session_is_opened_for_an_account_that_has_changed_meanwhile(
    holder: Holder, refused: Refused, form: TokenForm
) -> None:
    async with holder.engines.database.acquire() as connection:
        assert await accounts.bump_security_version(connection, holder.account.id, 1, holder.engines.clock.now())
    await refused(holder.open(form), Reason.CONFLICT)


async def test_notices_are_in_the_persons_language_and_the_projects_look(holder: Holder) -> None:
    changes = ProjectChanges(display_name="The House", accent_color="#C0FFEE")
    await holder.engines.projects.update(holder.app.project.name, changes)
    with bound(CallContext(language="id")):
        speaker = await holder.engines.account(holder.app)
    async with holder.engines.database.transaction() as connection:
        found = await accounts.fetch(connection, speaker.id)
        assert found is not None
        with bound(CallContext(language="uk")):
            await holder.engines.notices.post(connection, "role_changed", found.recipient(), role="admin")
            await holder.engines.notices.post(
                connection, "already_registered", holder.app.project.recipient("new@example.org")
            )
        rows = await connection.fetch(
            "SELECT message ->> 'language' AS language, message ->> 'brand' AS brand, "
            "message ->> 'accentColor' AS accent FROM outbox WHERE message ->> 'to' = ANY($1) "
            "ORDER BY message ->> 'to'",
            ["new@example.org", found.email],
        )
    assert [tuple(row) for row in rows] == [("uk", None, None), ("id", "The House", "#c0ffee")]
