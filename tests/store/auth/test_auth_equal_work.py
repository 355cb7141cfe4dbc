"""A known and an unknown address cost the same: as many statements, as many commands, as many hashes. Counted."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from store.auth.engines import CHEAP, PATIENCE, Engines, ProfileSink

from auth_service.guesses import PER_ADDRESS, PER_APP
from auth_service.hashing import HashPool
from auth_service.limits import Limit, Mails
from auth_service.model import Asking, NewProfile, OpenChallenge, SignInPolicy, TokenForm
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.projects import ProjectChanges
from auth_service.proof_of_work import ProofOfWork, Terms
from auth_service.recovery import Recovery
from auth_service.reset_links import ResetLinks
from auth_service.sign_in import SignIn
from auth_service.sign_up import Newcomer, SignUp
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


class CountingPool(HashPool):
    hashes = 0

    async def run(self, work: Callable[[], Any]) -> Any:
        self.hashes += 1
        return await super().run(work)


@dataclass
class House:
    """The flows of a person, and what each call cost."""

    engines: Engines
    hashing: CountingPool
    passwords: Passwords
    valkey: CountingValkey
    statements: list[str]
    sign_in: SignIn
    sign_up: SignUp
    recovery: Recovery
    wait_seconds: float | None = None  # that the last call was told

    async def cost(self, call: Any) -> tuple[list[str], list[str], int, Reason | None]:
        """Make a call; return its statements, scripts, hashes and the reason it failed for."""
        await self.engines.keeper.refresh()  # as the loop does, so that no call has to
        self.statements.clear()
        self.valkey.scripts.clear()
        self.hashing.hashes = 0
        reason = None
        try:
            await call
        except GatepostError as error:
            reason, self.wait_seconds = error.reason, error.retry_after_seconds
        return [_shape(each) for each in self.statements], list(self.valkey.scripts), self.hashing.hashes, reason


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
    hashing = CountingPool(workers=1, queue_size=64)
    passwords = Passwords(CHEAP, hashing)
    notices = Notices(clock, lambda: None)
    peace = Terms(after=0, window_seconds=1, bits=1, wait_seconds=1, waits=MANY)
    shared: dict[str, Any] = {
        "database": database,
        "clients": engines.clients,
        "passwords": passwords,
        "challenges": engines.challenges,
        "notices": notices,
        "audit": engines.audit,
        "limiter": engines.limiter,
        "proofs": ProofOfWork(valkey, engines.ring, clock, engines.limiter, peace),
        "clock": clock,
        "mails": Mails(MANY, MANY, MANY),
    }
    counted: dict[str, Any] = {"guesses": engines.guesses, "devices": engines.devices}
    yield House(
        engines,
        hashing,
        passwords,
        valkey,
        statements,
        SignIn(
            **shared,
            **counted,
            admission=engines.admission,
            per_address=Limit(PER_ADDRESS, 1_000_000, 60),
            per_app=Limit(PER_APP, 1_000_000, 60),
            otp_seconds=600,
        ),
        SignUp(
            **shared,
            enrolment=engines.enrolment,
            identities=engines.identities,
            admission=engines.admission,
            addresses=engines.addresses,
            per_address=MANY,
            per_app=MANY,
            otp_seconds=600,
            registration_seconds=86_400,
        ),
        Recovery(
            **shared,
            **counted,
            links=ResetLinks(engines.ring, engines.clock),
            reset_seconds=900,
            link_seconds=1800,
            public_url="http://gatepost.example",
        ),
    )
    passwords.close()
    await engines.close()
    await database.close()


async def app_with_people(house: House, policy: SignInPolicy, door: str) -> tuple[Asking, dict[str, str]]:
    """Make somebody who has an account, somebody disabled, and somebody unknown; return who asks and their addresses.

    The door is `app`, or `pages` where the gateway asks for itself.
    """
    app, secret = await house.engines.app()
    await house.engines.projects.update(app.project.name, ProjectChanges(policy=policy))
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
    own = Asking(project=app.project.name, form=TokenForm.WEB)
    return (Asking(app.client_id, secret) if door == "app" else own), people


doors = pytest.mark.parametrize("door", ["app", "pages"])


@doors
@pytest.mark.parametrize("policy", [SignInPolicy.NONE, SignInPolicy.TWO_STEP])
async def test_a_failed_sign_in_costs_the_same_whoever_it_is_about(
    house: House, policy: SignInPolicy, door: str
) -> None:
    asking, people = await app_with_people(house, policy, door)
    await waiting_sign_up(house, asking, people) if policy is SignInPolicy.TWO_STEP else None
    costs = {
        who: await house.cost(house.sign_in(asking, login=login, password="wrong password"))
        for who, login in people.items()
    }
    hashes = 1 if policy is SignInPolicy.NONE else 2  # the account's password, and that of a sign-up not proven yet
    assert costs["known"][2:] == (hashes, Reason.BAD_CREDENTIALS)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


async def test_too_many_failed_sign_ins_cost_the_same_and_wait_as_long_whoever_they_are_about(house: House) -> None:
    asking, people = await app_with_people(house, SignInPolicy.NONE, "app")
    devices = [house.engines.devices.issue(uuid4(), 1)]
    for _ in range(PATIENCE.free):  # the driver has looked at all types then
        await house.cost(house.sign_in(asking, login=people["unknown name"], password="wrong password"))
    reasons = []
    for number in range(PATIENCE.most + 2):
        costs = {}
        waits = set()
        for who in ("known", "disabled", "unknown"):
            call = house.sign_in(asking, login=people[who], password="wrong password", devices=devices)
            costs[who] = await house.cost(call)
            waits.add(house.wait_seconds)
        assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}, number
        assert len(waits) == 1
        reasons.append(costs["known"][3])
        if number >= PATIENCE.free:
            house.engines.clock.advance(timedelta(seconds=PATIENCE.longest_wait_seconds))
    answered = [Reason.BAD_CREDENTIALS] * PATIENCE.free + [Reason.RATE_LIMITED]
    assert reasons == [*answered, *[Reason.BAD_CREDENTIALS] * (PATIENCE.most - PATIENCE.free), Reason.RATE_LIMITED]


async def waiting_sign_up(house: House, asking: Asking, people: dict[str, str]) -> None:
    people["waiting"] = f"waiting-{uuid4().hex[:12]}@example.org"
    await house.sign_up(asking, newcomer(people["waiting"]))


def newcomer(email: str) -> Newcomer:
    return Newcomer(uuid4(), email, PASSWORD, NewProfile(first_name="Ada"))


@doors
async def test_asking_for_a_sign_in_code_costs_the_same_whoever_it_is_about(house: House, door: str) -> None:
    asking, people = await app_with_people(house, SignInPolicy.OTP, door)
    await waiting_sign_up(house, asking, people)
    costs = {who: await house.cost(house.sign_in(asking, login=login, password="")) for who, login in people.items()}
    assert costs["known"][3] is None
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


@doors
async def test_asking_for_a_reset_costs_the_same_whoever_it_is_about(house: House, door: str) -> None:
    asking, people = await app_with_people(house, SignInPolicy.NONE, door)
    emails = {who: login for who, login in people.items() if "@" in login}
    costs = {who: await house.cost(house.recovery.start(asking, email)) for who, email in emails.items()}
    assert costs["known"][3] is None
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


@doors
@pytest.mark.parametrize("password", ["a long new password", "short"])
async def test_a_reset_answered_wrong_costs_the_same_whoever_it_is_about(
    house: House, password: str, door: str
) -> None:
    asking, people = await app_with_people(house, SignInPolicy.NONE, door)
    costs = {}
    for who in ("known", "disabled", "unknown"):
        challenge: OpenChallenge = await house.recovery.start(asking, people[who])
        call = house.recovery.complete(handle=challenge.handle, code="000000", password=password)
        costs[who] = await house.cost(call)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


@pytest.mark.parametrize("password", ["a long new password", "short"])
async def test_a_reset_by_address_answered_wrong_costs_the_same_whoever_it_is_about(
    house: House, password: str
) -> None:
    asking, people = await app_with_people(house, SignInPolicy.NONE, "pages")
    costs = {}
    for who in ("known", "disabled", "unknown"):
        await house.recovery.start(asking, people[who])
        call = house.recovery.complete_by_email(
            project=asking.project, email=people[who], code="000000", password=password
        )
        costs[who] = await house.cost(call)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}


@doors
@pytest.mark.parametrize("policy", [SignInPolicy.OTP, SignInPolicy.TWO_STEP])
async def test_a_hidden_sign_up_costs_the_same_whether_or_not_there_is_an_account(
    house: House, policy: SignInPolicy, door: str
) -> None:
    asking, people = await app_with_people(house, policy, door)
    costs = {
        who: await house.cost(house.sign_up(asking, newcomer(people[who]))) for who in ("known", "disabled", "unknown")
    }
    assert costs["known"][2:] == (1, None)
    assert {who: cost for who, cost in costs.items() if cost != costs["known"]} == {}
