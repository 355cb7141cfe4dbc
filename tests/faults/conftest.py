"""What tests of faults do their worst to.

`fragile` is a stack as operators start it: two gateways and two auth-services, and limits out of the way. `house` has
one of each, and a proxy in front of whatever can go away.
"""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout
from conftest import GatepostStack
from faults import history_run
from faults.guests import Guests, arrive
from faults.proxied_house import House

ARRIVAL_SECONDS = 10.0


@pytest.fixture(scope="session")
def fragile(make_lasting_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return this worker's running stack; each test leaves it with everything ready."""
    stack = make_lasting_stack(**history_run.SETTINGS)
    stack.up("--no-demo", "--gateways=2", "--auth=2")
    return stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Yield this worker's house; each test leaves it with everything there."""
    async with House(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def arrived(house: House) -> AsyncIterator[Guests]:
    """Yield apps there, with nobody in them."""
    async with ClientSession(timeout=ClientTimeout(30)) as session:
        yield await arrive(house, session)


@pytest_asyncio.fixture(loop_scope="session")
async def guests(arrived: Guests) -> Guests:
    """Return people who are signed in there, whatever became of those of the test before."""
    await arrived.until_well(ARRIVAL_SECONDS, ["ihopr signup", "shoop register"])
    await arrived.sign_in()
    return arrived
