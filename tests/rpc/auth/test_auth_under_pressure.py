"""Limits, overload, and Valkey gone: a deployment of its own with small limits and no fresh sign-ins."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from rpc.auth.deployment import PASSWORD, Deployment, address, build, from_address, wrong

from gatepost.auth.v1 import accounts_pb2
from gatepost_cli.embedded import valkey as embedded
from gatepost_cli.embedded.valkey import ValkeyServer
from runtime.errors import GatepostError, Reason, Rule

Refused = Callable[..., Any]
NEW = "an entirely new password"
SETTINGS = {
    "sign_in_failures_per_account": 3,
    "sign_in_failures_per_address": 6,
    "mails_per_account": 3,
    "sign_ups_per_address": 5,
    "code_failures_per_address": 6,
    "texts_per_account": 2,
    "texts_per_address": 3,
    "reauth_seconds": 0,
    "hash_workers": 1,
    "hash_queue_size": 2,
    "argon2_memory_kib": 8192,
    "valkey_timeout_seconds": 0.3,
}


class OwnValkey:
    """A server that can be stopped and started again with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server: ValkeyServer | None = None

    async def start(self) -> str:
        self.server = await embedded.start(self._folder, password=PASSWORD)
        return self.server.url

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnValkey]:
    own = OwnValkey(tmp_path_factory.mktemp("valkey"))
    yield own
    await own.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small(postgres: Any, valkey: OwnValkey) -> AsyncIterator[Deployment]:
    with tempfile.TemporaryDirectory(prefix="gp-") as folder:
        dsns = {name: postgres.create_database(name) for name in ("user_service", "notify_service", "auth_service")}
        made = build(Path(folder), dsns, await valkey.start(), **SETTINGS)
        services = (made.users, made.notify, made.auth)
        for service in services:
            await service.start(made.keys)
        yield made
        for service in reversed(services):
            await service.stop()


async def test_too_many_wrong_passwords_shut_an_account_for_a_while_known_or_not(
    small: Deployment, refused: Refused
) -> None:
    client = await small.client()
    async with from_address("203.0.113.1"):
        email, _ = await client.person()
    for number, login in enumerate((email, address())):
        async with from_address(f"203.0.113.{number + 2}"):
            for _ in range(3):
                await refused(client.sign_in(login, "wrong password"), Reason.BAD_CREDENTIALS)
            error = await refused(client.sign_in(login), Reason.RATE_LIMITED)
            assert 0 < error.retry_after_seconds <= 300


async def test_a_right_password_forgets_the_wrong_ones(small: Deployment, refused: Refused) -> None:
    client = await small.client()
    async with from_address("203.0.113.10"):
        email, _ = await client.person()
        for _ in range(2):
            for _ in range(2):
                await refused(client.sign_in(email, "wrong password"), Reason.BAD_CREDENTIALS)
            assert (await client.sign_in(email)).code


async def test_too_many_wrong_passwords_shut_out_an_address_whoever_they_are_for(
    small: Deployment, refused: Refused
) -> None:
    client = await small.client()
    async with from_address("203.0.113.20"):
        email, _ = await client.person()
    for number in range(6):
        async with from_address(f"2001:db8:20::{number}"):
            await refused(client.sign_in(address(), "wrong password"), Reason.BAD_CREDENTIALS)
    async with from_address("2001:db8:20::ffff"):
        await refused(client.sign_in(email), Reason.RATE_LIMITED)
    async with from_address("203.0.113.21"):
        assert (await client.sign_in(email)).code


async def test_sign_ups_from_an_address_are_limited(small: Deployment, refused: Refused) -> None:
    client = await small.client("otp")
    async with from_address("203.0.113.30"):
        for _ in range(5):
            await client.sign_up(address())
        await refused(client.sign_up(address()), Reason.RATE_LIMITED)
    async with from_address("203.0.113.31"):
        await client.sign_up(address())


async def test_mails_to_an_address_are_limited_known_or_not(small: Deployment, refused: Refused) -> None:
    client = await small.client("otp")
    async with from_address("203.0.113.40"):
        email, _ = await client.person()
        for login in (email, address()):
            for _ in range(3):
                await client.sign_in(login, "")
            error = await refused(client.sign_in(login, ""), Reason.RATE_LIMITED)
            assert 0 < error.retry_after_seconds <= 600
            for _ in range(3):
                await client.start_reset(login)
            await refused(client.start_reset(login), Reason.RATE_LIMITED)


async def test_signing_up_as_somebody_else_does_not_use_up_his_mails(small: Deployment) -> None:
    client = await small.client("two-step")
    async with from_address("203.0.113.41"):
        email, _ = await client.person()
        for _ in range(2):  # with his own, as many as there may be
            await client.sign_up(email, "the password of an attacker")
        assert (await client.sign_in(email)).challenge.handle


async def test_a_password_change_needs_the_present_password_once_the_sign_in_is_old(
    small: Deployment, refused: Refused
) -> None:
    client = await small.client()
    async with from_address("203.0.113.50"):
        email, person = await client.person()
        token = person.tokens.access_token

        def update(**changes: Any) -> Any:
            request = accounts_pb2.UpdateOwnAccountRequest(access_token=token, **changes)
            return small.accounts.UpdateOwnAccount(request)

        wrong = {"current_password": "wrong", "first_name": "Eve"}
        for more, rule in (({}, Rule.REQUIRED), (wrong, Rule.REAUTH)):
            error = await refused(update(password=NEW, **more), Reason.REAUTH_REQUIRED)
            assert [(v.field, v.rule) for v in error.violations] == [("current_password", rule)]
        assert (await client.sign_in(email)).code
        await update(first_name="Ada")
        changed = await update(password=NEW, current_password=PASSWORD)
        assert list(changed.changed) == ["password"]
        for _ in range(3):
            await refused(update(password=PASSWORD, current_password="wrong"), Reason.REAUTH_REQUIRED)
        await refused(update(password=PASSWORD, current_password=NEW), Reason.RATE_LIMITED)


