"""The composition root: what a gateway process is made of, read top to bottom."""

import asyncio
from functools import partial

from gateway.addresses import Addresses
from gateway.app import App
from gateway.clients import Clients
from gateway.connections import Bounds, Connections
from gateway.dialect import Dialect
from gateway.dialects import DIALECTS
from gateway.documentation import documentation
from gateway.house import house
from gateway.kept import Kept
from gateway.limits import Allowance, Limit, Limits
from gateway.observe import Observer
from gateway.origins import Origins
from gateway.pages import PAGES
from gateway.readiness import Readiness
from gateway.routing import RouteTable
from gateway.server import Listener, check_aiohttp
from gateway.settings import GatewaySettings
from runtime import logs, metrics
from runtime.credentials import ServiceKeys
from runtime.grpc_client import connect
from runtime.service import settle
from runtime.tls import Tls

NAME = "gateway"


async def serve(settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Start, serve until `stop` is set, drain, and return.

    Raises:
        OSError: An address cannot be listened on.
        RuntimeError: aiohttp is too old, or without its C parser.
    """
    check_aiohttp()
    logs.configure(NAME, settings.log_level)
    log = logs.get_logger()
    clients = connect_services(settings)
    clients.start()
    readiness = Readiness(lambda: clients.ready(settings.ready_timeout_seconds), settings.ready_cache_seconds)
    private = await metrics.serve(settings.gateway_metrics_listen, readiness.checks)
    listener = make_listener(settings, clients, readiness)
    port = await listener.start(settings.gateway_listen)
    readiness.accepting = True
    settle()
    log.info("started", listen=settings.gateway_listen, port=port)
    await stop.wait()
    readiness.accepting = False
    await listener.drain(settings.shutdown_grace_seconds)
    await private.cleanup()
    await clients.close()
    log.info("stopped")


def connect_services(settings: GatewaySettings) -> Clients:
    """Make a channel to each service; nothing is opened before the first call."""
    keys = ServiceKeys(settings.service_key_list)
    to = partial(connect, issuer=NAME, keys=keys, tls=Tls.from_settings(settings), coalescing=settings.coalescing)
    auth = to(settings.auth_target, audience="auth-service")
    users = to(settings.users_target, audience="user-service")
    kept = None
    if settings.cache_seconds:
        kept = Kept(
            auth=auth,
            users=users,
            credential=partial(keys.metadata, NAME),
            seconds=settings.cache_seconds,
            entries=settings.cache_entries,
        )
    return Clients(
        auth=auth,
        users=users,
        notify=to(settings.notify_target, audience="notify-service"),
        kept=kept,
        project_cache_seconds=settings.project_cache_seconds,
    )


def make_listener(
    settings: GatewaySettings, clients: Clients, readiness: Readiness, dialects: tuple[Dialect, ...] = DIALECTS
) -> Listener:
    """Put the public side together; not yet listening."""
    served = [*dialects, PAGES, documentation(dialects, settings.public_url), house(readiness)]
    if settings.outbox_page:
        from gateway.outbox_page import outbox

        served.append(outbox())
    addresses = Addresses(settings.trusted_proxies)
    app = App(
        settings=settings,
        table=RouteTable(served),
        clients=clients,
        addresses=addresses,
        origins=Origins(
            clients.origin_allowed,
            cache_seconds=settings.origin_cache_seconds,
            cache_entries=settings.origin_cache_entries,
        ),
        limits=Limits(
            {
                Limit.CHECK: Allowance(settings.request_body_limit_bytes, settings.requests_limit_count),
                Limit.ORDINARY: Allowance(settings.request_body_limit_bytes, settings.requests_limit_count),
                Limit.PASSWORD: Allowance(settings.request_body_limit_bytes, settings.password_requests_limit_count),
                Limit.UPLOAD: Allowance(settings.upload_body_limit_bytes, settings.uploads_limit_count),
                Limit.HEALTH: Allowance(settings.request_body_limit_bytes, settings.requests_limit_count),
            }
        ),
        observer=Observer(),
    )
    bounds = Bounds(
        count=settings.connections_limit_count,
        per_client=settings.connections_limit_per_client_count,
        head_seconds=settings.request_head_timeout_seconds,
        unread_seconds=settings.unread_answer_timeout_seconds,
    )
    return Listener(
        app.handle,
        Connections(bounds, addresses),
        keepalive_timeout=settings.keepalive_timeout_seconds,
        max_line_size=settings.request_line_limit_bytes,
        max_field_size=settings.request_header_limit_bytes,
        max_headers=settings.request_header_limit_count,
    )
