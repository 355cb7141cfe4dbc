"""A stack whose limits are out of the way and whose services say all they can, and the world of the tests on it."""

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientSession, DummyCookieJar
from conftest import GatepostStack
from security.databases import Databases
from security.world import World, make_world

from gatepost_cli import services
from gatepost_cli import stack as stacks
from gatepost_cli.operate import Rpc, opened

# Here many wrong values come from one address within seconds. Tests of limits set their own.
MANY = "1000000"
UNLIMITED = {
    "GATEPOST_CODE_FAILURES_PER_ADDRESS": MANY,
    "GATEPOST_CODE_FAILURES_PER_ACCOUNT": MANY,
    "GATEPOST_SIGN_IN_FAILURES_PER_ACCOUNT": MANY,
    "GATEPOST_SIGN_IN_FAILURES_PER_APP": MANY,
    "GATEPOST_MAILS_PER_ADDRESS": MANY,
    "GATEPOST_MAILS_PER_APP": MANY,
    "GATEPOST_TEXTS_PER_ADDRESS": MANY,
    "GATEPOST_PROOF_OF_WORK_AFTER_COUNT": "0",
}


@pytest.fixture(scope="session")
def stack(make_lasting_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return this worker's stack for what is tried against it, instead of the one that other tests share."""
    made = make_lasting_stack(**UNLIMITED, GATEPOST_LOG_LEVEL="debug")
    made.up("--no-demo")
    return made


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[ClientSession]:
    """Yield a client that keeps no cookies of its own: each browser has its own."""
    async with ClientSession(cookie_jar=DummyCookieJar()) as open_session:
        yield open_session


@pytest.fixture(scope="session")
async def rpc(stack: GatepostStack) -> AsyncIterator[Rpc]:
    """Yield the services as the command line calls them."""
    async with opened(services.of(stacks.load(stack.data_dir))) as stubs:
        yield stubs


@pytest.fixture(scope="session")
async def world(stack: GatepostStack, session: ClientSession, rpc: Rpc) -> World:
    return await make_world(stack, session, rpc)


@pytest.fixture(scope="session")
async def other_world(stack: GatepostStack, session: ClientSession, rpc: Rpc) -> World:
    """Return projects of which nobody in `world` should see anything."""
    return await make_world(stack, session, rpc)


@pytest.fixture(scope="session")
async def databases(stack: GatepostStack) -> AsyncIterator[Databases]:
    found = Databases(stacks.load(stack.data_dir))
    yield found
    await found.close()
