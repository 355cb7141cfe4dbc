"""A stack of its own for counting: its gateway knows projects for as long as that takes, and remembers nobody."""

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientSession, DummyCookieJar
from budget.cases import Place
from budget.meter import Meter
from conftest import GatepostStack


@pytest.fixture(scope="session")
def counted_stack(make_lasting_stack: Callable[..., GatepostStack]) -> GatepostStack:
    stack = make_lasting_stack(GATEPOST_PROJECT_CACHE_SECONDS="3600", GATEPOST_CACHE_SECONDS="0")
    stack.up()
    return stack


@pytest.fixture(scope="session")
async def counting_session() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=DummyCookieJar()) as opened:  # each browser has its own cookies
        yield opened


@pytest.fixture(scope="session")
def place(counted_stack: GatepostStack, counting_session: ClientSession) -> Place:
    return Place(counted_stack, counting_session)


@pytest.fixture(scope="session")
def meter(counted_stack: GatepostStack, counting_session: ClientSession) -> Meter:
    processes = counted_stack.status()["processes"]
    return Meter(counting_session, [each["metrics"] for each in processes if each["metrics"]])
