"""Valkey from the wheel: an append-only file in a folder of ours, a private Unix socket, a generated password.

`up` runs `open_valkey(...).program()` under its supervisor; tests call `start`. Its folder holds `data/`, `run/`
(the socket) and `valkey.conf` (mode 0600: the password stands there and not on the command line).

The append-only file is written before a command is answered and synced to disk every second: a killed process loses
nothing, a machine that loses power up to one second of what Valkey holds, which is short-lived by design (codes,
challenges, rate windows). Syncing at every write would add the disk's latency to every request for that second's
sake.
"""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gatepost_cli import leftovers, probes
from gatepost_cli.embedded import binaries, run_folder
from gatepost_cli.embedded.server import Server
from gatepost_cli.program import Program

ESCALATION = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 3.0))
SOCKET = "valkey.sock"


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """A Valkey folder that is ready to be started; made by `open_valkey`."""

    folder: Path
    run: Path
    binary: Path
    password: str = field(repr=False)
    durable: bool

    @property
    def url(self) -> str:
        """The URL of database 0, complete, with its password, for redis-py."""
        return f"unix://:{quote(self.password, safe='')}@{quote(str(self.run / SOCKET), safe='/')}?db=0"

    def program(self) -> Program:
        """Return what runs the server; it is ready when it has loaded its data."""
        return Program(
            name="valkey",
            argv=(str(self.binary), str(self.folder / "valkey.conf")),
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            address=str(self.run / SOCKET),
            grace_seconds=10.0,
            prepare=self.prepare,
            ready=self.ready,
        )

    async def prepare(self) -> None:
        """End what still runs in the data folder, and write the configuration."""
        data = self.folder / "data"
        await leftovers.end(leftovers.working_in(data, "valkey-server"), ESCALATION)
        (self.run / SOCKET).unlink(missing_ok=True)
        data.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.run / SOCKET),
            "unixsocketperm": "700",
            "dir": str(data),
            "requirepass": self.password,
            "daemonize": "no",
            "loglevel": "warning",
            "hz": "5",  # looks after itself so often; at 10 times a second it takes 0.1 % of a core more when idle
            "save": "",
            "databases": "16" if self.durable else "10000",  # tests take one each
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        path = self.folder / "valkey.conf"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{name} {_quoted(value)}\n" for name, value in settings.items())

    async def ready(self) -> bool:
        """Tell whether the server answers."""
        return await probes.valkey_ready(self.url)


def open_valkey(folder: Path, *, password: str, durable: bool = True) -> Valkey:
    """Return the Valkey of `folder`, created if there is none yet.

    Args:
        folder: the server's own folder.
        password: of the default user; may change between starts.
        durable: False for tests: nothing is written to disk.

    Raises:
        CommandFailed: a path is unfit or the binary is missing.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    run = run_folder.make(folder, None)
    return Valkey(folder=folder, run=run, binary=binaries.valkey_server(), password=password, durable=durable)


@dataclass(frozen=True, kw_only=True)
class ValkeyServer(Server):
    """A running Valkey that `start` returned."""

    valkey: Valkey

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return self.valkey.url


async def start(folder: Path, *, password: str, durable: bool = True) -> ValkeyServer:
    """Start Valkey in `folder` and return when it answers; arguments as of `open_valkey`.

    Call it from the main thread. The server stops when this process ends, however it ends.

    Raises:
        CommandFailed: it does not start.
    """
    opened = open_valkey(folder, password=password, durable=durable)
    return await ValkeyServer.launch(opened.program(), opened.folder, valkey=opened)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
