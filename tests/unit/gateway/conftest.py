"""A running gateway that speaks the toy dialect."""

from collections.abc import AsyncIterator

import pytest
import structlog
from dialects.local_gateway import LocalGateway, local_gateway
from unit.gateway.toy import toy


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[LocalGateway]:
    # Services that other tests run in this process have set up logs for themselves; ours are looked at.
    before = structlog.get_config()
    structlog.reset_defaults()
    async with local_gateway((toy(),)) as running:
        yield running
    structlog.configure(**before)
