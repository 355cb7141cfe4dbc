"""Making accounts across two services: a crash anywhere leaves nothing or a whole account; Sweep tidies up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from store.auth.engines import Engines

from auth_service.model import NewProfile, Registration
from auth_service.store import accounts
from auth_service.store import sessions as session_store
from runtime.errors import Reason

Refused = Callable[..., Any]
DELAY = timedelta(minutes=10)


async def sweep(engines: Engines) -> None:
    while await engines.sweep.step():
        pass


async def test_a_crash_after_the_profile_leaves_a_profile_that_is_swept(engines: Engines) -> None:
    app, _ = await engines.app()
    new = engines.newcomer(app)
    await engines.enrolment.prepare(new)
    engines.clock.advance(DELAY - timedelta(seconds=1))
    await sweep(engines)
    assert str(new.id) in engines.sink.there
    engines.clock.advance(timedelta(seconds=1))
    await sweep(engines)
    assert str(new.id) not in engines.sink.there
    assert not await engines.exists(new.id)


async def test_a_retry_after_a_crash_makes_the_account(engines: Engines) -> None:
    app, _ = await engines.app()
    new = engines.newcomer(app)
    await engines.enrolment.prepare(new)
    await engines.enrolment.prepare(new)
    async with engines.database.transaction() as connection:
        await engines.enrolment.complete(connection, new)
    engines.clock.advance(DELAY)
    await sweep(engines)
    assert await engines.exists(new.id)
    assert str(new.id) in engines.sink.there


async def test_completing_after_the_profile_was_swept_is_refused_and_leaves_nothing(
    engines: Engines, refused: Refused
) -> None:
    app, _ = await engines.app()
    new = engines.newcomer(app)
    await engines.enrolment.prepare(new)
    engines.clock.advance(DELAY)
    await sweep(engines)

    async def complete() -> None:
        async with engines.database.transaction() as connection:
            await engines.enrolment.complete(connection, new)

    await refused(complete(), Reason.UNAVAILABLE)
    assert not await engines.exists(new.id)


async def test_preparing_again_for_an_account_that_exists_does_not_cost_it_its_profile(
    engines: Engines, refused: Refused
) -> None:
    app, _ = await engines.app()
    account = await engines.account(app)
    new = engines.newcomer(app, id=account.id)
    await engines.enrolment.prepare(new)

    async def complete() -> None:
        async with engines.database.transaction() as connection:
            await engines.enrolment.complete(connection, new)

    await refused(complete(), Reason.ALREADY_EXISTS)
    engines.clock.advance(DELAY)
    await sweep(engines)
    assert str(account.id) in engines.sink.there


async def test_a_deleted_account_loses_its_profile_once_user_service_is_there(
    engines: Engines, refused: Refused
) -> None:
    app, _ = await engines.app()
    account = await engines.account(app)
    async with engines.database.transaction() as connection:
        await engines.enrolment.delete(connection, account)
    engines.sink.gone = True
    await refused(engines.sweep.step(), Reason.UNAVAILABLE)
    engines.sink.gone = False
    await sweep(engines)
    assert str(account.id) not in engines.sink.there


async def test_a_sign_up_nobody_proved_is_forgotten_even_while_user_service_is_gone(
    engines: Engines, refused: Refused
) -> None:
    app, _ = await engines.app()
    now = engines.clock.now()
    registration = Registration(
        uuid4(), app.project.id, "a@example.org", "a@example.org", None, NewProfile(), now, now + timedelta(days=1)
    )
    async with engines.database.acquire() as connection:
        await accounts.put_registration(connection, registration)
        await accounts.put_profile_removal(connection, uuid4(), now)
        engines.sink.gone = True
        await refused(engines.sweep.step(), Reason.UNAVAILABLE)
        assert await accounts.fetch_registration(connection, registration.account_id) == registration
        engines.clock.advance(timedelta(days=1))
        await refused(engines.sweep.step(), Reason.UNAVAILABLE)
        assert await accounts.fetch_registration(connection, registration.account_id) is None
    engines.sink.gone = False
    await sweep(engines)


async def test_sessions_are_forgotten_in_bounded_steps_a_week_after_they_expired(engines: Engines) -> None:
    app, secret = await engines.app()
    account = await engines.account(app)
    code = await engines.codes.issue(account, app, None, engines.clock.now())
    tokens, _ = await engines.issuance.exchange(
        client_id=app.client_id, client_secret=secret, code=code, code_verifier=""
    )
    session_id = (await engines.sessions.authenticate(tokens.access_token))[0].id

    async def stored() -> bool:
        async with engines.database.acquire() as connection:
            return await session_store.fetch(connection, session_id) is not None

    engines.clock.advance(timedelta(days=8) - timedelta(seconds=1))
    await sweep(engines)
    assert await stored()
    engines.clock.advance(timedelta(seconds=2))
    await sweep(engines)
    assert not await stored()
