"""The process that services are forked from, without the services."""

import asyncio
import sys

import psutil
import pytest

from gatepost_cli.program import Program
from gatepost_cli.supervisor.forks import ForkServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux only")
CLOSED_SECONDS = 5


async def ready() -> bool:
    return True


async def test_forks_that_are_started_at_once_after_it_was_killed_come_from_one() -> None:
    others = psutil.Process().children()
    forks = ForkServer((), None)
    await forks.start()
    (killed,) = (each for each in psutil.Process().children() if each not in others)
    killed.kill()
    while psutil.pid_exists(killed.pid):  # noqa: ASYNC110  a process has no event
        await asyncio.sleep(0.01)
    program = Program(name="zen", argv=(), module="this", environment={}, address="", ready=ready)
    forked = await asyncio.gather(*(forks.spawn(program) for _ in range(4)), return_exceptions=True)
    assert len(psutil.Process().children()) == len(others) + 1, forked
    for fork in forked:
        assert not isinstance(fork, BaseException)
        assert await fork.wait() == 0
    await asyncio.wait_for(forks.close(), CLOSED_SECONDS)
