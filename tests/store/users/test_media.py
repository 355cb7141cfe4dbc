"""What every store of files has to do, whichever it is; and what is particular to each."""

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes, token_hex

import pytest

from runtime.errors import GatepostError, Reason
from user_service.media import Media
from user_service.media.folder import FolderMedia
from user_service.media.s3 import Bucket, S3Media, open_bucket

BAD_KEYS = ["", "a", "../../etc/passwd", f"{'a' * 32}/../x", f"{'A' * 32}/whole", f"{'a' * 32}", f"{'a' * 32}/whole\n"]


@pytest.fixture
def key() -> str:
    return f"{token_hex(16)}/whole"


async def test_what_is_put_can_be_got(media: Media, key: str) -> None:
    content = token_bytes(100_000)
    await media.put(key, content)
    assert await media.get(key) == content


async def test_what_was_never_put_is_not_there(media: Media, key: str) -> None:
    assert await media.get(key) is None


async def test_what_is_deleted_is_gone_and_deleting_again_is_no_error(media: Media, key: str) -> None:
    await media.put(key, b"content")
    await media.delete(key)
    await media.delete(key)
    assert await media.get(key) is None


async def test_the_sizes_of_a_picture_are_apart(media: Media, key: str) -> None:
    small = key.replace("whole", "small")
    await media.put(key, b"whole")
    await media.put(small, b"small")
    await media.delete(key)
    assert (await media.get(key), await media.get(small)) == (None, b"small")


async def test_putting_the_same_again_is_no_error(media: Media, key: str) -> None:
    for _ in range(2):
        await media.put(key, b"content")
    assert await media.get(key) == b"content"


async def test_empty_content_is_content(media: Media, key: str) -> None:
    await media.put(key, b"")
    assert await media.get(key) == b""


@pytest.mark.parametrize("bad", BAD_KEYS)
async def test_what_is_no_key_is_refused(media: Media, bad: str) -> None:
    for call in (media.put(bad, b""), media.get(bad), media.delete(bad)):
        with pytest.raises(ValueError, match="no key"):
            await call


async def test_a_file_can_be_read_by_its_owner_alone(
    folder_media: Media, key: str, files: Callable[[], list[Path]]
) -> None:
    await folder_media.put(key, b"content")
    (file,) = files()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in list(file.parents)[:3]] == [0o700] * 3
    assert file.parts[-3:] == (key[:2], key[2:4], key.replace("/", "-"))


async def test_nothing_is_made_before_the_first_file(folder_media: Media, key: str, tmp_path: Path) -> None:
    assert await folder_media.get(key) is None
    await folder_media.delete(key)
    assert [*os.scandir(tmp_path)] == []


async def test_deleting_takes_what_a_crash_left_half_written(
    folder_media: Media, key: str, files: Callable[[], list[Path]]
) -> None:
    await folder_media.put(key, b"content")
    (file,) = files()
    file.rename(f"{file}.part")
    assert await folder_media.get(key) is None
    await folder_media.delete(key)
    assert files() == []


async def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    media = FolderMedia(tmp_path / "file" / "media")
    with pytest.raises(GatepostError) as caught:
        await media.put(key, b"content")
    assert (caught.value.reason, caught.value.retry_after_seconds) == (Reason.UNAVAILABLE, 1.0)


async def test_keys_of_a_bucket_begin_with_the_prefix(s3_media: S3Media, bucket: Bucket, key: str) -> None:
    await s3_media.put(key, b"content")
    listed = await s3_media._client.list_objects_v2(Bucket=bucket.name)
    assert [each["Key"] for each in listed["Contents"]] == [f"gatepost/media/{key}"]


async def test_a_bucket_that_is_not_there_is_unavailable(bucket: Bucket, key: str) -> None:
    media = await open_bucket(replace(bucket, name="nowhere"))
    for call in (media.put(key, b"content"), media.get(key), media.delete(key)):
        with pytest.raises(GatepostError) as caught:
            await call
        assert (caught.value.reason, caught.value.retry_after_seconds) == (Reason.UNAVAILABLE, 1.0)
    await media.close()


async def test_a_server_that_is_not_there_is_unavailable_within_the_callers_patience(bucket: Bucket, key: str) -> None:
    media = await open_bucket(replace(bucket, endpoint_url="http://127.0.0.1:9"))
    async with asyncio.timeout(9):
        for call in (media.put(key, b"content"), media.get(key), media.delete(key)):
            with pytest.raises(GatepostError) as caught:
                await call
            assert caught.value.reason is Reason.UNAVAILABLE
    await media.close()


async def test_a_server_that_never_answers_is_unavailable_within_the_callers_patience(bucket: Bucket, key: str) -> None:
    callers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    media = await open_bucket(replace(bucket, endpoint_url=f"http://127.0.0.1:{port}"))
    async with asyncio.timeout(9.5):
        with pytest.raises(GatepostError) as caught:
            await media.get(key)
    assert caught.value.reason is Reason.UNAVAILABLE
    await media.close()
    silent.close()
    for caller in callers:
        caller.close()
        await caller.wait_closed()


def test_a_bucket_does_not_show_its_secret(bucket: Bucket) -> None:
    assert "canary" not in repr(bucket)
