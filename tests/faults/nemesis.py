"""Kills, stops, restarts and cuts off what a running stack consists of, by a seed, and takes the time of recovery.

Only processes that the stack's own state names are touched, by process id.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
from faults.fault_proxy import BLACK_HOLE, LOST_ANSWERS, LOST_REQUESTS, PASS, REFUSE, RESET, FaultProxy, latency

from gatepost_cli import probes, state
from gatepost_cli.data_dir import locate
from gatepost_cli.state import RunningProcess, State

BACK_SECONDS = 90
_CUT_SHARE = 0.7  # of the faults, where something can be cut off
_POLL_SECONDS = 0.1
_PAUSE_SECONDS = (0.2, 3.0)
_CUTS = (RESET, REFUSE, BLACK_HOLE, LOST_ANSWERS, LOST_REQUESTS, latency(0.3, 0.3))
_SERVICES = ("gateway", "auth-service", "user-service", "notify-service")
_STORAGE = ("postgres", "valkey")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was done to the stack.

    Args:
        kind: `kill`, `restart`, `pause`, or what a further one calls itself.
        target: Which process or connection.
        start: When, in seconds.
        lasted: How long it was done, in seconds.
        recovery: From its end until everything was ready, in seconds.
    """

    kind: str
    target: str
    start: float
    lasted: float
    recovery: float


class Nemesis:
    """Does one fault after the other.

    Args:
        folder: The stack's data folder.
        random: Chooses.
        proxies: What can be cut off, by what is behind it.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        folder: Path,
        random: Random,
        proxies: Mapping[str, FaultProxy] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults: list[Fault] = []
        self._folder = folder
        self._random = random
        self._proxies = dict(proxies or {})
        self._clock = clock

    async def work(self, until: float, pause: tuple[float, float]) -> None:
        """Do faults until a moment, with undisturbed pauses between."""
        while self._clock() < until:
            await asyncio.sleep(self._random.uniform(*pause))
            await self.once()

    async def once(self) -> Fault:
        """Do one fault and wait until everything is ready again."""
        if self._proxies and self._random.random() < _CUT_SHARE:
            fault = await self._cut()
        else:
            fault = await self._hurt()
        self.faults.append(fault)
        return fault

    async def _hurt(self) -> Fault:
        kind = self._random.choices(("kill", "kill both", "restart", "pause"), (5, 2, 3, 4))[0]
        processes = [each for each in self._state().processes if each.pid is not None]
        chosen = [self._choose(processes, (*_SERVICES, *_STORAGE) if kind != "restart" else _SERVICES)]
        if kind == "kill both":
            chosen.append(self._choose([each for each in processes if each != chosen[0]], (*_SERVICES, *_STORAGE)))
        start = self._clock()
        if kind == "pause":
            await self._paused(chosen[0], self._random.uniform(*_PAUSE_SECONDS))
        else:
            for each in chosen:
                _signal(each.pid, signal.SIGTERM if kind == "restart" else signal.SIGKILL)
        lasted = self._clock() - start
        gone = {each.pid for each in chosen if kind != "pause"}
        await self.back(gone)
        names = "+".join(f"{each.name}.{each.index}" for each in chosen)
        return Fault(kind, names, start, lasted, self._clock() - start - lasted)

    async def _cut(self) -> Fault:
        name, how = self._random.choice(sorted(self._proxies)), self._random.choice(_CUTS)
        start = self._clock()
        await self._proxies[name].switch(how)
        try:
            await asyncio.sleep(self._random.uniform(*_PAUSE_SECONDS))
        finally:
            await self._proxies[name].switch(PASS)
        lasted = self._clock() - start
        await self.back(set())
        return Fault(how.name, name, start, lasted, self._clock() - start - lasted)

    def kill(self, *targets: tuple[str, int]) -> set[int | None]:
        """Kill processes by name and index; return their ids."""
        gone = {each.pid for each in self._state().processes if (each.name, each.index) in targets}
        for pid in gone:
            _signal(pid, signal.SIGKILL)
        return gone

    async def back(self, gone: set[int | None]) -> None:
        """Wait until everything is ready, with other processes in the place of those gone.

        Raises:
            TimeoutError: After 90 seconds.
        """
        async with asyncio.timeout(BACK_SECONDS):
            while not await self._ready(gone):  # noqa: ASYNC110  other processes
                await asyncio.sleep(_POLL_SECONDS)

    def _choose(self, processes: list[RunningProcess], names: tuple[str, ...]) -> RunningProcess:
        there = sorted({each.name for each in processes} & set(names))
        name = self._random.choice(there)
        return self._random.choice([each for each in processes if each.name == name])

    async def _paused(self, process: RunningProcess, seconds: float) -> None:
        members = _family(process.pid)
        try:
            for member in members:
                _signal(member, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            for member in members:
                _signal(member, signal.SIGCONT)

    async def _ready(self, gone: set[int | None]) -> bool:
        now = self._state()
        if any(each.pid is None or each.pid in gone for each in now.processes):
            return False
        return all(await asyncio.gather(*(_answers(each, now) for each in now.processes)))

    def _state(self) -> State:
        found = state.read(locate(self._folder))
        if found is None:
            raise AssertionError(f"no stack runs in {self._folder}")
        return found


async def _answers(process: RunningProcess, now: State) -> bool:
    if process.name == "postgres":
        return await probes.postgres_ready(now.dsns["auth"])
    if process.name == "valkey":
        return await probes.valkey_ready(now.valkey_url)
    return process.metrics is not None and await probes.http_ready(process.metrics)


def _family(pid: int | None) -> list[int]:
    """Return a process and its children: PostgreSQL's work is done by those."""
    with suppress(psutil.Error):
        return [] if pid is None else [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return []


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
