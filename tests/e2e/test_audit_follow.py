"""`gatepost audit tail --follow` on a running stack: every event once, in whatever order they are committed."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from conftest import GatepostStack

from gatepost_cli import stack as stacks

SECONDS = 30


@pytest.fixture
async def writers(stack: GatepostStack) -> AsyncIterator[tuple[Any, Any]]:
    """Yield two connections to where the trail is."""
    dsn = stacks.load(stack.data_dir).dsns["auth"]
    first, second = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    yield first, second
    await first.close()
    await second.close()


async def happen(writer: Any, user_id: UUID, *actions: str, seconds_ago: int = 0) -> None:
    await writer.execute(
        "INSERT INTO audit_events (at, action, outcome, actor, account_id, project, client_id, address, request_id) "
        "SELECT now() - make_interval(secs => $3), unnest($2::text[]), 'success', 'service:tests', $1, '', '', '', ''",
        user_id,
        actions,
        seconds_ago,
    )


async def told(process: Process) -> str:
    """Return the action in the next line."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), SECONDS)
    return line.decode().split("  ")[1]


async def test_every_event_is_told_once_also_one_committed_after_later_ones(
    stack: GatepostStack, writers: tuple[Any, Any]
) -> None:
    user_id = uuid4()
    writer, slow = writers
    await happen(writer, user_id, "test.before", "test.first", seconds_ago=60)
    command = ("audit", "tail", "--follow", "--limit", "1", "--user", str(user_id), "--data-dir", str(stack.data_dir))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gatepost_cli", *command, env=stack.environment, stdout=PIPE
    )
    try:
        assert await told(process) == "test.first"
        async with slow.transaction():
            await happen(slow, user_id, "test.late")
            await happen(writer, user_id, "test.second")
            await happen(writer, user_id, "test.third")
            assert [await told(process), await told(process)] == ["test.second", "test.third"]
        assert await told(process) == "test.late"
        await happen(writer, user_id, "test.last")
        assert await told(process) == "test.last"
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
