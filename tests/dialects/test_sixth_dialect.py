"""A sixth dialect, written here as one value and served by a gateway over the running core, touching nothing else.

It passes the scenarios that every dialect passes, signs people up and in, and gets an OpenAPI document by itself.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypedDict
from uuid import uuid4

import pytest
from conftest import GatepostStack
from dialects.local_gateway import LocalGateway, local_gateway
from dialects.scenarios import SCENARIOS, Adapter, Sample, Scenario

from gatepost.auth.v1.accounts_pb2 import NewProfile
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.sign_in_pb2 import SignInRequest, SignInResult, SignUpRequest
from gateway.call import Call
from gateway.dialect import Dialect, Failure, Rendering, Route
from gateway.dialects import DIALECTS
from gateway.fields import email, text
from gateway.guards import ANYONE, BEARER
from gateway.limits import Limit
from gateway.reply import Reply
from runtime.errors import STATUS, Reason

_HTTP = {"INVALID_ARGUMENT": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404}
_KEY = TokenForm.TOKEN_FORM_SESSION_KEY


@dataclass(frozen=True, slots=True)
class _Person:
    password: str = text(secret=True)
    mail: str = email()


class _Feather(TypedDict):
    """What is shown at the nest."""

    feather: str


class _Bird(TypedDict):
    """Who somebody is."""

    bird: str


async def _hatch(call: Call, form: _Person) -> Reply:
    """Make an account."""
    request = SignUpRequest(
        user_id=str(uuid4()),
        project=(await call.project()).name,
        form=_KEY,
        email=form.mail,
        password=form.password,
        profile=NewProfile(first_name="Heron"),
    )
    return _feather((await call.clients.sign_up(request)).result)


async def _land(call: Call, form: _Person) -> Reply:
    """Sign in."""
    project = (await call.project()).name
    request = SignInRequest(project=project, form=_KEY, login=form.mail, password=form.password, single_step=True)
    return _feather((await call.clients.sign_in.SignIn(request)).result)


async def _nest(call: Call) -> Reply:
    """Say who the feather's bird is."""
    return Reply(json={"bird": (await call.clients.authenticate(call.token, _KEY)).account.email})


def _feather(result: SignInResult) -> Reply:
    return Reply(json={"feather": result.session.token})


async def _squawk(failure: Failure) -> Reply:
    return Reply(json={"squawk": failure.rendering.text})


HERON = Dialect(
    name="heron",
    prefixes=("/heron",),
    routes=(
        Route("POST", "/heron/hatch", _hatch, ANYONE, Limit.PASSWORD, answer=_Feather),
        Route("POST", "/heron/land", _land, ANYONE, Limit.PASSWORD, answer=_Feather),
        Route("GET", "/heron/nest", _nest, BEARER, Limit.ORDINARY, answer=_Bird),
    ),
    errors={reason: Rendering(_HTTP.get(STATUS[reason].name, 409), reason.value) for reason in Reason}
    | {
        Reason.METHOD_NOT_ALLOWED: Rendering(405, "not that way"),
        Reason.UNKNOWN_METHOD: Rendering(404, "no such thing"),
        Reason.UNAVAILABLE: Rendering(503, "away"),
    },
    error_body=_squawk,
    mountable=True,
)
ADAPTER = Adapter(
    dialect=HERON,
    unknown_path="/heron/nothing",
    form=Sample("POST", "/heron/land", {"mail": "ann@example.com", "password": "tunnel-lantern-42"}),
    secured=Sample("GET", "/heron/nest", {}),
    token_headers=lambda token: {"Authorization": f"Bearer {token}"},
    is_error=lambda body: list(body) == ["squawk"],
)


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[LocalGateway]:
    """Yield a gateway with the sixth dialect beside the five, without a core."""
    async with local_gateway((*DIALECTS, HERON)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def core(stack: GatepostStack) -> dict[str, str]:
    """Return the settings that lead a gateway to the running services."""
    assert stack.data_dir is not None
    secrets = json.loads((stack.data_dir / "secrets.json").read_text())
    addresses = {process["name"]: process["address"] for process in stack.status()["processes"]}
    words = (("auth", "auth-service"), ("users", "user-service"), ("notify", "notify-service"))
    targets = {f"{word}_target": f"ipv4:{addresses[name]}" for word, name in words}
    return {"service_keys": secrets["service_keys"][0], **targets}


@pytest.fixture(scope="module")
async def over_core(core: dict[str, str]) -> AsyncIterator[LocalGateway]:
    """Yield a gateway with the sixth dialect over the running services."""
    async with local_gateway((*DIALECTS, HERON), **core) as gateway:
        yield gateway


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_it_refuses_what_every_dialect_refuses(scenario: Scenario, alone: LocalGateway) -> None:
    ask = scenario.ask(ADAPTER)
    headers = {"Content-Type": ask.content_type, **(ask.headers or {})}
    async with alone.client.request(ask.method, ask.path, data=ask.body or None, headers=headers) as answer:
        assert answer.status == HERON.errors[scenario.reason].status, await answer.read()
        assert ADAPTER.is_error(await answer.json())


async def test_a_person_signs_up_and_in_through_it(over_core: LocalGateway) -> None:
    person = {"mail": f"heron-{uuid4().hex[:8]}@example.com", "password": "tunnel-lantern-42"}
    async with over_core.client.post("/heron/hatch", json=person) as answer:
        assert answer.status == 200, await answer.read()
    async with over_core.client.post("/t/default/heron/land", data=person) as answer:
        feather = (await answer.json())["feather"]
    async with over_core.client.get("/heron/nest", headers={"Authorization": f"Bearer {feather}"}) as answer:
        assert await answer.json() == {"bird": person["mail"]}


async def test_it_says_in_its_own_words_that_a_password_is_wrong(over_core: LocalGateway) -> None:
    nobody = {"mail": f"nobody-{uuid4().hex[:8]}@example.com", "password": "tunnel-lantern-42"}
    async with over_core.client.post("/heron/land", json=nobody) as answer:
        assert (answer.status, await answer.json()) == (401, {"squawk": "bad_credentials"})


async def test_it_is_documented_without_a_word_more(alone: LocalGateway) -> None:
    async with alone.client.get("/openapi/heron.json") as answer:
        document = await answer.json()
    assert list(document["paths"]) == ["/heron/hatch", "/heron/land", "/heron/nest"]
    assert document["paths"]["/heron/hatch"]["post"]["summary"] == "Make an account."
    assert document["components"]["schemas"]["_Feather"]["required"] == ["feather"]
