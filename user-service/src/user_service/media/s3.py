"""Pictures' files in a bucket that speaks S3. Imported only where one is configured: it takes a second, and memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from user_service.media import checked, unavailable

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_WHOLE_SECONDS = 8.0  # with its repeats; a caller waits 10
_MISSING = frozenset({"NoSuchKey", "404"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where a bucket is.

    Args:
        name: Of the bucket, which must exist.
        endpoint_url: Of a server other than Amazon's; the bucket is part of the path there. None for Amazon's.
        region: None for the client library's own choice, as for the two keys.
        access_key_id: Who asks.
        secret_access_key: Proves it.
        prefix: Goes before every key.
    """

    name: str
    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    prefix: str = ""


class S3Media:
    """A `Media`; made by `open_bucket`.

    Args:
        client: An open S3 client.
        bucket: See Bucket.
        opened: Closes the client.
    """

    def __init__(self, client: Any, bucket: Bucket, opened: AsyncExitStack) -> None:
        self._client = client
        self._bucket = bucket
        self._opened = opened

    async def put(self, key: str, content: bytes) -> None:
        """See Media.put."""
        place = self._place(key)
        async with _failures():
            await self._client.put_object(**place, Body=content)

    async def get(self, key: str) -> bytes | None:
        """See Media.get."""
        place = self._place(key)
        async with _failures():
            try:
                answer = await self._client.get_object(**place)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            async with answer["Body"] as stream:
                content: bytes = await stream.read()
        return content

    async def delete(self, key: str) -> None:
        """See Media.delete."""
        place = self._place(key)
        async with _failures():
            await self._client.delete_object(**place)

    async def close(self) -> None:
        """See Media.close."""
        await self._opened.aclose()

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket.name, "Key": f"{self._bucket.prefix}{checked(key)}"}


async def open_bucket(bucket: Bucket) -> S3Media:
    """Return the bucket as a `Media`; nothing is connected before the first call."""
    config = AioConfig(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
        s3={"addressing_style": "path"} if bucket.endpoint_url else {},
        # Servers other than Amazon's may not know the checksums that are sent by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    opened = AsyncExitStack()
    client = await opened.enter_async_context(
        get_session().create_client(
            "s3",
            region_name=bucket.region,
            endpoint_url=bucket.endpoint_url,
            aws_access_key_id=bucket.access_key_id,
            aws_secret_access_key=bucket.secret_access_key,
            config=config,
        )
    )
    return S3Media(client, bucket, opened)


@asynccontextmanager
async def _failures() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_WHOLE_SECONDS):
            yield
    except ClientError as error:
        raise unavailable(error, _code(error)) from error
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise unavailable(error) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
