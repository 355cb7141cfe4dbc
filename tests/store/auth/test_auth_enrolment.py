"""Making accounts across two services: a crash anywhere leaves nothing or a whole account; Sweep tidies up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from store.auth.engines import Engines, at_once

from auth_service.model import NewProfile, Registration
from auth_service.store import accounts, audit
from auth_service.store import sessions as session_store
from runtime.errors import GatepostError, Reason

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


async def test_of_many_that_take_an_address_at_once_one_has_it(engines: Engines) -> None:
    app, _ = await engines.app()
    ids = [uuid4() for _ in range(5)]
    answers = await at_once(*(engines.account(app, id=each, email="one-for-all@example.org") for each in ids))
    errors = [answer.reason for answer in answers if isinstance(answer, GatepostError)]
    assert errors == [Reason.EMAIL_TAKEN] * 4
    assert [await engines.exists(each) for each in ids].count(True) == 1


async def test_the_same_call_many_times_at_once_makes_one_account(engines: Engines) -> None:
    app, _ = await engines.app()
    account_id, email = uuid4(), "the-same@example.org"
    answers = await at_once(*(engines.account(app, id=account_id, email=email) for _ in range(5)))
    errors = [answer.reason for answer in answers if isinstance(answer, GatepostError)]
    assert errors == [Reason.ALREADY_EXISTS] * 4
    assert await engines.exists(account_id)


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        ({"email": "Somebody@example.org"}, Reason.EMAIL_TAKEN),
        ({"username": "Somebody"}, Reason.USERNAME_TAKEN),
        ({"identity": "facebook:1"}, Reason.IDENTITY_TAKEN),
    ],
)
async def test_a_name_that_is_taken_is_told_and_nothing_is_made(
    engines: Engines, refused: Refused, taken: dict[str, str], reason: Reason
) -> None:
    app, _ = await engines.app()
    somebody = {"email": "somebody@example.org", "username": "somebody", "identity": "facebook:1"}
    await engines.account(app, **somebody)
    late = uuid4()
    await refused(engines.account(app, id=late, **taken), reason)
    assert not await engines.exists(late)


async def test_making_an_account_is_recorded_with_it(engines: Engines) -> None:
    app, _ = await engines.app()
    account = await engines.account(app)
    async with engines.database.acquire() as connection:
        events = await audit.fetch_page(connection, account.id, 2**62, 10)
    assert [(event.action, event.actor, event.project) for event in events] == [
        ("account.create", f"user:{account.id}", app.project.name)
    ]


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
            return bool(await session_store.fetch_many(connection, [session_id]))

    engines.clock.advance(timedelta(days=8) - timedelta(seconds=1))
    await sweep(engines)
    assert await stored()
    engines.clock.advance(timedelta(seconds=2))
    await sweep(engines)
    assert not await stored()
