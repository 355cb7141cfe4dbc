"""What runs in a data folder, as its supervisor last wrote it: the document `state.json`.

Its mode is 0600, it holds passwords. The supervisor writes it; `status`, `down`, `stack` and the next `up` read it.
Processes are named by process id and creation time, because an id alone may belong to somebody else by now.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

from gatepost_cli import leftovers, private_json
from gatepost_cli.data_dir import DataDir


@dataclass(frozen=True)
class RunningProcess:
    """One process of the stack.

    Attributes:
        name: `gateway`, `auth-service`, `user-service`, `notify-service`, `postgres` or `valkey`.
        index: which instance, from 0.
        pid: process id; None while it is not running.
        created: when it was created, seconds since the epoch; None while it is not running.
        address: `host:port`, or the path of a socket.
        metrics: base URL of the metrics listener, or None.
    """

    name: str
    index: int
    pid: int | None
    created: float | None
    address: str
    metrics: str | None


@dataclass(frozen=True, kw_only=True)
class State:
    """What one `up` runs.

    Attributes:
        supervisor_pid: process id of the supervisor.
        supervisor_created: when it was created, seconds since the epoch.
        ready: whether everything has become ready once.
        url: base URL of the gateway, without a trailing slash.
        targets: gRPC target of `auth`, `users` and `notify`.
        service_keys: the keys in force between the services.
        dsns: DSN of the databases `auth`, `users` and `notify`.
        valkey_url: URL of Valkey or Redis.
        outbox_page: whether the gateway serves the development page.
        processes: everything that was started.
    """

    supervisor_pid: int
    supervisor_created: float
    ready: bool
    url: str
    targets: Mapping[str, str]
    service_keys: tuple[str, ...] = field(repr=False)
    dsns: Mapping[str, str] = field(repr=False)
    valkey_url: str = field(repr=False)
    outbox_page: bool
    processes: tuple[RunningProcess, ...]

    def supervisor_runs(self) -> bool:
        """Tell whether the supervisor is alive."""
        return leftovers.recorded(self.supervisor_pid, self.supervisor_created) is not None


def write(data_dir: DataDir, state: State) -> None:
    """Replace the folder's state."""
    private_json.write(data_dir.state, asdict(state))


def read(data_dir: DataDir) -> State | None:
    """Return the folder's state, or None when nothing was started there or the document is of another version."""
    document = private_json.read(data_dir.state)
    if document is None:
        return None
    try:
        processes = tuple(RunningProcess(**process) for process in document.pop("processes"))
        return State(**document | {"service_keys": tuple(document["service_keys"])}, processes=processes)
    except (KeyError, TypeError):
        return None


def created(pid: int) -> float | None:
    """Return when a process was created, seconds since the epoch; None when it is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def ourselves() -> dict[str, Any]:
    """Return this process as the state's supervisor."""
    return {"supervisor_pid": os.getpid(), "supervisor_created": created(os.getpid())}
