"""A running gateway that speaks the toy dialect."""

from collections.abc import AsyncIterator

import pytest
from dialects.local_gateway import LocalGateway, local_gateway
from unit.gateway.toy import toy


@pytest.fixture(scope="session")
async def gateway() -> AsyncIterator[LocalGateway]:
    async with local_gateway((toy(),)) as running:
        yield running
