"""The engines of auth-service on real PostgreSQL and Valkey; each test gets an instance with a clock of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from store.auth.engines import Engines, cluster_of_one

from runtime.errors import GatepostError, Reason
from runtime.postgres import Database


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(postgres: Any) -> AsyncIterator[Database]:
    opened = await Database.connect(postgres.create_database("auth_service"), max_size=20)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def engines(database: Database, valkey_url: Callable[[], str]) -> AsyncIterator[Engines]:
    made = await Engines.open(database, valkey_url())
    yield made
    await made.close()


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster_of_one(Path(tmp_path_factory.mktemp("cluster"))) as url:
        yield url


@pytest.fixture(scope="session")
def refused() -> Callable[..., Any]:
    """Return a function that awaits a call, which must fail for the reason, and returns the error."""

    async def check(call: Any, reason: Reason) -> GatepostError:
        with pytest.raises(GatepostError) as caught:
            await call
        assert caught.value.reason is reason
        return caught.value

    return check
