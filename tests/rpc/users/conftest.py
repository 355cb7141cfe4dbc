"""user-service as an operator runs it, in a task of this loop, and a caller's view of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from conftest import SERVICE_KEY
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError
from runtime.grpc_client import connect
from user_service.main import NAME, serve
from user_service.settings import UserSettings

START_SECONDS = 20.0


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("users") / "media"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def channel(postgres: Any, service_keys: ServiceKeys, media_dir: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to a service of this module's own."""
    target = f"unix:{media_dir.parent}/users"
    settings = UserSettings(
        service_keys=SecretStr(SERVICE_KEY),
        users_listen=target,
        users_metrics_listen="127.0.0.1:0",
        users_postgres_dsn=postgres.create_database("user_service"),
        users_media_dir=media_dir,
        users_picture_queue_size=30,
    )
    stop = asyncio.Event()
    serving = asyncio.ensure_future(serve(settings, stop))
    async with connect(target, issuer="gateway", audience=NAME, keys=service_keys) as opened:
        await _started(opened, serving)
        yield opened
    stop.set()
    await serving


async def _started(channel: grpc.aio.Channel, serving: asyncio.Future[None]) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(START_SECONDS):
        while not serving.done():
            try:
                await health.Check(health_pb2.HealthCheckRequest())
            except GatepostError:
                await asyncio.sleep(0.02)
            else:
                return
    serving.result()
