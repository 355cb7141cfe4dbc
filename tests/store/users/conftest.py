"""What the tests of user-service's storage share: a database, a folder, and a local server that speaks S3."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from runtime.clock import ManualClock
from runtime.postgres import Database
from user_service.media import Media
from user_service.media.folder import FolderMedia
from user_service.media.s3 import Bucket, open_bucket

Opened = Callable[..., Bucket]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(postgres: Any) -> AsyncIterator[Database]:
    database = await Database.connect(postgres.create_database("user_service"))
    yield database
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  seconds that other tests need not wait for

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_url: str) -> Bucket:
    return Bucket(
        name=f"pictures-{uuid4().hex[:8]}",
        endpoint_url=s3_url,
        region="us-east-1",
        access_key_id="someone",
        secret_access_key="canary",
        prefix="gatepost/media/",
    )


@pytest_asyncio.fixture(loop_scope="session")
async def s3_media(bucket: Bucket) -> AsyncIterator[Media]:
    media = await open_bucket(bucket)
    await media._client.create_bucket(Bucket=bucket.name)
    yield media
    await media.close()


@pytest.fixture
def folder_media(tmp_path: Path) -> Media:
    return FolderMedia(tmp_path / "not there yet" / "media")


@pytest.fixture(params=["folder", "s3"])
def media(request: pytest.FixtureRequest) -> Media:
    found: Media = request.getfixturevalue(f"{request.param}_media")
    return found


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], list[Path]]:
    """Return a function that lists the files of `folder_media`."""
    root = tmp_path / "not there yet" / "media"
    return lambda: sorted(Path(folder, name) for folder, _, names in os.walk(root) for name in names)
