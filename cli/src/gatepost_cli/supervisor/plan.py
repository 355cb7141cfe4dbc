"""Which processes a stack has, where each listens, and the environment that each gets.

`launch` asks for a `Plan` and hands its stages to the supervisor. The only place that knows the services'
modules and the names of their settings.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gatepost_cli import databases, ports, probes
from gatepost_cli.program import Program

MEDIA = "GATEPOST_USERS_MEDIA_DIR"
GRACE = "GATEPOST_SHUTDOWN_GRACE_SECONDS"
GRACE_SECONDS = 10.0
GRACE_MARGIN_SECONDS = 3.0
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared with, not bound


@dataclass(frozen=True)
class Kind:
    """One sort of service: its process name, its module, the word in its settings, and the targets it calls."""

    name: str
    module: str
    word: str
    calls: tuple[str, ...] = ()


NOTIFY = Kind("notify-service", "notify_service", "notify")
USERS = Kind("user-service", "user_service", "users")
AUTH = Kind("auth-service", "auth_service", "auth", calls=("users", "notify"))
GATEWAY = Kind("gateway", "gateway", "gateway", calls=("auth", "users", "notify"))
STAGES = ((NOTIFY, USERS), (AUTH,), (GATEWAY,))
TOGETHER = "all-in-one"
TOGETHER_MODULE = "all_in_one"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the operator asked for.

    Attributes:
        host: where the gateways listen.
        port: likewise, claimed already.
        instances: how many of each kind, by its word in the settings.
        together: one process for all, of one instance each.
        service_keys: in force between the services.
        master_key: for auth-service, or None when its environment names one.
        dsns: of each database.
        valkey_url: for auth-service.
        media: folder of the pictures, unless the environment names one.
    """

    host: str
    port: int
    instances: Mapping[str, int]
    together: bool = False
    service_keys: tuple[str, ...] = field(repr=False)
    master_key: str | None = field(repr=False)
    dsns: Mapping[str, str] = field(repr=False)
    valkey_url: str = field(repr=False)
    media: Path


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The services to run.

    Attributes:
        stages: first to last.
        url: base URL of the gateway as seen from this machine, without a trailing slash.
        targets: gRPC targets by the word in the settings, as seen from this machine.
        outbox_page: whether the gateway serves the development page.
    """

    stages: tuple[tuple[Program, ...], ...]
    url: str
    targets: Mapping[str, str]
    outbox_page: bool


def plan(wanted: Wanted, environ: Mapping[str, str], held: ports.Ports) -> Plan:
    """Lay out the services on ports that are held; `environ` is passed on to each of them.

    Raises:
        CommandFailed: no ports are free.
    """
    inner = {kind.word: wanted.instances[kind.word] for kind in (NOTIFY, USERS, AUTH)}
    chosen = iter(held.free(2 * sum(inner.values()) + wanted.instances["gateway"]))
    public = f"{_bracketed(wanted.host)}:{wanted.port}"
    addresses = {word: [f"{ports.LOOPBACK}:{next(chosen)}" for _ in range(count)] for word, count in inner.items()}
    addresses["gateway"] = [public] * wanted.instances["gateway"]
    metrics = {word: [f"{ports.LOOPBACK}:{next(chosen)}" for _ in instances] for word, instances in addresses.items()}
    targets = {word: f"ipv4:{','.join(addresses[word])}" for word in inner}
    near = {kind.word: f"inprocess:{kind.name}" for kind in (NOTIFY, USERS, AUTH)}
    url = f"http://{_bracketed(EVERY_ADDRESS.get(wanted.host, wanted.host))}:{wanted.port}"
    # The page shows everybody's codes: by default only where nobody else can ask for it.
    page = environ.get("GATEPOST_OUTBOX_PAGE") or str(wanted.host in LOOPBACK_HOSTS).lower()
    common = {
        **environ,
        "PYTHONUNBUFFERED": "1",
        "GATEPOST_SERVICE_KEYS": ",".join(wanted.service_keys),
        "GATEPOST_PUBLIC_URL": environ.get("GATEPOST_PUBLIC_URL") or url,
        "GATEPOST_OUTBOX_PAGE": page,
    }

    def program(kind: Kind, index: int) -> Program:
        called = near if wanted.together else targets
        own = {f"GATEPOST_{word.upper()}_TARGET": called[word] for word in kind.calls}
        own[f"GATEPOST_{kind.word.upper()}_LISTEN"] = addresses[kind.word][index]
        own[f"GATEPOST_{kind.word.upper()}_METRICS_LISTEN"] = metrics[kind.word][index]
        if kind.word in wanted.dsns:
            own[databases.variable(kind.word)] = wanted.dsns[kind.word]
        if kind is USERS:
            own[MEDIA] = environ.get(MEDIA) or str(wanted.media)
        if kind is AUTH:
            own["GATEPOST_VALKEY_URL"] = wanted.valkey_url
            if wanted.master_key is not None:
                own["GATEPOST_MASTER_KEY"] = wanted.master_key
        base = f"http://{metrics[kind.word][index]}"
        return Program(
            name=kind.name,
            index=index,
            argv=(sys.executable, "-m", kind.module),
            module=kind.module,
            environment=common | own,
            address=addresses[kind.word][index],
            metrics=base,
            grace_seconds=grace_seconds(environ) + GRACE_MARGIN_SECONDS,
            ready=partial(probes.http_ready, base),
        )

    stages = tuple(
        tuple(program(kind, index) for kind in stage for index in range(wanted.instances[kind.word]))
        for stage in STAGES
    )
    return Plan(
        stages=((_together([each for stage in stages for each in stage]),),) if wanted.together else stages,
        url=url,
        targets=targets,
        outbox_page=page.lower() in {"true", "1", "yes", "on"},
    )


def _together(services: Sequence[Program]) -> Program:
    """Return the one program that does what the services do; no two of them have different values of a setting."""

    async def ready() -> bool:
        return all(await asyncio.gather(*(service.ready() for service in services)))

    return Program(
        name=TOGETHER,
        argv=(sys.executable, "-m", TOGETHER_MODULE),
        module=TOGETHER_MODULE,
        environment={name: value for service in services for name, value in service.environment.items()},
        address=services[-1].address,
        # They stop one after the other: who calls before who is called.
        grace_seconds=len(STAGES) * services[0].grace_seconds,
        ready=ready,
        holds=tuple(services),
    )


def grace_seconds(environ: Mapping[str, str]) -> float:
    """Return how long a service may take to stop."""
    try:
        return float(environ.get(GRACE) or GRACE_SECONDS)
    except ValueError:  # the services refuse it with a better message
        return GRACE_SECONDS


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
