"""What a running stack holds at one moment: memory, files, threads and tasks of each process, connections to databases.

Reads /proc, the metrics listeners, PostgreSQL and Valkey. Judges nothing; that is `verdict`'s.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
from aiohttp import ClientSession
from redis.asyncio import Redis

from bench.accounting import Group
from bench.stack import Stack
from gatepost_cli import state
from gatepost_cli.data_dir import DataDir

_TASKS = re.compile(r"^gatepost_tasks ([0-9.e+]+)$", re.MULTILINE)
_OURSELVES = "soak"
_PAUSES_SECONDS = (0.0, 0.1, 0.23)


@dataclass(frozen=True)
class Process:
    """One process, or a server with its children.

    Attributes:
        memory_mb: proportional set size.
        private_mb: the part of it that is its alone.
        files: open file descriptors, sockets among them.
        sockets: how many of them are sockets.
        threads: of the system.
        tasks: of asyncio; None of a process that has no event loop of ours.
    """

    memory_mb: float
    private_mb: float
    files: int
    sockets: int
    threads: int
    tasks: int | None


@dataclass(frozen=True)
class Reading:
    """Everything at one moment.

    Attributes:
        at: seconds since the watch began.
        processes: by name.
        postgres: connections by service.
        valkey_mb: what its data takes.
        valkey_clients: its connections.
        mail_connections: open ones to the mail server.
    """

    at: float
    processes: Mapping[str, Process]
    postgres: Mapping[str, int]
    valkey_mb: float
    valkey_clients: int
    mail_connections: int


class Watch:
    """Takes readings of one stack. Made by `watching`."""

    def __init__(
        self,
        group: Group,
        listeners: Mapping[str, str],
        session: ClientSession,
        database: asyncpg.Connection,
        valkey: Redis,
        mail_connections: Callable[[], int],
    ) -> None:
        self._group = group
        self._listeners = listeners
        self._session = session
        self._database = database
        self._valkey = valkey
        self._mail_connections = mail_connections
        self._began = time.monotonic()

    async def read(self) -> Reading:
        """Take one."""
        tasks = {name: await self._tasks(url) for name, url in self._listeners.items()}
        rows = await self._database.fetch(
            "SELECT application_name, count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND application_name <> $1 GROUP BY 1",
            _OURSELVES,
        )
        found = await self._valkey.info()
        return Reading(
            at=round(time.monotonic() - self._began, 2),
            processes=await self._processes(tasks),
            postgres={row[0]: row[1] for row in rows},
            valkey_mb=round(found["used_memory"] / 1e6, 3),
            valkey_clients=found["connected_clients"] - 1,
            mail_connections=self._mail_connections(),
        )

    async def _processes(self, tasks: Mapping[str, int | None]) -> Mapping[str, Process]:
        """Look several times, and take the least memory: a hash or a picture under way is no leak."""
        looks = []
        for pause in _PAUSES_SECONDS:
            await asyncio.sleep(pause)
            looks.append({name: self._process(name, tasks.get(name)) for name in self._group.pids})
        return {name: min((look[name] for look in looks), key=lambda found: found.private_mb) for name in looks[0]}

    def _process(self, name: str, tasks: int | None) -> Process:
        processes = self._group.processes(name)
        files = [link for each in processes for link in _files(each.pid)]
        sockets = sum(link.startswith("socket:") for link in files)
        shared, private = map(sum, zip(*map(_memory, processes), strict=True)) if processes else (0.0, 0.0)
        return Process(shared, private, len(files), sockets, sum(map(_threads, processes)), tasks)

    async def _tasks(self, url: str) -> int | None:
        async with self._session.get(f"{url}/metrics") as answer:
            found = _TASKS.search(await answer.text())
        return int(float(found[1])) if found else None


@asynccontextmanager
async def watching(stack: Stack, mail_connections: Callable[[], int]) -> AsyncIterator[Watch]:
    """Connect to what tells of a stack."""
    running = state.read(DataDir(stack.folder))
    if running is None:
        raise RuntimeError(f"no stack runs in {stack.folder}")
    listeners = {each.name: each.metrics for each in running.processes if each.metrics}
    database = await asyncpg.connect(stack.dsns["auth"], server_settings={"application_name": _OURSELVES})
    valkey: Redis = Redis.from_url(stack.valkey_url)
    try:
        async with ClientSession() as session:
            yield Watch(stack.group, listeners, session, database, valkey, mail_connections)
    finally:
        await valkey.aclose()
        await database.close()


def _files(pid: int) -> list[str]:
    found = []
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.append(str(link.readlink()))
            except OSError:
                continue
    except OSError:
        return []
    return found


def _memory(process: psutil.Process) -> tuple[float, float]:
    try:
        found = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0, 0.0
    return found.pss / 1e6, found.uss / 1e6


def _threads(process: psutil.Process) -> int:
    try:
        return int(process.num_threads())
    except psutil.NoSuchProcess:
        return 0
