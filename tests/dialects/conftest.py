"""A session's stack, its projects and a client, for the tests of dialects that need the core."""

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, app_maker


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
def hasty(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return a stack in which everything expires within two seconds, and a sign-in is fresh for none."""
    stack = make_stack(
        GATEPOST_CODE_SECONDS="1",
        GATEPOST_OTP_SECONDS="1",
        GATEPOST_RESET_SECONDS="1",
        GATEPOST_ACCESS_TOKEN_SECONDS="2",
        GATEPOST_REFRESH_TOKEN_SECONDS="2",
        GATEPOST_REAUTH_SECONDS="0",
    )
    stack.up()
    return stack
