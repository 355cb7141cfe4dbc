"""A known and an unknown address cost the same: as many statements, as many commands, as many hashes. Counted."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from store.auth.engines import Engines, ProfileSink

from auth_service.clients import Clients
from auth_service.limits import Limit
from auth_service.model import App, NewProfile, OpenChallenge, SignInPolicy
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.recovery import Recovery
from auth_service.sign_in import SignIn
from auth_service.sign_up import SignUp
from auth_service.store import accounts
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database
from runtime.valkey import Script, Valkey

PASSWORD = "correct horse battery staple"
MANY = Limit("many", 1_000_000, 60)


class CountingValkey(Valkey):
    scripts: list[str]

    async def run(self, script: Script, key: str, *args: str | bytes | int) -> Any:
        self.scripts.append(script.sha)
        return await super().run(script, key, *args)


class CountingPasswords(Passwords):
    hashes = 0

    async def _in_pool(self, work: Callable[[], Any]) -> Any:
        self.hashes += 1
        return await super()._in_pool(work)


@dataclass
class House:
    """The flows of a person, and what each call cost."""

    engines: Engines
    passwords: CountingPasswords
    valkey: CountingValkey
    statements: list[str]
    sign_in: SignIn
    sign_up: SignUp
    recovery: Recovery

    async def cost(self, call: Any) -> tuple[list[str], list[str], int, Reason | None]:
        """Make a call; return its statements, scripts, hashes and the reason it failed for."""
        self.statements.clear()
        self.valkey.scripts.clear()
        self.passwords.hashes = 0
        reason = None
        try:
            await call
        except GatepostError as error:
            reason = error.reason
        return [_shape(each) for each in self.statements], list(self.valkey.scripts), self.passwords.hashes, reason


def _shape(statement: str) -> str:
    return " ".join(statement.split())[:60]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(postgres: Any, valkey_url: Callable[[], str]) -> AsyncIterator[House]:
    statements: list[str] = []

    async def listen(connection: Any) -> None:
        connection.add_query_logger(lambda record: statements.append(record.query))

    pool = await asyncpg.create_pool(postgres.create_database("auth_service"), min_size=1, max_size=1, init=listen)
    database = Database(pool, 5)
    clock = ManualClock()
    valkey = CountingValkey.connect(valkey_url())
    assert isinstance(valkey, CountingValkey)
    valkey.scripts = []
    engines = Engines(database, valkey, clock, ProfileSink())
    await engines.keeper.load()
    passwords = CountingPasswords(memory_kib=8, iterations=1, parallelism=1, workers=1, queue_size=64)
    notices = Notices(clock, lambda: None)
    shared: dict[str, Any] = {
        "database": database,
        "clients": Clients(database),
        "passwords": passwords,
        "challenges": engines.challenges,
        "notices": notices,
        "audit": engines.audit,
        "limiter": engines.limiter,
        "clock": clock,
        "mails": MANY,
    }
    yield House(
        engines,
        passwords,
        valkey,
        statements,
        SignIn(**shared, codes=engines.codes, per_account=MANY, per_address=MANY, otp_seconds=600),
        SignUp(
            **shared,
            enrolment=engines.enrolment,
            codes=engines.codes,
            per_address=MANY,
            otp_seconds=600,
            registration_seconds=86_400,
        ),
        Recovery(**shared, reset_seconds=900),
    )
    passwords.close()
    await engines.close()
    await database.close()


async def app_with_people(house: House, policy: SignInPolicy) -> tuple[App, dict[str, str], dict[str, str]]:
    """Make an app with somebody who has an account, somebody disabled, and somebody unknown; return their addresses."""
    app, secret = await house.engines.app()
    await house.engines.projects.update(
        app.project.name, policy=policy, roles=(), self_assignable_roles=None, hosts=None, disabled=None
    )
    encoded = await house.passwords.hash(PASSWORD)
    known = await house.engines.account(app, password_hash=encoded, username=f"u{uuid4().hex[:8]}")
    disabled = await house.engines.account(app, password_hash=encoded)
    async with house.engines.database.acquire() as connection:
        state = type(disabled.state)("disabled")
        await accounts.update_state(connection, disabled.id, state, house.engines.clock.now())
    people = {
        "known": known.email,
        "disabled": disabled.email,
        "unknown": f"nobody-{uuid4().hex[:12]}@example.org",
        "by name": known.username,
        "unknown name": f"u{uuid4().hex[:8]}",
    }
    return app, {"client_id": app.client_id, "client_secret": secret}, people


@pytest.mark.parametrize("policy", [SignInPolicy.NONE, SignInPolicy.TWO_STEP])
async def test_a_failed_sign_in_costs_the_same_whoever_it_is_about(house: House, policy: SignInPolicy) -> None:
    _, client, people = await app_with_people(house, policy)
    await waiting_sign_up(house, client, people) if policy is SignInPolicy.TWO_STEP else None
    costs = {
        who: await house.cost(
            house.sign_in(**client, login=login, password="wrong password", challenge="", challenge_method="")
        )
        for who, login in people.items()
    }
    hashes = 1 if policy is SignInPolicy.NONE else 2  # the account's password, and that of a sign-up not proven yet
    assert costs["known"][2:] == (hashes, Reason.BAD_CREDENTIALS)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


async def waiting_sign_up(house: House, client: dict[str, str], people: dict[str, str]) -> None:
    people["waiting"] = f"waiting-{uuid4().hex[:12]}@example.org"
    await house.sign_up(**sign_up_of(client, people["waiting"]))


def sign_up_of(client: dict[str, str], email: str) -> dict[str, Any]:
    profile = NewProfile(first_name="Ada")
    return client | {
        "account_id": uuid4(),
        "email": email,
        "password": PASSWORD,
        "challenge": "",
        "challenge_method": "",
        "profile": profile,
    }


async def test_asking_for_a_sign_in_code_costs_the_same_whoever_it_is_about(house: House) -> None:
    _, client, people = await app_with_people(house, SignInPolicy.OTP)
    await waiting_sign_up(house, client, people)
    costs = {
        who: await house.cost(house.sign_in(**client, login=login, password="", challenge="", challenge_method=""))
        for who, login in people.items()
    }
    assert costs["known"][3] is None
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


async def test_asking_for_a_reset_costs_the_same_whoever_it_is_about(house: House) -> None:
    _, client, people = await app_with_people(house, SignInPolicy.NONE)
    emails = {who: login for who, login in people.items() if "@" in login}
    costs = {who: await house.cost(house.recovery.start(**client, email=email)) for who, email in emails.items()}
    assert costs["known"][3] is None
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


@pytest.mark.parametrize("password", ["a long new password", "short"])
async def test_a_reset_answered_wrong_costs_the_same_whoever_it_is_about(house: House, password: str) -> None:
    _, client, people = await app_with_people(house, SignInPolicy.NONE)
    costs = {}
    for who in ("known", "disabled", "unknown"):
        challenge: OpenChallenge = await house.recovery.start(**client, email=people[who])
        call = house.recovery.complete(handle=challenge.handle, code="000000", password=password)
        costs[who] = await house.cost(call)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


@pytest.mark.parametrize("policy", [SignInPolicy.OTP, SignInPolicy.TWO_STEP])
async def test_a_hidden_sign_up_costs_the_same_whether_or_not_there_is_an_account(
    house: House, policy: SignInPolicy
) -> None:
    _, client, people = await app_with_people(house, policy)
    costs = {
        who: await house.cost(house.sign_up(**sign_up_of(client, people[who])))
        for who in ("known", "disabled", "unknown")
    }
    assert costs["known"][2:] == (1, None)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}
