"""A real gateway on a loopback port of this process, with the services absent: for what needs no core.

Used by the conformance suite and by `tests/unit/gateway`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from gateway.dialect import Dialect
from gateway.dialects import DIALECTS
from gateway.main import connect_services, make_listener
from gateway.readiness import Readiness
from gateway.server import Listener
from gateway.settings import GatewaySettings

NOBODY = "ipv4:127.0.0.1:1"
SERVICE_KEYS = "service-keys-for-tests-only-0123456789"


@dataclass(frozen=True)
class LocalGateway:
    """Where it listens, and a client to ask it with."""

    url: str
    port: int
    client: ClientSession
    listener: Listener
    readiness: Readiness


@asynccontextmanager
async def local_gateway(dialects: tuple[Dialect, ...] = DIALECTS, **settings: Any) -> AsyncIterator[LocalGateway]:
    """Run a gateway inside the block. Settings that are not given have their defaults, whatever the environment."""
    given = {
        "service_keys": SERVICE_KEYS,
        "auth_target": NOBODY,
        "users_target": NOBODY,
        "notify_target": NOBODY,
        "gateway_listen": "127.0.0.1:0",
        "shutdown_grace_seconds": 0.01,
    }
    chosen = GatewaySettings.model_validate(given | settings)
    clients = connect_services(chosen)
    readiness = Readiness(lambda: clients.ready(chosen.ready_timeout_seconds), chosen.ready_cache_seconds)
    listener = make_listener(chosen, clients, readiness, dialects)
    port = await listener.start(chosen.gateway_listen)
    readiness.accepting = True
    url = f"http://127.0.0.1:{port}"
    try:
        async with ClientSession(url) as client:
            yield LocalGateway(url, port, client, listener, readiness)
    finally:
        await listener.drain(chosen.shutdown_grace_seconds)
        await clients.close()
