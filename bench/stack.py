"""Our own stack: started as an operator starts it, on a temporary data folder, with limits lifted through settings."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import psutil
from redis.asyncio import Redis

from bench import cache, children
from bench.accounting import Group

_LIFTED = (
    "GATEPOST_SIGN_UPS_PER_ADDRESS",
    "GATEPOST_SIGN_UPS_PER_APP",
    "GATEPOST_SIGN_IN_FAILURES_PER_ADDRESS",
    "GATEPOST_SIGN_IN_FAILURES_PER_ACCOUNT",
    "GATEPOST_SIGN_IN_FAILURES_PER_APP",
    "GATEPOST_MAILS_PER_ACCOUNT",
    "GATEPOST_MAILS_PER_ADDRESS",
    "GATEPOST_MAILS_PER_APP",
    "GATEPOST_CODE_FAILURES_PER_ACCOUNT",
    "GATEPOST_CODE_FAILURES_PER_ADDRESS",
    "GATEPOST_HASH_QUEUE_SIZE",
)
_LIVES = {
    "GATEPOST_CODE_SECONDS": "86400",
    "GATEPOST_OTP_SECONDS": "86400",
    "GATEPOST_SHORT_ACCESS_TOKEN_SECONDS": "86400",
}
_QUIET = {"GATEPOST_LOG_LEVEL": "warning"}  # as the peers, which write no access log either
PROJECT, OTP_PROJECT = "bench", "bench-otp"


@dataclass(frozen=True)
class App:
    """A confidential app: its id and its secret."""

    client_id: str
    client_secret: str

    def credentials(self) -> dict[str, str]:
        """Return both as the iHopr dialect names them."""
        return {"client_id": self.client_id, "client_secret": self.client_secret}


@dataclass(frozen=True)
class Stack:
    """The stack, running.

    Attributes:
        folder: its data folder.
        url: of the gateway.
        dsns: of the databases.
        valkey_url: of Valkey.
        group: its processes.
        app: of the project with passwords.
        otp_app: of a project whose people sign in by mailed codes.
        start_seconds: the first start, which makes the databases.
        settings: in the environment of each command.
    """

    folder: Path
    url: str
    dsns: dict[str, str]
    valkey_url: str
    group: Group
    app: App
    otp_app: App
    start_seconds: float
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @classmethod
    async def start(cls, folder: Path, **settings: str) -> Self:
        """Start it with two projects and an app in each; keywords are settings."""
        seconds = await _up(folder, (), settings)
        try:
            await _command(folder, "project", "create", PROJECT)
            await _command(folder, "project", "create", OTP_PROJECT, "--sign-in", "otp")
            apps = [await _command(folder, "app", "create", "bench", "--project", p) for p in (PROJECT, OTP_PROJECT)]
            app, otp_app = (App(found["client_id"], found["client_secret"]) for found in apps)
            state = _state(folder)
        except BaseException:
            await _command(folder, "down")
            raise
        dsns, url, valkey_url = state["dsns"], state["url"], state["valkey_url"]
        return cls(folder, url, dsns, valkey_url, _group(state), app, otp_app, seconds, settings)

    async def stop(self) -> None:
        """Stop it."""
        await _command(self.folder, "down")

    async def again(self, *options: str) -> Self:
        """Start it once more after it was stopped, with other options of `gatepost up`; return it as it is now."""
        seconds = await _up(self.folder, options, self.settings)
        state = _state(self.folder)
        group = _group(state)
        return replace(self, url=state["url"], dsns=state["dsns"], group=group, start_seconds=seconds)

    async def forget_what_is_short_lived(self) -> None:
        """Put away the codes and challenges that were made for the load; where nobody is at work there are none."""
        async with Redis.from_url(self.valkey_url) as valkey:
            await valkey.flushall()

    async def idle_cpu_share(self, seconds: float) -> float:
        """Return the part of one core that it uses while nobody asks."""
        before = self.group.run_seconds()
        await asyncio.sleep(seconds)
        return max(self.group.run_seconds() - before, 0.0) / seconds


async def _up(folder: Path, options: Sequence[str], settings: Mapping[str, str]) -> float:
    began = time.perf_counter()
    await _command(folder, "up", "--detach", "--port", "0", *options, **settings)
    return time.perf_counter() - began


async def _command(folder: Path, *arguments: str, **settings: str) -> dict[str, Any]:
    lifted = dict.fromkeys(_LIFTED, "1000000000")
    environment = lifted | _LIVES | _QUIET | settings | {"GATEPOST_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "gatepost_cli", *arguments, "--json"]
    answer: dict[str, Any] = json.loads(await children.run(command, environment=environment, folder=cache.ROOT) or "{}")
    return answer


def _state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return found


def _group(state: dict[str, Any]) -> Group:
    several = {process["name"] for process in state["processes"] if process["index"]}
    pids = {
        f"{process['name']} {process['index']}" if process["name"] in several else process["name"]: process["pid"]
        for process in state["processes"]
    }
    supervisor = state["supervisor_pid"]
    # Services are forks of a process that the state does not name.
    others = {child.pid for child in psutil.Process(supervisor).children()} - set(pids.values())
    forking = dict.fromkeys(("fork-server",), others.pop()) if others else {}
    return Group(pids | forking | {"supervisor": supervisor}, alone=frozenset({"supervisor", "fork-server"}))
