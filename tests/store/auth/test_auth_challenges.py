"""The Challenge engine over a real Valkey, single and in cluster mode."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from store.auth.engines import FAILURES, Engines, at_once

from auth_service.challenges import Claim
from auth_service.keys import digest
from auth_service.limits import Limit
from auth_service.model import Purpose
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

Refused = Callable[..., Any]
DATA = {"account_id": str(UUID(int=7))}


@pytest_asyncio.fixture(params=["single", "cluster"], loop_scope="session")
async def pair(
    request: pytest.FixtureRequest, database: Database, valkey_url: Callable[[], str]
) -> AsyncIterator[tuple[Engines, Engines]]:
    """Return two instances over one Valkey."""
    url = request.getfixturevalue("cluster_url") if request.param == "cluster" else valkey_url()
    first, second = await Engines.open(database, url), await Engines.open(database, url)
    yield first, second
    await first.close()
    await second.close()


def subject() -> str:
    return f"{uuid4()}:someone@example.org"


def wrong(code: str) -> str:
    return str(100_000 + (int(code) - 99_999) % 900_000)


async def test_a_right_answer_returns_what_was_stored(engines: Engines) -> None:
    opened = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    assert len(opened.challenge.handle) == 70
    assert 100_000 <= int(opened.code) <= 999_999
    assert (await engines.challenges.claim(Purpose.OTP, opened.challenge.handle, opened.code)).data == DATA


async def test_of_twenty_parallel_right_answers_on_two_instances_one_succeeds(pair: tuple[Engines, Engines]) -> None:
    opened = await pair[0].challenges.open(Purpose.OTP, subject(), DATA, 600)
    answers = (opened.challenge.handle, opened.code)
    outcomes = await at_once(*(pair[n % 2].challenges.claim(Purpose.OTP, *answers) for n in range(20)))
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, GatepostError)}
    assert reasons == {Reason.CHALLENGE_FAILED}


async def test_a_claim_repeated_because_its_answer_was_lost_is_one_claim(engines: Engines) -> None:
    from auth_service import challenges  # noqa: PLC0415

    opened = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    handle = opened.challenge.handle
    key = await engines.challenges._locate(Purpose.OTP, handle)
    arguments = (digest(handle), engines.challenges._code_hash(handle, opened.code), 5)
    first = await engines.valkey.run(challenges._CLAIM, key, *arguments, b"attempt", "code")
    assert await engines.valkey.run(challenges._CLAIM, key, *arguments, b"attempt", "code") == first
    assert await engines.valkey.run(challenges._CLAIM, key, *arguments, b"another", "code") == [0]


async def test_five_wrong_answers_end_a_challenge(pair: tuple[Engines, Engines], refused: Refused) -> None:
    opened = await pair[0].challenges.open(Purpose.RESET, subject(), DATA, 600)
    handle = opened.challenge.handle
    await at_once(*(pair[n % 2].challenges.claim(Purpose.RESET, handle, wrong(opened.code)) for n in range(5)))
    await refused(pair[0].challenges.claim(Purpose.RESET, handle, opened.code), Reason.CHALLENGE_FAILED)
    await refused(pair[0].challenges.peek(Purpose.RESET, handle), Reason.CHALLENGE_FAILED)


async def test_four_wrong_answers_do_not(engines: Engines, refused: Refused) -> None:
    opened = await engines.challenges.open(Purpose.RESET, subject(), DATA, 600)
    handle = opened.challenge.handle
    for _ in range(4):
        await refused(engines.challenges.claim(Purpose.RESET, handle, wrong(opened.code)), Reason.CHALLENGE_FAILED)
    assert await engines.challenges.peek(Purpose.RESET, handle) == DATA
    await engines.challenges.claim(Purpose.RESET, handle, opened.code)


async def test_a_newer_challenge_takes_the_place_of_the_older(engines: Engines, refused: Refused) -> None:
    whom = subject()
    older = await engines.challenges.open(Purpose.OTP, whom, DATA, 600)
    newer = await engines.challenges.open(Purpose.OTP, whom, DATA, 600)
    for code in (older.code, newer.code):
        await refused(engines.challenges.claim(Purpose.OTP, older.challenge.handle, code), Reason.CHALLENGE_FAILED)
    await engines.challenges.claim(Purpose.OTP, newer.challenge.handle, newer.code)


async def test_challenges_of_different_purposes_live_side_by_side_and_never_mix(
    engines: Engines, refused: Refused
) -> None:
    whom = subject()
    opened = {purpose: await engines.challenges.open(purpose, whom, {"of": purpose}, 600) for purpose in Purpose}
    for purpose, mine in opened.items():
        for other in set(Purpose) - {purpose}:
            call = engines.challenges.claim(other, mine.challenge.handle, mine.code)
            await refused(call, Reason.CHALLENGE_FAILED)
    for purpose, mine in opened.items():
        claim = await engines.challenges.claim(purpose, mine.challenge.handle, mine.code)
        assert claim.data == {"of": purpose}


async def test_a_decoy_looks_alike_and_cannot_be_answered(engines: Engines, refused: Refused) -> None:
    decoy = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600, decoy=True)
    real = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    assert decoy.challenge.handle[:4] == real.challenge.handle[:4]
    assert len(decoy.challenge.handle) == len(real.challenge.handle)
    await refused(engines.challenges.claim(Purpose.OTP, decoy.challenge.handle, decoy.code), Reason.CHALLENGE_FAILED)
    keys = [await engines.challenges._locate(Purpose.OTP, each.challenge.handle) for each in (decoy, real)]
    shapes = [await engines.valkey.command("HGETALL", key) for key in keys]
    assert {name: len(value) for name, value in shapes[0].items() if name != b"tries"} == {
        name: len(value) for name, value in shapes[1].items() if name != b"tries"
    }


async def test_a_handle_does_not_show_whose_it_is(engines: Engines) -> None:
    whom = subject()
    first, second = [(await engines.challenges.open(Purpose.OTP, whom, DATA, 600)).challenge.handle for _ in range(2)]
    assert first[4:] != second[4:]
    assert sum(a == b for a, b in zip(first[4:], second[4:], strict=True)) < 20
    assert digest(whom).hex()[:8] not in first


async def test_a_released_challenge_can_be_answered_again(engines: Engines, refused: Refused) -> None:
    opened = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    answer = (Purpose.OTP, opened.challenge.handle, opened.code)
    claim = await engines.challenges.claim(*answer)
    await refused(engines.challenges.claim(*answer), Reason.CHALLENGE_FAILED)
    await engines.challenges.release(claim)
    await engines.challenges.claim(*answer)


async def test_releasing_what_was_replaced_meanwhile_leaves_the_newer_alone(engines: Engines, refused: Refused) -> None:
    whom = subject()
    older = await engines.challenges.open(Purpose.OTP, whom, DATA, 600)
    old_claim = await engines.challenges.claim(Purpose.OTP, older.challenge.handle, older.code)
    newer = await engines.challenges.open(Purpose.OTP, whom, DATA, 600)
    await engines.challenges.claim(Purpose.OTP, newer.challenge.handle, newer.code)
    await engines.challenges.release(old_claim)
    await refused(engines.challenges.claim(Purpose.OTP, newer.challenge.handle, newer.code), Reason.CHALLENGE_FAILED)


async def test_a_challenge_expires(engines: Engines, refused: Refused) -> None:
    opened = await engines.challenges.open(Purpose.OTP, subject(), DATA, 1)
    await asyncio.sleep(1.05)
    await refused(engines.challenges.claim(Purpose.OTP, opened.challenge.handle, opened.code), Reason.CHALLENGE_FAILED)


async def test_answering_does_not_prolong_a_challenge(engines: Engines) -> None:
    opened = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    claim = await engines.challenges.claim(Purpose.OTP, opened.challenge.handle, opened.code)
    await engines.challenges.release(claim)
    assert 0 < await engines.valkey.command("PTTL", claim.key) <= 600_000


async def test_wrong_answers_over_many_challenges_shut_the_door_for_a_while(engines: Engines, refused: Refused) -> None:
    whom = subject()
    for _ in range(FAILURES.count // 5):
        opened = await engines.challenges.open(Purpose.OTP, whom, DATA, 600, decoy=True)
        for _ in range(5):
            await refused(
                engines.challenges.claim(Purpose.OTP, opened.challenge.handle, "100000"), Reason.CHALLENGE_FAILED
            )
    error = await refused(engines.challenges.open(Purpose.OTP, whom, DATA, 600), Reason.RATE_LIMITED)
    assert 0 < error.retry_after_seconds <= FAILURES.window_seconds
    await engines.challenges.open(Purpose.RESET, whom, DATA, 600)


async def test_a_challenge_opened_before_a_key_rotation_is_answered_after_it(
    engines: Engines, database: Database
) -> None:
    opened = await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    made, _ = await engines.keeper.rotate()
    engines.ring.active_id = made.id
    await engines.challenges.claim(Purpose.OTP, opened.challenge.handle, opened.code)


@pytest.mark.parametrize("handle", ["", "0" * 70, "F" * 70, "0001" + "0" * 66, "xyz", "٣" * 70, "0" * 69])
async def test_a_handle_of_no_challenge_is_refused(engines: Engines, refused: Refused, handle: str) -> None:
    await refused(engines.challenges.claim(Purpose.OTP, handle, "123456"), Reason.CHALLENGE_FAILED)
    await refused(engines.challenges.peek(Purpose.OTP, handle), Reason.CHALLENGE_FAILED)


async def test_a_limit_lets_exactly_its_count_through_in_parallel(pair: tuple[Engines, Engines]) -> None:
    limit = Limit("test", 7, 60)
    whom = subject()
    outcomes = await at_once(*(pair[n % 2].limiter.take((limit, whom)) for n in range(20)))
    refusals = [outcome for outcome in outcomes if isinstance(outcome, GatepostError)]
    assert len(refusals) == 13
    assert all(refusal.reason is Reason.RATE_LIMITED for refusal in refusals)
    assert all(0 < (refusal.retry_after_seconds or 0) <= 60 for refusal in refusals)


async def test_a_window_closes(engines: Engines, refused: Refused) -> None:
    limit, whom = Limit("test", 1, 1), subject()
    await engines.limiter.take((limit, whom))
    await refused(engines.limiter.take((limit, whom)), Reason.RATE_LIMITED)
    await asyncio.sleep(1.05)
    await engines.limiter.take((limit, whom))


async def test_failures_counted_in_parallel_are_all_counted(pair: tuple[Engines, Engines], refused: Refused) -> None:
    limit, whom = Limit("test", 20, 60), subject()
    await at_once(*(pair[n % 2].limiter.count_failures((limit, whom)) for n in range(19)))
    await pair[0].limiter.check((limit, whom))
    await pair[1].limiter.count_failures((limit, whom))
    await refused(pair[0].limiter.check((limit, whom)), Reason.RATE_LIMITED)


async def test_what_one_limit_has_no_room_for_counts_against_none(engines: Engines, refused: Refused) -> None:
    whom = subject()
    wide, narrow = (Limit("test-wide", 2, 60), whom), (Limit("test-narrow", 1, 60), whom)
    await engines.limiter.take(wide, narrow)
    for _ in range(3):
        await refused(engines.limiter.take(wide, narrow), Reason.RATE_LIMITED)
    await engines.limiter.take(wide)


async def test_codes_work_on_a_cluster(pair: tuple[Engines, Engines], refused: Refused) -> None:
    app, _ = await pair[0].app()
    account = await pair[0].account(app)
    code = await pair[0].codes.issue(account, app, None, pair[0].clock.now())
    outcomes = await at_once(*(pair[n % 2].codes.use(code, app) for n in range(20)))
    used = [outcome for outcome in outcomes if outcome is not None]
    assert [data.account_id for data in used] == [account.id]
    await pair[1].codes.release(code)
    assert await pair[0].codes.use(code, app)
    other, _ = await pair[0].app()
    await refused(pair[0].codes.use(code, other), Reason.CODE_INVALID)


async def test_every_key_lies_in_one_slot_named_by_its_hash_tag(engines: Engines) -> None:
    app, _ = await engines.app()
    await engines.codes.issue(await engines.account(app), app, None, engines.clock.now())
    await engines.challenges.open(Purpose.OTP, subject(), DATA, 600)
    await engines.limiter.count_failures((Limit("test", 3, 60), subject()))
    keys = await engines.valkey.command("KEYS", "*")
    assert len(keys) == 3
    assert all(key.startswith(b"gatepost:{") and key.endswith(b"}") for key in keys)
