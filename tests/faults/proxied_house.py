"""All services started by hand, and everything they stand on reached through fault proxies.

PostgreSQL, Valkey, the mail server and each service can be gone in every usual way: killed, stopped, or cut off by the
network. The tests of this folder share one.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import psutil
from conftest import PASSWORD, SERVICE_KEY, STACK_SETTINGS
from faults.fault_proxy import (
    BLACK_HOLE,
    LOOPBACK,
    LOST_ANSWERS,
    LOST_REQUESTS,
    PASS,
    REFUSE,
    RESET,
    FaultProxy,
    drip,
    latency,
)
from free_ports import free_ports
from store.notify.mail_server import MailServer

from gatepost_cli import probes
from gatepost_cli.embedded import postgres as embedded_postgres
from gatepost_cli.embedded import valkey as embedded_valkey
from gatepost_cli.embedded.server import Server

START_SECONDS = 60

MODULES = {"gateway": "gateway", "auth": "auth_service", "users": "user_service", "notify": "notify_service"}
SERVICES = ("auth", "users", "notify")
NETWORK = {
    "refused": REFUSE,
    "reset": RESET,
    "black hole": BLACK_HOLE,
    "lost answers": LOST_ANSWERS,
    "lost requests": LOST_REQUESTS,
    "drip": drip(200),
    "latency": latency(0.5, 0.1),
}
SLOW = ("drip", "latency")
WAYS = ("killed", "stopped", *NETWORK)
SETTINGS = STACK_SETTINGS | {
    "GATEPOST_SERVICE_KEYS": SERVICE_KEY,
    "GATEPOST_MASTER_KEY": "m" * 32,
    "GATEPOST_CACHE_SECONDS": "0",  # each request asks the services
    "GATEPOST_MAIL_TRANSPORT": "smtp",
    "GATEPOST_SMTP_HOST": LOOPBACK,
    "GATEPOST_SMTP_TLS": "none",
    "GATEPOST_SMTP_TIMEOUT_SECONDS": "2",
    "GATEPOST_DELIVERY_BACKOFF_SECONDS": "0.2",
    "GATEPOST_DELIVERY_BACKOFF_MAX_SECONDS": "0.5",
    "GATEPOST_DELIVERY_POLL_SECONDS": "0.2",
}


def dose(in_ci: tuple[Any, ...], full: tuple[Any, ...] = WAYS) -> tuple[Any, ...]:
    """Return what to go through: everything with GATEPOST_FAULTS=full, as `make faults` sets it."""
    return full if os.environ.get("GATEPOST_FAULTS") == "full" else in_ci


class House:
    """A running installation.

    Args:
        folder: For its servers.

    Attributes:
        url: Of the gateway.
        targets: gRPC targets of the services themselves, no proxy in between.
        proxies: By what is behind: `postgres`, `valkey`, `mail`, `auth`, `users`, `notify`.
        mail: The mail server.
    """

    def __init__(self, folder: Path) -> None:
        self.mail = MailServer()
        self.proxies: dict[str, FaultProxy] = {}
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._processes: dict[str, Process] = {}
        self._ending = AsyncExitStack()
        free = free_ports(2 * len(MODULES))
        self._listen = {word: f"{LOOPBACK}:{free.pop()}" for word in MODULES}
        self._metrics = {word: f"{LOOPBACK}:{free.pop()}" for word in MODULES}
        self.url = f"http://{self._listen['gateway']}"
        self.targets = {word: f"ipv4:{self._listen[word]}" for word in SERVICES}

    async def __aenter__(self) -> Self:
        await self._start_server("postgres")
        await self._start_server("valkey")
        await self.mail.start()
        upstreams: dict[str, tuple[str, int] | Path] = {"mail": (LOOPBACK, self.mail.port)}
        for name in self._servers:
            upstreams[name] = self._socket(name)
        for word in SERVICES:
            upstreams[word] = (LOOPBACK, int(self._listen[word].rpartition(":")[2]))
        for name, upstream in upstreams.items():
            self.proxies[name] = await self._ending.enter_async_context(FaultProxy(upstream))
        for word in MODULES:
            await self._launch(word)
        for word in MODULES:
            await self.ready(word)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        await self._ending.aclose()
        await self.mail.stop()
        for server in self._servers.values():
            await server.stop()

    @asynccontextmanager
    async def gone(self, name: str, way: str) -> AsyncIterator[None]:
        """Let something be gone inside the block, and be there again after it."""
        fault = NETWORK.get(way)
        await (self._break(name, way) if fault is None else self.proxies[name].switch(fault))
        try:
            yield
        finally:
            await (self._mend(name, way) if fault is None else self.proxies[name].switch(PASS))

    async def ready(self, word: str) -> None:
        """Wait until a service says that it is ready."""
        async with asyncio.timeout(START_SECONDS):
            while not await probes.http_ready(f"http://{self._metrics[word]}"):  # noqa: ASYNC110 another process
                await asyncio.sleep(0.05)

    async def _break(self, name: str, way: str) -> None:
        if name == "mail":
            await self.mail.stop()
            return
        self._signal(name, signal.SIGSTOP if way == "stopped" else signal.SIGKILL)
        if way == "killed":
            await self._process(name).wait()

    async def _mend(self, name: str, way: str) -> None:
        if name == "mail":
            await self.mail.start()
        elif way == "stopped":
            self._signal(name, signal.SIGCONT)
        elif name in self._servers:
            await self._start_server(name)
            self.proxies[name].upstream = self._socket(name)
        else:
            await self._launch(name)
            await self.ready(name)

    def _signal(self, name: str, number: signal.Signals) -> None:
        parent = psutil.Process(self._process(name).pid)
        for process in (parent, *parent.children(recursive=True)):
            process.send_signal(number)

    def _process(self, name: str) -> Process:
        return self._servers[name].process if name in self._servers else self._processes[name]

    async def _start_server(self, name: str) -> None:
        folder = self._folder / name
        if name == "postgres":
            self._servers[name] = await embedded_postgres.start(folder, password=PASSWORD, databases=SERVICES)
        else:
            self._servers[name] = await embedded_valkey.start(folder, password=PASSWORD)

    def _socket(self, name: str) -> Path:
        address = Path(self._servers[name].program.address)
        return address / f".s.PGSQL.{embedded_postgres.PORT}" if name == "postgres" else address

    async def _launch(self, word: str) -> None:
        """Start a service. The environment is complete: nothing is inherited."""
        with (self._folder / f"{word}.log").open("ab") as log:
            self._processes[word] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULES[word]),
                env=self._environment(word),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _environment(self, word: str) -> Mapping[str, str]:
        password = PASSWORD.replace(" ", "%20")
        at = {name: f"{LOOPBACK}:{proxy.port}" for name, proxy in self.proxies.items()}
        return SETTINGS | {
            f"GATEPOST_{word.upper()}_LISTEN": self._listen[word],
            f"GATEPOST_{word.upper()}_METRICS_LISTEN": self._metrics[word],
            f"GATEPOST_{word.upper()}_POSTGRES_DSN": f"postgresql://gatepost:{password}@{at['postgres']}/{word}",
            "GATEPOST_VALKEY_URL": f"redis://:{password}@{at['valkey']}/0",
            "GATEPOST_SMTP_PORT": at["mail"].rpartition(":")[2],
            "GATEPOST_USERS_MEDIA_DIR": str(self._folder / "media"),
            **{f"GATEPOST_{each.upper()}_TARGET": f"ipv4:{at[each]}" for each in SERVICES},
        }
