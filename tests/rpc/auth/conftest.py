"""The deployment that the tests of a worker share. Each test makes its own project, app and people."""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from facebook_server import FacebookServer
from rpc.auth.deployment import Deployment, build

from runtime.errors import GatepostError, Reason

SERVICES = ("user_service", "notify_service", "auth_service")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def facebook() -> AsyncIterator[FacebookServer]:
    server = await FacebookServer().start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def deployment(
    postgres: Any, valkey_url: Callable[[], str], facebook: FacebookServer
) -> AsyncIterator[Deployment]:
    with tempfile.TemporaryDirectory(prefix="gp-") as folder:  # short: the path of a socket has about 100 bytes
        dsns = {name: postgres.create_database(name) for name in SERVICES}
        made = build(
            Path(folder),
            dsns,
            valkey_url(),
            facebook_app_id=facebook.app_id,
            facebook_app_secret=facebook.app_secret,
            facebook_base_url=facebook.base_url,
        )
        services = (made.users, made.notify, made.auth, made.second_auth)
        for service in services:
            await service.start(made.keys)
        yield made
        for service in reversed(services):
            await service.stop()


@pytest.fixture(scope="session")
def refused() -> Callable[..., Any]:
    """Return a function that awaits a call, which must fail for one of the reasons, and returns the error."""

    async def check(call: Any, *reasons: Reason) -> GatepostError:
        with pytest.raises(GatepostError) as caught:
            await call
        assert caught.value.reason in reasons, (caught.value.reason, caught.value)
        return caught.value

    return check
