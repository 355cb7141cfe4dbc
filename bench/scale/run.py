"""One run: for each number of users a stack of its own, loaded, measured and removed."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from argon2 import PasswordHasher

from bench import machine
from bench.rounds import Round
from bench.scale.crowd import Crowd
from bench.scale.loading import Loaded, load
from bench.scale.measure import Crowded
from bench.seeding import PASSWORD, open_seeder
from bench.stack import PROJECT, Stack

SIZES = (1_000, 100_000, 10_000_000)
KB_PER_USER = 3.0  # measured: see the reports
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
        """Measure everything.

        Raises:
            RuntimeError: our stack does not work, or the disk is too small.
        """
        return [await self._with(size) for size in self.sizes]

    async def _with(self, users: int) -> Measured:
        free, due = shutil.disk_usage(self._folder).free / 1e9, users * KB_PER_USER * 2 / 1e6
        if free < due:
            raise RuntimeError(f"{users} users need {due:.0f} GB of disk while they are loaded; {free:.0f} GB are free")
        self._say(f"starting a stack for {users} users, {users * KB_PER_USER / 1e6:.2g} GB")
        folder = self._folder / str(users)
        stack = await Stack.start(folder, **_SETTINGS)
        arguments = await _arguments(stack, Crowd(users))
        await stack.stop()
        try:
            loaded = await load(folder, Crowd(users), arguments, self._say)
            self._say(f"loaded in {loaded.seconds:.0f} s: {loaded.megabytes:.0f} MB")
            stack = await stack.again()
            try:
                async with open_seeder(stack) as seeder:
                    rounds = await Crowded(stack, seeder, Crowd(users)).measure(self.seconds, self.rounds, self._say)
            finally:
                await stack.stop()
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return Measured(users, loaded, rounds)

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
