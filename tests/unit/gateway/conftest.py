"""A running gateway that speaks the toy dialect."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from dialects.local_gateway import LocalGateway, local_gateway
from unit.gateway.toy import toy


@pytest.fixture(scope="module", autouse=True)
def own_logs() -> Iterator[None]:
    """Set logs up as if nobody had: services that other tests run in this process did, and ours are looked at."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="module")
async def gateway(own_logs: None) -> AsyncIterator[LocalGateway]:
    async with local_gateway((toy(),)) as running:
        yield running
