"""One run: for each number of users a stack of its own; all are loaded, then measured in turn."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from argon2 import PasswordHasher

from bench import machine
from bench.rounds import Round
from bench.scale.crowd import Crowd
from bench.scale.loading import Loaded, load
from bench.scale.measure import WORKLOADS, Crowded
from bench.seeding import PASSWORD, open_seeder
from bench.stack import PROJECT, Stack
from gatepost_cli import services
from gatepost_cli import stack as running
from gatepost_cli.operate import opened

SIZES = (1_000, 100_000, 10_000_000)
KB_PER_USER = 1.5  # on disk, indexes included
# Cheap hashes, so that what grows is not drowned; nothing kept by gateways, so that every request reads.
_SETTINGS = {"GATEPOST_ARGON2_MEMORY_KIB": "64", "GATEPOST_ARGON2_ITERATIONS": "1", "GATEPOST_CACHE_SECONDS": "0"}


@dataclass(frozen=True)
class Measured:
    """What was measured with a number of users: rounds by workload."""

    users: int
    loaded: Loaded
    rounds: Mapping[str, Sequence[Round]]


class Run:
    """A run in a folder of its own.

    Args:
        sizes: Numbers of users, in order.
        seconds: Of a round.
        rounds: Of each workload.
        folder: Empty; for data and logs.
        tell: Shows progress.
    """

    def __init__(
        self, sizes: Sequence[int], *, seconds: float, rounds: int, folder: Path, tell: Callable[[str], None]
    ) -> None:
        self.sizes = sizes
        self.seconds = seconds
        self.rounds = rounds
        self.facts: dict[str, Any] = machine.facts()
        self._folder = folder
        self._tell = tell
        self._began = time.monotonic()

    async def __call__(self) -> list[Measured]:
        """Load every stack, then measure them in turn, round by round, so that all meet the same machine.

        Raises:
            RuntimeError: our stack does not work, or the disk is too small.
        """
        free, due = shutil.disk_usage(self._folder).free / 1e9, sum(self.sizes) * KB_PER_USER * 2 / 1e6
        if free < due:
            raise RuntimeError(f"so many users need {due:.0f} GB of disk while they are loaded; {free:.0f} GB are free")
        loaded = {users: await self._loaded(users) for users in self.sizes}
        async with AsyncExitStack() as ending:
            crowds = [await self._opened(ending, stack, Crowd(users)) for users, (stack, _) in loaded.items()]
            for number in range(self.rounds):
                for workload in WORKLOADS:
                    for crowd in crowds:
                        which = f"round {number + 1} of {self.rounds}, {crowd.crowd.count} users"
                        self._say(f"{which}: {workload}")
                        await crowd.measure(workload, self.seconds)
        return [Measured(each.crowd.count, loaded[each.crowd.count][1], each.rounds) for each in crowds]

    async def _loaded(self, users: int) -> tuple[Stack, Loaded]:
        """Return a stack that was loaded, and is stopped."""
        self._say(f"starting a stack for {users} users, {users * KB_PER_USER / 1e6:.2g} GB")
        folder = self._folder / str(users)
        stack = await Stack.start(folder, **_SETTINGS)
        try:
            arguments = await _arguments(stack, Crowd(users))
        finally:
            await stack.stop()
        loaded = await load(folder, Crowd(users), arguments, self._say)
        self._say(f"loaded in {loaded.seconds:.0f} s: {loaded.megabytes:.0f} MB")
        return stack, loaded

    @staticmethod
    async def _opened(ending: AsyncExitStack, stack: Stack, crowd: Crowd) -> Crowded:
        again = await stack.again()
        ending.push_async_callback(again.stop)
        seeder = await ending.enter_async_context(open_seeder(again))
        rpc = await ending.enter_async_context(opened(services.of(running.load(again.folder))))
        return Crowded(again, seeder, rpc, crowd)

    def _say(self, what: str) -> None:
        self._tell(f"[{time.monotonic() - self._began:5.0f} s] {what}")


async def _arguments(stack: Stack, crowd: Crowd) -> dict[str, Any]:
    connection = await asyncpg.connect(stack.dsns["auth"])
    try:
        named = "FROM projects WHERE name = $1"
        project = await connection.fetchval(f"SELECT id {named}", PROJECT)
        role = await connection.fetchval(f"SELECT roles[1] {named}", PROJECT)
        app = await connection.fetchval("SELECT id FROM apps WHERE client_id = $1", stack.app.client_id)
    finally:
        await connection.close()
    hashed = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    return {"project": project, "role": role, "app": app, "hash": hashed, "sessions": crowd.sessions}
