"""How often a password may be guessed, over a real Valkey, single and in cluster mode, with a clock that tests move."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from store.auth.engines import PATIENCE, Engines, at_once

from auth_service.guesses import PER_ADDRESS, Guess, of_account
from auth_service.limits import Limit
from auth_service.model import Account
from auth_service.store.accounts import StoredPassword
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

Refused = Callable[..., Any]
OPEN, SHUT = StoredPassword("x", locked=False), StoredPassword("x", locked=True)


@pytest_asyncio.fixture(params=["single", "cluster"], loop_scope="session")
async def pair(
    request: pytest.FixtureRequest, database: Database, valkey_url: Callable[[], str]
) -> AsyncIterator[tuple[Engines, Engines]]:
    """Return two instances over one Valkey."""
    url = request.getfixturevalue("cluster_url") if request.param == "cluster" else valkey_url()
    clock = ManualClock()
    first, second = await Engines.open(database, url, clock), await Engines.open(database, url, clock)
    yield first, second
    await first.close()
    await second.close()


async def someone(engines: Engines) -> Account:
    app, _ = await engines.app()
    return await engines.account(app, password_hash="hash")


async def wrong(engines: Engines, guess: Guess, account: Account | None = None) -> None:
    """Guess as signing in does, and be wrong."""
    await engines.guesses.check(guess)
    await engines.guesses.wrong(guess, engines.audit.event("account.sign_in", outcome="bad", account=account))


async def told(engines: Engines, account: Account) -> list[str]:
    """Return what the audit trail says of an account besides its making and each wrong password, oldest first."""
    async with engines.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT action FROM audit_events WHERE account_id = $1 "
            "AND action NOT IN ('account.create', 'account.sign_in') ORDER BY id",
            account.id,
        )
    return [row["action"] for row in rows]


async def locked(engines: Engines, account: Account) -> bool:
    async with engines.database.acquire() as connection:
        sql = "SELECT locked_at IS NOT NULL FROM credentials WHERE account_id = $1"
        return bool(await connection.fetchval(sql, account.id))


async def test_of_guesses_at_once_on_two_instances_no_more_are_answered_than_one_by_one(
    pair: tuple[Engines, Engines],
) -> None:
    guess = Guess(f"login:{uuid4()}")
    for each in pair:  # all are let through to be verified before the first is settled
        await each.guesses.check(guess)
    event = pair[0].audit.event("account.sign_in", outcome="bad")
    outcomes = await at_once(*(pair[n % 2].guesses.wrong(guess, event) for n in range(40)))
    assert outcomes.count(None) == PATIENCE.free
    refusals = [each for each in outcomes if isinstance(each, GatepostError)]
    assert {each.reason for each in refusals} == {Reason.RATE_LIMITED}
    assert all(0 < (each.retry_after_seconds or 0) <= PATIENCE.first_wait_seconds for each in refusals)
    pair[0].clock.advance(timedelta(seconds=PATIENCE.first_wait_seconds))
    outcomes = await at_once(*(pair[n % 2].guesses.wrong(guess, event) for n in range(20)))
    assert outcomes.count(None) == 1


async def test_a_right_guess_among_too_many_wrong_ones_is_not_answered(
    pair: tuple[Engines, Engines], refused: Refused
) -> None:
    account = await someone(pair[0])
    guess = Guess(of_account(account.id))
    await pair[1].guesses.check(guess)  # verified meanwhile
    for _ in range(PATIENCE.free):
        await wrong(pair[0], guess, account)
    await refused(pair[1].guesses.right(guess, account, OPEN), Reason.RATE_LIMITED)


async def test_a_right_guess_forgets_the_wrong_ones(engines: Engines) -> None:
    account = await someone(engines)
    guess = Guess(of_account(account.id))
    for _ in range(3):
        for _ in range(PATIENCE.free - 1):
            await wrong(engines, guess, account)
        await engines.guesses.right(guess, account, OPEN)


async def test_each_wrong_guess_beyond_the_free_ones_doubles_the_wait_up_to_the_longest(
    engines: Engines, refused: Refused
) -> None:
    guess = Guess(f"login:{uuid4()}")
    for _ in range(PATIENCE.free):
        await wrong(engines, guess)
    waits = []
    for _ in range(10):
        error = await refused(engines.guesses.check(guess), Reason.RATE_LIMITED)
        waits.append(round(error.retry_after_seconds or 0))
        engines.clock.advance(timedelta(seconds=waits[-1], milliseconds=-2))
        await refused(engines.guesses.check(guess), Reason.RATE_LIMITED)
        engines.clock.advance(timedelta(milliseconds=2))
        await wrong(engines, guess)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


async def test_the_hundredth_in_a_row_locks_the_password_whatever_time_has_passed(
    engines: Engines, refused: Refused
) -> None:
    account = await someone(engines)
    guess = Guess(of_account(account.id))
    for number in range(PATIENCE.most):
        assert await locked(engines, account) is False, number
        await wrong(engines, guess, account)
        engines.clock.advance(timedelta(hours=1))
    assert await locked(engines, account)
    engines.clock.advance(timedelta(days=20))
    error = await refused(engines.guesses.check(guess), Reason.RATE_LIMITED)
    assert error.retry_after_seconds == PATIENCE.longest_wait_seconds
    assert await told(engines, account) == ["account.throttle", "account.lock"]


async def test_the_more_wrong_guesses_the_longer_they_are_remembered(engines: Engines) -> None:
    guess, share = Guess(f"login:{uuid4()}"), PATIENCE.kept_seconds * 1000 // PATIENCE.most
    for number in range(1, PATIENCE.free + 1):
        await wrong(engines, guess)
        (key,) = await engines.valkey.command("KEYS", "gatepost:{guesses:*")
        assert 0 <= number * share - await engines.valkey.command("PTTL", key) < 60_000


async def test_a_known_device_has_its_own_count_and_takes_the_lock_back(engines: Engines, refused: Refused) -> None:
    account = await someone(engines)
    stranger = Guess(of_account(account.id))
    device = Guess(f"device:{uuid4()}", about=stranger.whom)
    for _ in range(PATIENCE.most):
        await wrong(engines, stranger, account)
        engines.clock.advance(timedelta(hours=1))
    for _ in range(PATIENCE.free - 1):
        await wrong(engines, device, account)
    await engines.guesses.right(device, account, SHUT)
    assert await locked(engines, account) is False
    await engines.guesses.check(stranger)
    assert await told(engines, account) == ["account.throttle", "account.lock", "account.unlock"]


async def test_what_a_thief_guesses_on_a_known_device_locks_the_device_alone(
    engines: Engines, refused: Refused
) -> None:
    account = await someone(engines)
    device = Guess(f"device:{uuid4()}", about=of_account(account.id))
    for _ in range(PATIENCE.most):
        await wrong(engines, device, account)
        engines.clock.advance(timedelta(hours=1))
    await refused(engines.guesses.check(device), Reason.RATE_LIMITED)
    await engines.guesses.check(Guess(of_account(account.id)))
    assert await locked(engines, account) is False
    assert await told(engines, account) == ["account.throttle", "device.lock"]


async def test_an_address_is_told_of_once_when_it_is_shut_out_and_once_when_it_tries_many_accounts(
    engines: Engines, refused: Refused
) -> None:
    guesses = engines.patient(PATIENCE, Limit("spray", 4, 60))
    account, window = await someone(engines), (Limit(PER_ADDRESS, 6, 60), f"address of {uuid4()}")
    event = engines.audit.event("account.sign_in", outcome="bad", account=account)
    guess = Guess("")
    for number in range(6):
        guess = Guess(f"login:{number}:{uuid4()}", (window,), address=window[1])
        await guesses.check(guess)
        await guesses.wrong(guess, event)
        await guesses.wrong(replace(guess, windows=()), event)  # one login once more is no further account
    await refused(guesses.check(guess), Reason.RATE_LIMITED)
    await refused(guesses.wrong(guess, event), Reason.RATE_LIMITED)
    assert await told(engines, account) == ["address.spray", "address.throttle"]


async def test_without_the_data_of_valkey_a_locked_password_stays_locked(engines: Engines) -> None:
    account = await someone(engines)
    guess = Guess(of_account(account.id))
    for _ in range(PATIENCE.most):
        await wrong(engines, guess, account)
        engines.clock.advance(timedelta(hours=1))
    await engines.valkey.command("FLUSHDB")
    await engines.guesses.check(guess)  # as for a login that nobody has
    assert await locked(engines, account)
