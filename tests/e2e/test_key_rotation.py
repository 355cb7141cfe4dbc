"""Keys on a running stack: a rotation nobody notices, an emergency that ends everything, keys for others to check by.

Two gateways of our own stand in front of two instances of auth-service, one each, and remember what they are told; the
command of an operator changes the keys.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg
import jwt
import pytest_asyncio
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD

from gatepost.auth.v1 import accounts_pb2, apps_pb2, forms_pb2, projects_pb2, sign_in_pb2, tokens_pb2
from gatepost.notify.v1 import messages_pb2
from gateway.clients import Clients
from gateway.main import connect_services
from gateway.settings import GatewaySettings
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason

PAIR, SINGLE = forms_pb2.TOKEN_FORM_PAIR, forms_pb2.TOKEN_FORM_SINGLE
SESSION_KEY, WEB = forms_pb2.TOKEN_FORM_SESSION_KEY, forms_pb2.TOKEN_FORM_WEB
TWO_STEP = projects_pb2.SIGN_IN_POLICY_TWO_STEP
SECOND = 1.0
KNOWN_SECONDS = 2.5  # by then everything is known everywhere, also on a busy machine
MAIL_SECONDS = 10.0
DEAD = {Reason.TOKEN_INVALID, Reason.CODE_INVALID, Reason.CHALLENGE_FAILED}


@dataclass(frozen=True)
class Home:
    """An app, and somebody who has an account with its project."""

    project: str
    client: sign_in_pb2.ClientCredentials
    email: str

    async def code(self, gateway: Clients) -> str:
        said = sign_in_pb2.SignInRequest(client=self.client, login=self.email, password=PASSWORD)
        return (await gateway.sign_in.SignIn(said)).result.code

    async def exchange(self, gateway: Clients, code: str) -> Any:
        said = tokens_pb2.ExchangeCodeRequest(client=self.client, code=code)
        return (await gateway.tokens.ExchangeCode(said)).tokens

    async def refresh(self, gateway: Clients, token: str) -> Any:
        said = tokens_pb2.RefreshTokensRequest(client=self.client, refresh_token=token)
        return (await gateway.tokens.RefreshTokens(said)).tokens

    async def signed_in(self, gateway: Clients) -> Any:
        return await self.exchange(gateway, await self.code(gateway))

    async def own(self, gateway: Clients, form: Any) -> str:
        said = sign_in_pb2.SignInRequest(project=self.project, form=form, login=self.email, password=PASSWORD)
        return (await gateway.sign_in.SignIn(said)).result.session.token


@dataclass(frozen=True)
class Place:
    """A running stack with two gateways of ours."""

    stack: GatepostStack
    gateways: tuple[Clients, Clients]
    auth_dsn: str

    async def home(self, policy: Any = projects_pb2.SIGN_IN_POLICY_NONE) -> Home:
        gateway, name, email = self.gateways[0], f"p{uuid4().hex}", f"{uuid4().hex}@example.org"
        await gateway._projects.CreateProject(
            projects_pb2.CreateProjectRequest(id=str(uuid4()), name=name, sign_in_policy=policy)
        )
        made = await gateway.apps.CreateApp(apps_pb2.CreateAppRequest(id=str(uuid4()), project=name, name="App"))
        await gateway.accounts.CreateAccount(
            accounts_pb2.CreateAccountRequest(user_id=str(uuid4()), project=name, email=email, password=PASSWORD)
        )
        client = sign_in_pb2.ClientCredentials(client_id=made.app.client_id, client_secret=made.client_secret)
        return Home(name, client, email)

    async def command(self, *arguments: str) -> dict[str, Any]:
        return await asyncio.to_thread(self.stack.cli, *arguments)

    async def mailed(self, home: Home, template: str) -> str:
        """Await a message of a template, and return its code."""
        async with asyncio.timeout(MAIL_SECONDS):
            while True:
                said = messages_pb2.ListMessagesRequest(to=home.email)
                for mail in (await self.gateways[0].messages.ListMessages(said)).messages:
                    if mail.template == template:
                        return str(mail.code)
                await asyncio.sleep(0.05)

    async def value(self, statement: str) -> Any:
        """Run a statement in the database of auth-service, as time would, and return its value."""
        connection = await asyncpg.connect(self.auth_dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def revoked_at(self) -> float:
        """Return when keys were revoked last, in seconds since 1970."""
        return float((await self.value("SELECT max(revoked_at) FROM keys")).timestamp())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(make_stack: Callable[..., GatepostStack]) -> AsyncIterator[Place]:
    stack = make_stack()
    status = stack.up("--no-demo", "--gateways", "2", "--auth", "2")
    assert stack.data_dir is not None
    secrets = json.loads((stack.data_dir / "secrets.json").read_text(encoding="utf-8"))
    addresses = {name: [] for name in ("auth-service", "user-service", "notify-service")}  # type: dict[str, list[str]]
    for process in status["processes"]:
        addresses.get(process["name"], []).append(process["address"])
    gateways = [
        connect_services(
            GatewaySettings.model_validate(
                {
                    "service_keys": secrets["service_keys"][0],
                    "auth_target": f"ipv4:{address}",
                    "users_target": f"ipv4:{addresses['user-service'][0]}",
                    "notify_target": f"ipv4:{addresses['notify-service'][0]}",
                }
            )
        )
        for address in addresses["auth-service"]
    ]
    for gateway in gateways:
        gateway.start()
    yield Place(stack, (gateways[0], gateways[1]), status["postgres"]["dsns"]["auth"])
    for gateway in gateways:
        await gateway.close()


async def is_dead(call: Awaitable[Any]) -> bool:
    """Whether what is shown is refused because it is good no more."""
    with bound(CallContext(deadline=monotonic() + 5)):
        try:
            await call
        except GatepostError as error:
            if error.reason not in DEAD:
                raise
            return True
    return False


async def test_nobody_notices_that_keys_are_rotated(place: Place) -> None:
    done = asyncio.Event()
    heads: set[str] = set()
    rounds = 0

    async def flow(number: int) -> None:
        nonlocal rounds
        home = await place.home()
        here, there = place.gateways if number % 2 else place.gateways[::-1]
        old = tokens = await home.signed_in(here)
        while not done.is_set():
            await there.authenticate(tokens.access_token)
            newer = await home.refresh(there, tokens.refresh_token)
            again = await home.refresh(here, tokens.refresh_token)  # as if the answer had been lost
            assert again.refresh_token == newer.refresh_token
            await here.authenticate(newer.access_token)
            await there.authenticate(old.access_token)
            await there.authenticate(await home.own(here, WEB), WEB)
            await there.authenticate((await home.signed_in(here)).access_token)
            tokens = newer
            heads.add(tokens.access_token[1:4])  # where the number of the key is
            rounds += 1

    flows = [asyncio.create_task(flow(number)) for number in range(4)]
    await asyncio.sleep(0.5)
    made = await place.command("keys", "rotate")
    assert (made["key"]["state"], made["key"]["active"]) == ("pending", False)
    await asyncio.wait(flows, timeout=KNOWN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    assert len(heads) == 1  # every instance knows the new key, and none uses it
    await place.value("UPDATE keys SET created_at = created_at - interval '10 s' WHERE id = (SELECT max(id) FROM keys)")
    await asyncio.wait(flows, timeout=KNOWN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    done.set()
    await asyncio.gather(*flows)
    assert len(heads) == 2
    assert rounds > 20
    listed = await place.command("keys", "list")
    assert [key["state"] for key in listed["keys"][:2]] == ["active", "superseded"]


async def test_an_emergency_ends_everything_everywhere_and_people_sign_in_again_at_once(place: Place) -> None:
    home, strict = await place.home(), await place.home(TWO_STEP)
    here, there = place.gateways
    pairs = [await home.signed_in(gateway) for gateway in place.gateways]
    tokens = [(pair.access_token, PAIR) for pair in pairs]
    tokens += [(await home.own(here, form), form) for form in (SINGLE, SESSION_KEY, WEB)]
    codes = [await home.code(gateway) for gateway in place.gateways]
    said = sign_in_pb2.SignInRequest(client=strict.client, login=strict.email, password=PASSWORD)
    step = (await there.sign_in.SignIn(said)).result.challenge
    step_code = await place.mailed(strict, "two_step_code")
    reset_said = sign_in_pb2.StartPasswordResetRequest(client=home.client, email=home.email)
    reset = (await here.sign_in.StartPasswordReset(reset_said)).challenge
    reset_code = await place.mailed(home, "reset_code")
    for gateway in place.gateways:
        for token, form in tokens:
            await gateway.authenticate(token, form)

    accepted_at = 0.0
    answered = asyncio.create_task(place.command("keys", "rotate", "--emergency"))
    while not answered.done():
        for gateway in place.gateways:
            asked_at = time.time()
            if not await is_dead(gateway.authenticate(*tokens[0])):
                accepted_at = max(accepted_at, asked_at)
        await asyncio.sleep(0.005)
    made = (await answered)["key"]
    assert (made["state"], made["active"]) == ("active", True)
    assert accepted_at < await place.revoked_at() + SECOND

    for gateway, code in zip(place.gateways, codes, strict=True):
        assert [await is_dead(gateway.authenticate(token, form)) for token, form in tokens] == [True] * len(tokens)
        assert [await is_dead(home.refresh(gateway, pair.refresh_token)) for pair in pairs] == [True] * len(pairs)
        assert await is_dead(home.exchange(gateway, code))
        answer = sign_in_pb2.VerifyChallengeRequest(purpose=step.purpose, handle=step.handle, code=step_code)
        assert await is_dead(gateway.sign_in.VerifyChallenge(answer))
        new = sign_in_pb2.CompletePasswordResetRequest(
            handle=reset.handle, code=reset_code, password="another-lantern-43"
        )
        assert await is_dead(gateway.sign_in.CompletePasswordReset(new))
        pair = await home.signed_in(gateway)
        for other in place.gateways:
            await other.authenticate(pair.access_token)
            await other.authenticate(await home.own(gateway, WEB), WEB)
        await home.refresh(gateway, pair.refresh_token)
    listed = await place.command("keys", "list")
    assert {key["state"] for key in listed["keys"][1:]} == {"revoked"}


async def test_an_exported_trail_is_verified_with_the_published_keys(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    await place.home()
    made = await place.command("audit", "export", "--output", str(path), "--since", "2020-01-01")
    assert made["valid"]
    assert made["events"] >= 4
    assert made["events"] == len(path.read_bytes().splitlines()) - 2
    assert (await place.command("audit", "verify", str(path)))["key"] == made["key"]
    async with ClientSession() as session, session.get(f"{place.stack.url}/.well-known/jwks.json") as answer:
        published = await answer.text()
        assert answer.status == 200
        assert answer.content_type == "application/jwk-set+json"
        assert answer.headers["Cache-Control"] == "public, max-age=60"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert made["key"] in [key.key_id for key in jwt.PyJWKSet.from_json(published).keys]
    keys = tmp_path / "keys.json"
    keys.write_text(published, encoding="utf-8")
    await place.command("audit", "verify", str(path), "--key-set", str(keys))
    path.write_bytes(path.read_bytes().replace(b'"success"', b'"failure"', 1))
    done = await asyncio.to_thread(place.stack.run, "audit", "verify", str(path))
    assert done.returncode == 1
    assert "not what was signed" in done.stderr


async def test_an_emergency_takes_the_keys_before_from_the_published_set(place: Place) -> None:
    async def published() -> list[str]:
        async with ClientSession() as session, session.get(f"{place.stack.url}/.well-known/jwks.json") as answer:
            return [key["kid"] for key in (await answer.json(content_type=None))["keys"]]

    before = await published()
    made = await place.command("keys", "rotate", "--emergency")
    assert await published() == [made["signing_key"]["id"]]
    assert before
    assert made["signing_key"]["id"] not in before
