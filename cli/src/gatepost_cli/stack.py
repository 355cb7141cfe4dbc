"""The running stack as the other commands see it: where its services listen and with which keys they are called.

`load` is the one way to it. Nothing is started and nothing is called here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatepost_cli import state
from gatepost_cli.data_dir import DataDir, locate
from gatepost_cli.errors import CommandFailed


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running stack.

    Attributes:
        data_dir: its data folder.
        url: base URL of the gateway, without a trailing slash.
        auth_target: gRPC target of auth-service, such as `ipv4:127.0.0.1:7001,127.0.0.1:7011`.
        users_target: likewise of user-service.
        notify_target: likewise of notify-service.
        service_keys: the first signs.
        dsns: DSN of the databases `auth`, `users` and `notify`.
        valkey_url: URL of Valkey or Redis.
        outbox_page: whether the gateway serves `/outbox`.
    """

    data_dir: DataDir
    url: str
    auth_target: str
    users_target: str
    notify_target: str
    service_keys: tuple[str, ...] = field(repr=False)
    dsns: Mapping[str, str] = field(repr=False)
    valkey_url: str = field(repr=False)
    outbox_page: bool


def load(data_dir: Path | None = None) -> Stack:
    """Return the stack that runs in a data folder (default: GATEPOST_DATA_DIR, else `.gatepost`).

    Raises:
        CommandFailed: nothing runs there.
    """
    where = locate(data_dir)
    running = state.read(where)
    if running is None or not running.supervisor_runs():
        raise CommandFailed(f"no stack runs in {where.path}; start one with `gatepost up`, or name its --data-dir")
    return of(where, running)


def of(data_dir: DataDir, running: state.State) -> Stack:
    """Return the stack that a state describes."""
    return Stack(
        data_dir=data_dir,
        url=running.url,
        auth_target=running.targets["auth"],
        users_target=running.targets["users"],
        notify_target=running.targets["notify"],
        service_keys=running.service_keys,
        dsns=running.dsns,
        valkey_url=running.valkey_url,
        outbox_page=running.outbox_page,
    )
