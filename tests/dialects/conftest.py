"""A session's stack, its projects and a client, for the tests of dialects that need the core."""

import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, app_maker
from dialects.ossn_client import Ossn, new_site
from dialects.pages_client import Door
from dialects.redirect_client import Browser, Site, site_maker
from dialects.shoop_client import Shoop, new_market

from gateway.clients import Clients
from gateway.main import connect_services
from gateway.settings import GatewaySettings


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


@pytest.fixture(scope="session")
def ihopr(stack: GatepostStack, session: ClientSession) -> Ihopr:
    return Ihopr(session, stack.url)


@pytest.fixture(scope="session")
def make_app(stack: GatepostStack) -> Callable[..., App]:
    return app_maker(stack)


@pytest.fixture(scope="session")
def app(make_app: Callable[..., App]) -> App:
    """Return an app of a project with policy `none` and a role that users may take."""
    roles = ("--role", "user", "--role", "Editor", "--role", "admin", "--self-assignable-role", "Editor")
    return make_app("none", *roles)


@pytest.fixture(scope="session")
def otp_app(make_app: Callable[..., App]) -> App:
    return make_app("otp")


@pytest.fixture(scope="session")
def two_step_app(make_app: Callable[..., App]) -> App:
    return make_app("two-step")


@pytest.fixture(scope="session")
def public_app(make_app: Callable[..., App]) -> App:
    """Return a public app, which a page of https://app.example may call."""
    return make_app("none", app_options=("--type", "public", "--origin", "https://app.example"))


@pytest.fixture(scope="session")
def hasty(make_lasting_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return a stack in which everything expires within two seconds, and a sign-in is fresh for none."""
    stack = make_lasting_stack(
        GATEPOST_CODE_SECONDS="1",
        GATEPOST_OTP_SECONDS="1",
        GATEPOST_RESET_SECONDS="1",
        GATEPOST_ACCESS_TOKEN_SECONDS="2",
        GATEPOST_SHORT_ACCESS_TOKEN_SECONDS="2",
        GATEPOST_REFRESH_TOKEN_SECONDS="2",
        GATEPOST_REAUTH_SECONDS="0",
    )
    stack.up()
    return stack


@pytest.fixture(scope="session")
async def core(stack: GatepostStack) -> AsyncIterator[Clients]:
    """Yield the running services as the gateway calls them."""
    assert stack.data_dir is not None
    secrets = json.loads((stack.data_dir / "secrets.json").read_text(encoding="utf-8"))
    addresses = {process["name"]: process["address"] for process in stack.status()["processes"]}
    words = (("auth", "auth-service"), ("users", "user-service"), ("notify", "notify-service"))
    targets = {f"{word}_target": f"ipv4:{addresses[name]}" for word, name in words}
    clients = connect_services(GatewaySettings.model_validate({"service_keys": secrets["service_keys"][0], **targets}))
    yield clients
    await clients.close()


@pytest.fixture(scope="session", params=["legacy", "strict"])
def ossn(request: pytest.FixtureRequest, stack: GatepostStack, session: ClientSession) -> Ossn:
    """Return an OSSN site, in each of the two status modes."""
    return new_site(stack, session, request.param)


@pytest.fixture(scope="session", params=["strict", "legacy"])
def shoop(request: pytest.FixtureRequest, stack: GatepostStack, session: ClientSession) -> Shoop:
    """Return a Shoop market, in each of the two status modes."""
    return new_market(stack, session, request.param)


@pytest.fixture(scope="session")
def make_site(stack: GatepostStack, session: ClientSession) -> Callable[..., Site]:
    """Return a function that makes a project with an app of a dialect that sends people to a consent page."""
    return site_maker(stack, session)


@pytest.fixture(scope="session")
def make_door(ihopr: Ihopr, session: ClientSession, stack: GatepostStack) -> Callable[[App], Door]:
    """Return a function that opens a browser at the pages of an app's project."""
    return lambda app: Door(Browser(session, stack.url), app, ihopr)
