"""The health check of the images, run as they run it against a real metrics listener."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from deploy.artefacts import DEPLOY

from runtime import metrics


@dataclass
class Listener:
    """A metrics listener that says what it is told to say."""

    port: int = 0
    checks: dict[str, bool] = field(default_factory=dict)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()

    async def ready() -> dict[str, bool]:
        return listener.checks

    runner = await metrics.serve("127.0.0.1:0", ready)
    listener.port = runner.addresses[0][1]
    yield listener
    await runner.cleanup()


async def exit_status(address: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-IS", DEPLOY / "image/ready.py", "GATEPOST_TEST_LISTEN", env={"GATEPOST_TEST_LISTEN": address}
    )
    return await process.wait()


async def test_a_service_that_is_ready_is_healthy(listener: Listener) -> None:
    listener.checks = {"postgresql": True}
    assert await exit_status(f"127.0.0.1:{listener.port}") == 0


async def test_a_service_whose_database_is_gone_is_not_healthy(listener: Listener) -> None:
    listener.checks = {"postgresql": False}
    assert await exit_status(f"127.0.0.1:{listener.port}") == 1


async def test_a_listener_on_every_address_is_asked_on_loopback(listener: Listener) -> None:
    listener.checks = {"postgresql": True}
    assert await exit_status(f"0.0.0.0:{listener.port}") == 0


async def test_a_service_that_does_not_listen_is_not_healthy(listener: Listener) -> None:
    assert await exit_status("127.0.0.1:1") == 1
