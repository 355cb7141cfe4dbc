"""The composition root of user-service, read top to bottom; `__main__` runs it. Only this module constructs."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from functools import partial
from secrets import token_hex
from typing import Literal

from gatepost.users.v1.locations_pb2_grpc import add_LocationServiceServicer_to_server
from gatepost.users.v1.pictures_pb2_grpc import add_PictureServiceServicer_to_server
from gatepost.users.v1.profiles_pb2_grpc import add_ProfileServiceServicer_to_server
from runtime import logs, metrics
from runtime.changes import Changes
from runtime.clock import SystemClock
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError
from runtime.grpc_server import GrpcServer
from runtime.loops import Loop
from runtime.migrations import open_migrated
from runtime.postgres import Database
from runtime.service import settle, unless_stopped
from runtime.tls import Tls
from user_service import copying
from user_service.initials import Initials
from user_service.locations import Locations
from user_service.media import Media
from user_service.media.folder import FolderMedia
from user_service.pictures import Pictures
from user_service.profiles import Profiles
from user_service.rpc import locations as location_rpc
from user_service.rpc import pictures as picture_rpc
from user_service.rpc import profiles as profile_rpc
from user_service.settings import UserSettings
from user_service.workers import Workers

NAME = "user-service"
ALLOWED_CALLERS = frozenset({"gateway", "auth-service", "cli"})
ID_BYTES = 16
DRAWING_QUEUE_SIZE = 256
DRAWN_KEPT = 256
SHIPPING_PAUSE_SECONDS = 1.0
SWEEP_SECONDS = 10.0
_BY_HAND_SECONDS = 3600.0


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
        clock = SystemClock()
        mint_id = partial(token_hex, ID_BYTES)
        locations = Locations(database)
        if await unless_stopped(stop, _shipped(locations)) is None:
            return
        media = await _media(settings)
        ending.push_async_callback(media.close)
        decoding = Workers(
            "picture", count=settings.users_picture_workers, queue_size=settings.users_picture_queue_size
        )
        drawing = Workers("initials", count=1, queue_size=DRAWING_QUEUE_SIZE)
        ending.callback(decoding.close)
        ending.callback(drawing.close)
        pictures = Pictures(database, media, decoding, clock, mint_id)
        sweep = Loop("picture removal", SWEEP_SECONDS, pictures.sweep)

        server = GrpcServer(
            service=NAME,
            listen=settings.users_listen,
            keys=ServiceKeys(settings.service_key_list),
            allowed_callers=ALLOWED_CALLERS,
            tls=Tls.from_settings(settings),
        )
        server.add(
            add_ProfileServiceServicer_to_server,
            profile_rpc.ProfileRpc(Profiles(database, clock, mint_id, most=settings.batch_limit_items)),
            profile_rpc.SERVICE_NAME,
        )
        server.add(
            add_PictureServiceServicer_to_server,
            picture_rpc.PictureRpc(pictures, Initials(drawing, DRAWN_KEPT), sweep.nudge),
            picture_rpc.SERVICE_NAME,
        )
        server.add(
            add_LocationServiceServicer_to_server, location_rpc.LocationRpc(locations), location_rpc.SERVICE_NAME
        )
        changes = Changes(settings.users_postgres_dsn.get_secret_value(), NAME)
        changes.mount(server)
        await server.start()
        sweep.start()
        ending.push_async_callback(sweep.stop)
        ending.push_async_callback(server.stop, settings.shutdown_grace_seconds)
        ending.push_async_callback(changes.close)  # ends first
        checks.add("postgresql", database.ready)
        settle()
        log.info("started", listen=settings.users_listen, port=server.port)
        await stop.wait()


async def _shipped(locations: Locations) -> bool:
    """Put the places that ship in place; PostgreSQL may go away again before that."""
    while True:
        try:
            await locations.ship()
        except GatepostError:
            await asyncio.sleep(SHIPPING_PAUSE_SECONDS)
        else:
            return True


async def copied(settings: UserSettings, what: Literal["read", "write", "keep"]) -> None:
    """Move pictures' files between the media and our stdin or stdout; the last line of an answer counts. See `copying`.

    Raises:
        ValueError: What comes in is no stream of pictures.
        GatepostError: UNAVAILABLE.
    """
    media = await _media(settings)
    try:
        if what == "read":
            await copying.read(media, sys.stdin, sys.stdout.buffer)
            return
        dsn = settings.users_postgres_dsn.get_secret_value()
        database = await Database.connect(dsn, max_size=1, command_timeout_seconds=_BY_HAND_SECONDS)
        try:
            if what == "write":
                done = {"without_file": await copying.write(database, media, sys.stdin.buffer, SystemClock())}
            else:
                done = {"deleted": await copying.keep(database, media) if isinstance(media, FolderMedia) else 0}
        finally:
            await database.close()
        sys.stdout.write(f"{json.dumps(done)}\n")
    finally:
        await media.close()


async def _media(settings: UserSettings) -> Media:
    if not settings.users_media_s3_bucket:
        return FolderMedia(settings.users_media_dir)
    from user_service.media.s3 import Bucket, open_bucket  # a second that a folder need not wait for

    return await open_bucket(
        Bucket(
            name=settings.users_media_s3_bucket,
            endpoint_url=settings.users_media_s3_endpoint_url or None,
            region=settings.users_media_s3_region or None,
            access_key_id=settings.users_media_s3_access_key_id or None,
            secret_access_key=settings.users_media_s3_secret_access_key.get_secret_value() or None,
            prefix=settings.users_media_s3_prefix,
        )
    )
