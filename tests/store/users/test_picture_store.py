"""The use cases of pictures over a real PostgreSQL and a real store of files."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from drawn import opened, plain

from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database
from user_service.media import Media
from user_service.model import EDITABLE, Details, PictureKind, PictureSize
from user_service.pictures import Pictures
from user_service.profiles import Profiles
from user_service.workers import Workers

BLANK: dict[str, Any] = {name: getattr(Details(), name) for name in EDITABLE} | {"birth_date": ""}
PARALLEL = 20
AVATAR, COVER, ICON = PictureKind.AVATAR, PictureKind.COVER, PictureKind.ICON
Files = Callable[[], list[Path]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workers() -> AsyncIterator[Workers]:
    workers = Workers("picture", count=2, queue_size=PARALLEL)
    yield workers
    workers.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def swept(database: Database) -> None:
    """Start without pictures that tests before have left: their files are in other folders."""
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM pictures")


@pytest.fixture
def profiles(database: Database, clock: ManualClock) -> Profiles:
    return Profiles(database, clock, partial(token_hex, 16), most=100)


@pytest_asyncio.fixture(loop_scope="session")
async def user_id(profiles: Profiles) -> UUID:
    return (await profiles.create(uuid4(), uuid4(), BLANK)).user_id


@pytest.fixture
def make(database: Database, workers: Workers, clock: ManualClock) -> Callable[[Media], Pictures]:
    return lambda media: Pictures(database, media, workers, clock, partial(token_hex, 16))


@pytest.fixture
def pictures(make: Callable[[Media], Pictures], folder_media: Media) -> Pictures:
    return make(folder_media)


class Dying:
    """A store of files that stops working, as a killed process would, when it has put some.

    Args:
        media: Where the files go.
        survives: How many files it puts.
    """

    def __init__(self, media: Media, survives: int) -> None:
        self.media = media
        self.left = survives

    async def put(self, key: str, content: bytes) -> None:
        if self.left == 0:
            raise GatepostError(Reason.UNAVAILABLE)
        self.left -= 1
        await self.media.put(key, content)

    async def get(self, key: str) -> bytes | None:
        return await self.media.get(key)

    async def delete(self, key: str) -> None:
        raise GatepostError(Reason.UNAVAILABLE, key)

    async def close(self) -> None:
        await self.media.close()


async def reason_of(call: Any) -> Reason:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value.reason


async def sweep(pictures: Pictures) -> int:
    count = 0
    while await pictures.sweep():
        count += 1
    return count


async def test_a_picture_is_shown_in_every_size_from_either_store(
    make: Callable[[Media], Pictures], media: Media, user_id: UUID, profiles: Profiles
) -> None:
    pictures = make(media)
    profile = await pictures.set_of_profile(user_id, AVATAR, plain(300, 200))
    assert profile == await profiles.get(user_id)
    shown = {size: opened((await pictures.get(profile.picture, size)).content).size for size in PictureSize}
    assert shown[PictureSize.WHOLE] == (300, 200)
    assert shown[PictureSize.TOPBAR] == (20, 20)
    await pictures.set_of_profile(user_id, AVATAR, b"")
    assert await sweep(pictures) == 1
    assert [await media.get(f"{profile.picture}/{size}") for size in PictureSize] == [None] * len(PictureSize)


async def test_avatar_and_cover_are_apart_and_each_is_a_change_of_the_profile(
    pictures: Pictures, user_id: UUID, clock: ManualClock
) -> None:
    first = await pictures.set_of_profile(user_id, AVATAR, plain())
    clock.advance(timedelta(seconds=5))
    second = await pictures.set_of_profile(user_id, COVER, plain())
    assert (second.picture, first.cover) == (first.picture, "")
    assert len(bytes.fromhex(second.cover)) == 16
    assert (second.version, second.updated_at) == (first.version + 1, first.updated_at + timedelta(seconds=5))


async def test_a_replaced_picture_can_be_shown_no_more_and_its_files_go(
    pictures: Pictures, user_id: UUID, files: Files
) -> None:
    before = (await pictures.set_of_profile(user_id, AVATAR, plain())).picture
    after = (await pictures.set_of_profile(user_id, AVATAR, plain(colour="blue"))).picture
    assert await reason_of(pictures.get(before, PictureSize.WHOLE)) is Reason.NOT_FOUND
    assert await sweep(pictures) == 1
    assert {file.name[:32] for file in files()} == {after}


async def test_removing_a_picture_that_is_not_there_changes_nothing(
    pictures: Pictures, profiles: Profiles, user_id: UUID
) -> None:
    before = await profiles.get(user_id)
    assert await pictures.set_of_profile(user_id, AVATAR, b"") == before
    assert await profiles.get(user_id) == before


async def test_of_parallel_uploads_exactly_one_keeps_its_files(
    pictures: Pictures, profiles: Profiles, user_id: UUID, files: Files
) -> None:
    await asyncio.gather(*(pictures.set_of_profile(user_id, AVATAR, plain(n + 1)) for n in range(PARALLEL)))
    assert await sweep(pictures) == PARALLEL - 1
    kept = (await profiles.get(user_id)).picture
    assert [file.name for file in files()] == sorted(f"{kept}-{size}" for size in PictureSize)


async def test_a_deleted_profile_takes_its_pictures_along(
    pictures: Pictures, profiles: Profiles, user_id: UUID, files: Files
) -> None:
    await pictures.set_of_profile(user_id, AVATAR, plain())
    profile = await pictures.set_of_profile(user_id, COVER, plain())
    await profiles.delete(user_id)
    for picture_id in (profile.picture, profile.cover):
        assert await reason_of(pictures.get(picture_id, PictureSize.WHOLE)) is Reason.NOT_FOUND
    assert await sweep(pictures) == 2
    assert files() == []


async def test_a_crash_between_files_and_profile_leaves_the_profile_as_it_was_and_no_files_for_good(
    make: Callable[[Media], Pictures],
    pictures: Pictures,
    folder_media: Media,
    profiles: Profiles,
    user_id: UUID,
    files: Files,
    clock: ManualClock,
) -> None:
    before = await pictures.set_of_profile(user_id, AVATAR, plain())
    kept = files()
    dying = make(Dying(folder_media, survives=3))
    assert await reason_of(dying.set_of_profile(user_id, AVATAR, plain(colour="blue"))) is Reason.UNAVAILABLE
    assert await profiles.get(user_id) == before
    assert len(files()) == len(kept) + 3
    assert await sweep(pictures) == 0  # not yet: another instance might be writing it
    clock.advance(timedelta(minutes=11))
    assert await sweep(pictures) == 1
    assert files() == kept


async def test_an_upload_that_comes_back_after_it_was_given_up_points_to_nothing(
    make: Callable[[Media], Pictures],
    pictures: Pictures,
    folder_media: Media,
    profiles: Profiles,
    user_id: UUID,
    clock: ManualClock,
) -> None:
    class Slow(Dying):
        async def put(self, key: str, content: bytes) -> None:
            await super().put(key, content)
            if self.left == 0:
                clock.advance(timedelta(minutes=11))
                await sweep(pictures)

    before = await profiles.get(user_id)
    slow = make(Slow(folder_media, survives=len(PictureSize)))
    assert await reason_of(slow.set_of_profile(user_id, AVATAR, plain())) is Reason.UNAVAILABLE
    assert await profiles.get(user_id) == before


async def test_files_that_cannot_be_deleted_now_are_deleted_later_and_hold_up_no_others(
    make: Callable[[Media], Pictures],
    pictures: Pictures,
    folder_media: Media,
    user_id: UUID,
    files: Files,
    clock: ManualClock,
) -> None:
    for _ in range(3):
        await pictures.set_of_profile(user_id, AVATAR, plain())
    failing = make(Dying(folder_media, survives=0))
    assert await reason_of(failing.sweep()) is Reason.UNAVAILABLE
    assert await sweep(pictures) == 1  # the other one
    clock.advance(timedelta(minutes=6))
    assert await sweep(pictures) == 1
    assert len(files()) == len(PictureSize)


async def test_two_instances_never_sweep_the_same_picture(pictures: Pictures, user_id: UUID) -> None:
    for _ in range(6):
        await pictures.set_of_profile(user_id, AVATAR, plain())
    done = await asyncio.gather(*(pictures.sweep() for _ in range(10)))
    assert sum(done) == 5


async def test_an_upload_for_nobody_is_not_found_and_leaves_nothing(
    pictures: Pictures, database: Database, files: Files
) -> None:
    assert await reason_of(pictures.set_of_profile(uuid4(), AVATAR, plain())) is Reason.NOT_FOUND
    assert await reason_of(pictures.set_of_profile(uuid4(), AVATAR, b"")) is Reason.NOT_FOUND
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pictures") == 0
    assert files() == []


async def test_a_refused_upload_leaves_the_picture_there_is(
    pictures: Pictures, profiles: Profiles, user_id: UUID
) -> None:
    before = await pictures.set_of_profile(user_id, AVATAR, plain())
    assert await reason_of(pictures.set_of_profile(user_id, AVATAR, b"no picture")) is Reason.INVALID_PARAMETER
    assert await profiles.get(user_id) == before


async def test_an_icon_belongs_to_no_profile_and_is_deleted_on_demand(pictures: Pictures, files: Files) -> None:
    icon = await pictures.create(ICON, plain())
    assert (await pictures.get(icon, PictureSize.SMALL)).content
    await pictures.delete(icon)
    await pictures.delete(icon)
    assert await reason_of(pictures.get(icon, PictureSize.SMALL)) is Reason.NOT_FOUND
    assert await sweep(pictures) == 1
    assert files() == []


async def test_a_picture_of_a_profile_is_not_deleted_as_an_icon(pictures: Pictures, user_id: UUID) -> None:
    picture_id = (await pictures.set_of_profile(user_id, AVATAR, plain())).picture
    await pictures.delete(picture_id)
    assert await sweep(pictures) == 0
    assert (await pictures.get(picture_id, PictureSize.SMALL)).content


@pytest.mark.parametrize("kind", [AVATAR, COVER])
async def test_a_picture_of_a_profile_is_not_made_without_one(pictures: Pictures, kind: PictureKind) -> None:
    assert await reason_of(pictures.create(kind, plain())) is Reason.INVALID_PARAMETER


async def test_an_icon_is_not_set_on_a_profile(pictures: Pictures, user_id: UUID) -> None:
    assert await reason_of(pictures.set_of_profile(user_id, ICON, plain())) is Reason.INVALID_PARAMETER


async def test_a_cover_has_no_small_size(pictures: Pictures, user_id: UUID) -> None:
    cover = (await pictures.set_of_profile(user_id, COVER, plain())).cover
    assert await reason_of(pictures.get(cover, PictureSize.SMALL)) is Reason.NOT_FOUND


@pytest.mark.parametrize("picture_id", ["", "a" * 31, "A" * 32, "../" * 10 + "ab", "a" * 32, "a" * 31 + "\n"])
async def test_what_names_no_picture_is_not_found(pictures: Pictures, picture_id: str) -> None:
    assert await reason_of(pictures.get(picture_id, PictureSize.WHOLE)) is Reason.NOT_FOUND
    await pictures.delete(picture_id)