async def test_who_changes_his_password_again_and_again_floods_no_mailbox(small: Deployment, refused: Refused) -> None:
    client = await small.client()
    async with from_address("203.0.113.51"):
        _, person = await client.person()
        present = PASSWORD

        def change(password: str) -> Any:
            request = accounts_pb2.UpdateOwnAccountRequest(
                access_token=person.tokens.access_token, password=password, current_password=present
            )
            return small.accounts.UpdateOwnAccount(request)

        for number in range(3):
            await change(f"{NEW} {number}")
            present = f"{NEW} {number}"
        await refused(change(NEW), Reason.RATE_LIMITED)
        await client.authenticate(person.tokens.access_token)  # nothing has changed


async def test_too_many_wrong_codes_shut_out_an_address_whoever_they_are_for(
    small: Deployment, refused: Refused
) -> None:
    client = await small.client()
    async with from_address("203.0.113.55"):
        people = [(await client.person())[0] for _ in range(3)]
        resets = [await client.start_reset(email) for email in people]
        codes = [(await small.mail(email, "reset_code")).code for email in people]
    async with from_address("203.0.113.56"):
        for reset, code in zip(resets[:2], codes, strict=False):
            for _ in range(3):
                await refused(client.complete_reset(reset, wrong(code), NEW), Reason.CHALLENGE_FAILED)
        await refused(client.complete_reset(resets[2], codes[2], NEW), Reason.RATE_LIMITED)
    async with from_address("203.0.113.57"):
        await client.complete_reset(resets[2], codes[2], NEW)


async def test_messages_to_telephones_are_limited_by_account_number_and_address(
    small: Deployment, refused: Refused
) -> None:
    client = await small.client()

    def prove(token: str, phone: str) -> Any:
        request = accounts_pb2.StartPhoneChangeRequest(access_token=token, phone=phone, current_password=PASSWORD)
        return small.accounts.StartPhoneChange(request)

    async with from_address("203.0.113.58"):
        first, second = [(await client.person())[1].tokens.access_token for _ in range(2)]
    for number, (token, phones) in enumerate(
        ((first, ("+4915112345671", "+4915112345671", "+4915112345672")), (second, ("+4915112345671",)))
    ):
        async with from_address(f"198.51.100.{number}"):
            for phone in phones[:-1]:
                await prove(token, phone)
            await refused(prove(token, phones[-1]), Reason.RATE_LIMITED)
    async with from_address("198.51.100.9"):
        third, fourth = [(await client.person())[1].tokens.access_token for _ in range(2)]
        for token, phone in ((third, "+4915112345673"), (third, "+4915112345674"), (fourth, "+4915112345675")):
            await prove(token, phone)
        await refused(prove(fourth, "+4915112345676"), Reason.RATE_LIMITED)


async def test_beyond_the_queue_sign_ins_are_overloaded_and_token_checks_go_on(small: Deployment) -> None:
    client = await small.client()
    async with from_address("203.0.113.60"):
        email, person = await client.person()
        calls = [asyncio.ensure_future(client.sign_in(email)) for _ in range(30)]
        waits = []
        while not all(call.done() for call in calls):
            started = time.perf_counter()
            await client.authenticate(person.tokens.access_token)
            waits.append(time.perf_counter() - started)
    errors = [call.exception() for call in calls]
    refusals = [error for error in errors if isinstance(error, GatepostError)]
    assert {error.reason for error in refusals} == {Reason.OVERLOADED}
    assert all(error.retry_after_seconds for error in refusals)
    assert 0 < len(refusals) < 30
    assert max(waits) < 2


async def test_a_password_of_a_megabyte_is_refused_at_once(small: Deployment, refused: Refused) -> None:
    client = await small.client()
    huge = "ﷺ" * 1_000_000
    async with from_address("203.0.113.70"):
        started = time.perf_counter()
        await refused(client.sign_up(address(), huge), Reason.WEAK_PASSWORD)
        await refused(client.sign_in(address(), huge), Reason.BAD_CREDENTIALS)
    assert time.perf_counter() - started < 2


async def test_without_valkey_what_needs_it_is_refused_and_the_rest_goes_on(
    small: Deployment, refused: Refused, valkey: OwnValkey
) -> None:
    client, two_step = await small.client(), await small.client("two-step")
    async with from_address("203.0.113.80"):
        email, person = await client.person()
        other = address()
        result = await two_step.sign_up(other)
        mailed = await two_step.mailed_code(other, [])
        await valkey.stop()
        refreshed = await client.refresh(person.tokens.refresh_token)
        await client.authenticate(refreshed.tokens.access_token)
        for call in (
            client.sign_in(email),
            client.sign_up(address()),
            client.start_reset(email),
            client.exchange("0" * 32),
            two_step.answer(result, mailed),
        ):
            started = time.monotonic()
            error = await refused(call, Reason.UNAVAILABLE)
            assert error.retry_after_seconds
            assert time.monotonic() - started < 2
        await valkey.start()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert (await client.sign_in(email)).code
                    break
                except GatepostError:
                    await asyncio.sleep(0.05)
        await refused(two_step.answer(result, wrong(mailed)), Reason.CHALLENGE_FAILED)
        assert await two_step.answer(result, mailed)  # kept in the append-only file
