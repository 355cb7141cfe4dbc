"""Guessing passwords: a deployment of its own with short waits, and few guesses before the password is locked."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from hashlib import sha1
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import redis.asyncio
from rpc.auth.deployment import PASSWORD, Client, Deployment, Service, address, build, from_address
from rpc.auth.visitor import WEB, Door

from gatepost.auth.v1 import accounts_pb2, operations_pb2, sign_in_pb2
from runtime.breached import compile_list
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]
NEW = "an entirely new password"
BREACHED = "7c4a8d09ca37-published"
FREE, MOST, FIRST_WAIT, LONGEST_WAIT = 3, 6, 0.4, 0.8
PER_APP, SPRAYED, SIGN_UPS_PER_APP, MAILS_PER_APP, MAILS_PER_ADDRESS = 8, 5, 4, 6, 9
SETTINGS: dict[str, Any] = {
    "sign_in_failures_per_account": FREE,
    "sign_in_first_wait_seconds": FIRST_WAIT,
    "sign_in_longest_wait_seconds": LONGEST_WAIT,
    "sign_in_most_failures": MOST,
    "sign_in_failures_per_address": 40,
    "sign_in_failures_per_app": PER_APP,
    "sign_in_spray_accounts": SPRAYED,
    "sign_ups_per_app": SIGN_UPS_PER_APP,
    "mails_per_app": MAILS_PER_APP,
    "mails_per_address": MAILS_PER_ADDRESS,
}


@pytest.fixture(scope="module")
def valkey(valkey_url: Callable[[], str]) -> str:
    return valkey_url()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient(postgres: Any, valkey: str) -> AsyncIterator[Deployment]:
    with tempfile.TemporaryDirectory(prefix="gp-") as folder:
        dsns = {name: postgres.create_database(name) for name in ("user_service", "notify_service", "auth_service")}
        listed = Path(folder) / "breached"
        with listed.open("wb") as out:
            compile_list([sha1(BREACHED.encode(), usedforsecurity=False).hexdigest()], out)
        made = build(Path(folder), dsns, valkey, breached_passwords_file=listed, **SETTINGS)
        services = (made.users, made.notify, made.auth, made.second_auth)
        for service in services:
            await service.start(made.keys)
        yield made
        for service in reversed(services):
            await service.stop()


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def somewhere() -> AsyncIterator[None]:
    """Let each test come from an address of its own."""
    async with from_address(f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"):
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def door(impatient: Deployment) -> Door:
    client = await impatient.client()
    return Door(impatient, client.project, client.policy)


async def owner(door: Door, **more: Any) -> tuple[str, sign_in_pb2.IssuedSession]:
    """Make somebody who has signed up on his device; return his address and the session."""
    email = address()
    return email, (await door.sign_up(email, **more)).session


async def attack(door: Door, login: str, refused: Refused, times: int = MOST) -> None:
    """Guess wrong as fast as the waits permit."""
    for _ in range(times):
        while error := await refused(
            door.sign_in(login, "a wrong password"), Reason.BAD_CREDENTIALS, Reason.RATE_LIMITED
        ):
            if error.reason is Reason.BAD_CREDENTIALS:
                break
            await asyncio.sleep(error.retry_after_seconds)


async def events(deployment: Deployment, user_id: str = "") -> list[str]:
    """Return the latest actions, newest first."""
    answer = await deployment.audit.ListEvents(operations_pb2.ListEventsRequest(user_id=user_id, page_size=100))
    return [event.action for event in answer.events]


async def test_parallel_guesses_on_two_instances_get_as_many_answers_as_are_free(deployment: Deployment) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    request = sign_in_pb2.SignInRequest(client=client.credentials, login=email, password="wrong password")
    stubs = (deployment.sign_in, deployment.second_sign_in)
    outcomes = await asyncio.gather(*(stubs[n % 2].SignIn(request) for n in range(30)), return_exceptions=True)
    reasons = [each.reason for each in outcomes if isinstance(each, GatepostError)]
    assert sorted(reasons) == [Reason.BAD_CREDENTIALS] * 10 + [Reason.RATE_LIMITED] * 20


async def test_address_and_user_name_of_an_account_share_a_count(door: Door, refused: Refused) -> None:
    name = f"ann{uuid4().hex[:12]}"
    email, _ = await owner(door, username=name)
    for login in (email, name, email.upper()):
        await refused(door.sign_in(login, "wrong password"), Reason.BAD_CREDENTIALS)
    for login in (email, name):
        await refused(door.sign_in(login), Reason.RATE_LIMITED)


async def test_a_login_that_nobody_has_is_answered_and_made_to_wait_like_one_that_somebody_has(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    known, _ = await owner(door)
    said: dict[str, list[Any]] = {}
    for login in (known, address()):
        said[login] = []
        for _ in range(MOST + 2):
            error = await refused(door.sign_in(login, "wrong"), Reason.BAD_CREDENTIALS, Reason.RATE_LIMITED)
            said[login].append((error.reason, error.message))
            error = await refused(door.sign_in(login), Reason.RATE_LIMITED) if len(said[login]) >= FREE else None
            if error is not None:
                assert 0 < error.retry_after_seconds <= LONGEST_WAIT
                said[login].append((error.reason, error.message))
                await asyncio.sleep(error.retry_after_seconds)
    first, second = said.values()
    assert first == second
    assert [each[0] for each in first].count(Reason.BAD_CREDENTIALS) == MOST


async def test_after_too_many_in_a_row_the_right_password_opens_nothing_whatever_is_restarted_or_lost(
    impatient: Deployment, door: Door, refused: Refused, valkey: str
) -> None:
    email, session = await owner(door)
    await attack(door, email, refused)
    await asyncio.sleep(LONGEST_WAIT * 1.5)
    await refused(door.sign_in(email), Reason.RATE_LIMITED)
    await restart(impatient, impatient.auth)
    await refused(door.sign_in(email), Reason.RATE_LIMITED)
    async with redis.asyncio.Redis.from_url(valkey) as client:
        await client.flushdb()
    nobody = address()
    for _ in range(FREE):
        await refused(door.sign_in(email), Reason.BAD_CREDENTIALS)  # as where nobody is
        await refused(door.sign_in(nobody), Reason.BAD_CREDENTIALS)
    for login in (email, nobody):
        await refused(door.sign_in(login), Reason.RATE_LIMITED)
    assert (await door.authenticate(session.token)).account.email == email


async def restart(deployment: Deployment, service: Service) -> None:
    await service.stop()
    await service.start(deployment.keys)


async def test_a_new_password_by_mail_lifts_the_lock_and_makes_the_device_known(
    impatient: Deployment, refused: Refused
) -> None:
    client = await impatient.client()
    door = Door(impatient, client.project, client.policy)
    email, _ = await owner(door)
    await attack(door, email, refused)
    challenge = await client.start_reset(email)
    code = (await impatient.mail(email, "reset_code")).code
    request = sign_in_pb2.CompletePasswordResetRequest(handle=challenge.handle, code=code, password=NEW)
    reset = await impatient.sign_in.CompletePasswordReset(request)
    assert (await door.sign_in(email, NEW)).session.token
    await attack(door, email, refused)
    assert (await door.sign_in(email, NEW, devices=[reset.device])).session.token


async def test_an_operator_lifts_the_lock_by_enabling_the_account(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    email, session = await owner(door)
    await attack(door, email, refused)
    ref = accounts_pb2.AccountRef(user_id=session.account.user_id)
    await impatient.accounts.SetAccountState(
        accounts_pb2.SetAccountStateRequest(account=ref, state=accounts_pb2.ACCOUNT_STATE_ACTIVE)
    )
    assert (await door.sign_in(email)).session.token
    assert "account.unlock" in await events(impatient, session.account.user_id)


async def test_who_is_locked_out_by_strangers_gets_in_on_the_device_he_was_in_on_before(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    email, session = await owner(door)
    _, theirs = await owner(door)
    await attack(door, email, refused)
    for shown in ([], [theirs.device], ["0" * 84]):
        await refused(door.sign_in(email, devices=shown), Reason.RATE_LIMITED)
    again = await door.sign_in(email, devices=[theirs.device, session.device])
    assert again.session.token
    assert again.session.device[:20] == session.device[:20]
    assert (await door.sign_in(email)).session.token  # and the lock is lifted
    told = await events(impatient, session.account.user_id)
    assert [each for each in told if each in {"account.throttle", "account.lock", "account.unlock"}] == [
        "account.unlock",
        "account.lock",
        "account.throttle",
    ]


async def test_guessing_on_a_known_device_is_limited_too_and_leaves_the_account_alone(
    door: Door, refused: Refused
) -> None:
    email, session = await owner(door)
    for _ in range(FREE):
        await refused(door.sign_in(email, "wrong", devices=[session.device]), Reason.BAD_CREDENTIALS)
    await refused(door.sign_in(email, devices=[session.device]), Reason.RATE_LIMITED)
    assert (await door.sign_in(email)).session.token


async def test_a_new_password_makes_the_devices_of_the_old_one_strangers_but_the_one_it_was_chosen_on(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    email, session = await owner(door)
    changed = await impatient.accounts.UpdateOwnAccount(
        accounts_pb2.UpdateOwnAccountRequest(access_token=session.token, form=WEB, password=NEW)
    )
    await attack(door, email, refused)
    await refused(door.sign_in(email, NEW, devices=[session.device]), Reason.RATE_LIMITED)
    assert (await door.sign_in(email, NEW, devices=[changed.device])).session.token


async def test_who_is_signed_in_can_change_his_password_while_strangers_guess_at_it(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    email, session = await owner(door)
    await attack(door, email, refused)
    await impatient.age_sign_ins(session.account.user_id)
    request = accounts_pb2.UpdateOwnAccountRequest(
        access_token=session.token, form=WEB, password=NEW, current_password=PASSWORD
    )
    assert list((await impatient.accounts.UpdateOwnAccount(request)).changed) == ["password"]


async def spray(client: Client, refused: Refused, times: int) -> None:
    """Try one password on many, from many addresses, with what an app shows everybody."""
    for number in range(times):
        async with from_address(f"203.0.113.{number}"):
            await refused(client.sign_in(address(), "a wrong password"), Reason.BAD_CREDENTIALS)


async def test_an_app_is_shut_for_strangers_after_too_many_wrong_passwords_but_not_for_known_devices(
    impatient: Deployment, refused: Refused
) -> None:
    client = await impatient.client()
    email, session = await owner(Door(impatient, client.project, client.policy))
    await spray(client, refused, PER_APP)
    await refused(client.sign_in(email), Reason.RATE_LIMITED)
    assert (await client.sign_in(email, devices=[session.device])).code
    elsewhere = await impatient.app_of(client.project, client.policy)
    assert (await elsewhere.sign_in(email)).code
    assert (await events(impatient))[:30].count("app.throttle") == 1


async def test_one_address_that_tries_many_accounts_is_told_of_once(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    before = (await events(impatient)).count("address.spray")
    for _ in range(SPRAYED + 3):
        await refused(door.sign_in(address(), "a wrong password"), Reason.BAD_CREDENTIALS)
    assert (await events(impatient)).count("address.spray") == before + 1


async def test_sign_ups_with_an_app_are_limited(impatient: Deployment, refused: Refused) -> None:
    client = await impatient.client()
    for number in range(SIGN_UPS_PER_APP):
        async with from_address(f"203.0.113.{number}"):
            await client.sign_up(address())
    await refused(client.sign_up(address()), Reason.RATE_LIMITED)


async def test_codes_mailed_for_an_app_and_for_an_address_are_limited(impatient: Deployment, refused: Refused) -> None:
    first, second = await impatient.client("otp"), await impatient.client("otp")
    for number in range(MAILS_PER_APP):
        await (first.sign_in(address(), "") if number % 2 else first.start_reset(address()))
    await refused(first.sign_in(address(), ""), Reason.RATE_LIMITED)
    for _ in range(MAILS_PER_ADDRESS - MAILS_PER_APP):
        await second.sign_in(address(), "")
    await refused(second.start_reset(address()), Reason.RATE_LIMITED)
    async with from_address("203.0.113.7"):
        await second.sign_in(address(), "")


async def test_a_breached_password_is_refused_wherever_one_is_chosen(
    impatient: Deployment, door: Door, refused: Refused
) -> None:
    error = await refused(door.sign_up(address(), BREACHED), Reason.WEAK_PASSWORD)
    assert "breach" in error.message
    _, session = await owner(door)
    request = accounts_pb2.UpdateOwnAccountRequest(access_token=session.token, form=WEB, password=BREACHED)
    await refused(impatient.accounts.UpdateOwnAccount(request), Reason.WEAK_PASSWORD)
