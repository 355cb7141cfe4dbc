"""The composition root of user-service, read top to bottom; `__main__` runs it. Only this module constructs."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from secrets import token_hex

from gatepost.users.v1.profiles_pb2_grpc import add_ProfileServiceServicer_to_server
from runtime import logs, metrics
from runtime.clock import SystemClock
from runtime.credentials import ServiceKeys
from runtime.grpc_server import GrpcServer
from runtime.migrations import open_migrated
from runtime.service import settle, unless_stopped
from runtime.tls import Tls
from user_service.profiles import Profiles
from user_service.rpc import SERVICE_NAME, ProfileRpc
from user_service.settings import UserSettings

NAME = "user-service"
ALLOWED_CALLERS = frozenset({"gateway", "auth-service", "cli"})
PUBLIC_ID_BYTES = 16


async def serve(settings: UserSettings, stop: asyncio.Event) -> None:
    """Start, serve until `stop` is set, end what is under way, and return.

    The metrics listener is there first, alive but not ready, while PostgreSQL is waited for; RPCs are taken after that.

    Raises:
        MigrationError: The database was migrated by files that differ from ours.
        OSError: The metrics address cannot be listened on.
        RuntimeError: The RPC address cannot be listened on.
    """
    logs.configure(NAME, settings.log_level)
    log = logs.get_logger()
    checks = metrics.Checks()
    async with AsyncExitStack() as ending:
        ending.callback(log.info, "stopped")
        ending.push_async_callback((await metrics.serve(settings.users_metrics_listen, checks)).cleanup)
        database = await unless_stopped(
            stop,
            open_migrated(
                settings.users_postgres_dsn.get_secret_value(),
                "user_service",
                max_size=settings.users_postgres_pool_size,
                application_name=NAME,
            ),
        )
        if database is None:
            return
        ending.push_async_callback(database.close)
        profiles = Profiles(database, SystemClock(), partial(token_hex, PUBLIC_ID_BYTES))
        server = GrpcServer(
            service=NAME,
            listen=settings.users_listen,
            keys=ServiceKeys(settings.service_key_list),
            allowed_callers=ALLOWED_CALLERS,
            tls=Tls.from_settings(settings),
        )
        server.add(add_ProfileServiceServicer_to_server, ProfileRpc(profiles), SERVICE_NAME)
        await server.start()
        ending.push_async_callback(server.stop, settings.shutdown_grace_seconds)
        checks.add("postgresql", database.ready)
        settle()
        log.info("started", listen=settings.users_listen, port=server.port)
        await stop.wait()
