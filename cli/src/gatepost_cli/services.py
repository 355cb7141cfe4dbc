"""Where the services are and which keys open them, for the commands that administer them.

The environment says it where a service would be told too (a container, a host without our supervisor), else the
data folder of a running stack does. A folder that is named on the command line wins over both.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatepost_cli import stack
from gatepost_cli.errors import CommandFailed

SERVICE_KEYS = "GATEPOST_SERVICE_KEYS"
# The services' own defaults, for what the environment leaves out.
TARGETS = {
    "GATEPOST_AUTH_TARGET": "ipv4:127.0.0.1:7001",
    "GATEPOST_USERS_TARGET": "ipv4:127.0.0.1:7002",
    "GATEPOST_NOTIFY_TARGET": "ipv4:127.0.0.1:7003",
}
SHORTEST_KEY = 32


@dataclass(frozen=True, kw_only=True)
class Services:
    """The three services.

    Attributes:
        auth_target: gRPC target of auth-service.
        users_target: likewise of user-service.
        notify_target: likewise of notify-service.
        service_keys: the first signs.
    """

    auth_target: str
    users_target: str
    notify_target: str
    service_keys: tuple[str, ...] = field(repr=False)


def locate(folder: Path | None) -> Services:
    """Return the services: of the folder if one is given, else of the environment, else of the default folder.

    Raises:
        CommandFailed: nothing runs in the folder, or the environment's keys are unfit.
    """
    found = from_environment(os.environ) if folder is None else None
    return found or of(stack.load(folder))


def from_environment(environ: Mapping[str, str]) -> Services | None:
    """Return the services that an environment names by keys and at least one target, else None.

    Raises:
        CommandFailed: a key is too short.
    """
    keys = tuple(key.strip() for key in environ.get(SERVICE_KEYS, "").split(",") if key.strip())
    if not keys or not any(environ.get(name) for name in TARGETS):
        return None
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise CommandFailed(f"{SERVICE_KEYS}: keys have {SHORTEST_KEY} characters or more each")
    auth, users, notify = (environ.get(name) or default for name, default in TARGETS.items())
    return Services(auth_target=auth, users_target=users, notify_target=notify, service_keys=keys)


def of(running: stack.Stack) -> Services:
    """Return the services of a running stack."""
    return Services(
        auth_target=running.auth_target,
        users_target=running.users_target,
        notify_target=running.notify_target,
        service_keys=running.service_keys,
    )
