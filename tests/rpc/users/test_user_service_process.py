"""`python -m user_service` as a process: its environment, its readiness, its end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
from free_ports import free_port

from gatepost.users.v1 import profiles_pb2 as pb
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from runtime.credentials import ServiceKeys
from runtime.grpc_client import connect

if TYPE_CHECKING:  # the stubs' name for what ProfileServiceStub makes of an asyncio channel
    from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceAsyncStub

KEY = "a-service-key-made-for-this-process-alone"
START_SECONDS = 20.0


async def launch(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "user_service",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(dsn: str, metrics_port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await launch(
        GATEPOST_SERVICE_KEYS=KEY,
        GATEPOST_USERS_POSTGRES_DSN=dsn,
        GATEPOST_USERS_LISTEN="127.0.0.1:0",
        GATEPOST_USERS_METRICS_LISTEN=f"127.0.0.1:{metrics_port}",
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def next_event(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        async for line in process.stdout:
            fields: dict[str, Any] = json.loads(line)
            if fields["event"] == event:
                return fields
    raise AssertionError(f"ended without {event!r}")


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[ProfileServiceAsyncStub]:
    keys = ServiceKeys([KEY])
    async with connect(f"127.0.0.1:{port}", issuer="gateway", audience="user-service", keys=keys) as channel:
        yield ProfileServiceStub(channel)


async def status_of(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status


async def test_it_runs_on_its_environment_alone_and_ends_when_told(postgres: Any) -> None:
    metrics_port = free_port()
    async with running(postgres.create_database("user_service"), metrics_port) as process:
        started = await next_event(process, "started")
        async with calling(started["port"]) as profiles:
            profile = pb.Profile(user_id=str(uuid4()), project_id=str(uuid4()))
            assert (await profiles.CreateProfile(pb.CreateProfileRequest(profile=profile))).profile.number == 1
        assert [await status_of(metrics_port, path) for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
        process.terminate()
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")


async def test_what_it_acknowledged_outlives_its_being_killed(postgres: Any) -> None:
    dsn = postgres.create_database("user_service")
    profile = pb.Profile(user_id=str(uuid4()), project_id=str(uuid4()), first_name="Ann")
    async with (
        running(dsn, free_port()) as process,
        calling((await next_event(process, "started"))["port"]) as profiles,
    ):
        created = (await profiles.CreateProfile(pb.CreateProfileRequest(profile=profile))).profile
        process.kill()
        await process.wait()
    async with (
        running(dsn, free_port()) as process,
        calling((await next_event(process, "started"))["port"]) as profiles,
    ):
        request = pb.GetProfileRequest(user_id=profile.user_id)
        assert (await profiles.GetProfile(request)).profile == created


async def test_without_postgresql_it_is_alive_and_not_ready_and_still_ends_when_told() -> None:
    metrics_port = free_port()
    async with running(f"postgresql://nobody@127.0.0.1:{free_port()}/users", metrics_port) as process:
        await next_event(process, "waiting for postgresql")
        assert await status_of(metrics_port, "/healthz") == 200
        assert await status_of(metrics_port, "/readyz") == 503
        process.terminate()
        async with asyncio.timeout(5):
            _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")


async def test_missing_settings_end_it_with_a_sentence_each() -> None:
    process = await launch()
    output, errors = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    assert errors == b"GATEPOST_SERVICE_KEYS is required.\nGATEPOST_USERS_POSTGRES_DSN is required.\n"
