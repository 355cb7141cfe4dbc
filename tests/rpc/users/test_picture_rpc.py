"""PictureService of a running user-service: its wire, its rules, and its files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest
from drawn import SECRET_PLACE, bomb, opened, photo, plain
from google.protobuf.field_mask_pb2 import FieldMask

from gatepost.users.v1 import pictures_pb2 as pb
from gatepost.users.v1 import profiles_pb2
from gatepost.users.v1.pictures_pb2_grpc import PictureServiceStub
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from runtime.errors import GatepostError, Reason

if TYPE_CHECKING:  # the stubs' names for what they make of an asyncio channel
    from gatepost.users.v1.pictures_pb2_grpc import PictureServiceAsyncStub
    from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceAsyncStub

AVATAR, COVER, ICON = pb.PICTURE_KIND_AVATAR, pb.PICTURE_KIND_COVER, pb.PICTURE_KIND_ICON
PIXELS = {
    pb.PICTURE_SIZE_UNSPECIFIED: 300,
    pb.PICTURE_SIZE_WHOLE: 300,
    pb.PICTURE_SIZE_TOPBAR: 20,
    pb.PICTURE_SIZE_SMALLER: 32,
    pb.PICTURE_SIZE_SMALL: 50,
    pb.PICTURE_SIZE_LARGE: 100,
    pb.PICTURE_SIZE_LARGER: 170,
}
PATIENCE_SECONDS = 10.0
PARALLEL = 20


@pytest.fixture
def pictures(channel: grpc.aio.Channel) -> PictureServiceAsyncStub:
    return PictureServiceStub(channel)


@pytest.fixture
def profiles(channel: grpc.aio.Channel) -> ProfileServiceAsyncStub:
    return ProfileServiceStub(channel)


async def person(profiles: ProfileServiceAsyncStub) -> profiles_pb2.Profile:
    profile = profiles_pb2.Profile(user_id=str(uuid4()), project_id=str(uuid4()))
    return (await profiles.CreateProfile(profiles_pb2.CreateProfileRequest(profile=profile))).profile


async def put(
    pictures: PictureServiceAsyncStub, user_id: str, content: bytes, kind: Any = AVATAR
) -> profiles_pb2.Profile:
    request = pb.SetProfilePictureRequest(user_id=user_id, kind=kind, content=content)
    return (await pictures.SetProfilePicture(request)).profile


async def failure(call: Any) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value


def names(media_dir: Path) -> set[str]:
    return {name[:32] for _, _, files in os.walk(media_dir) for name in files}


async def test_an_uploaded_photo_is_served_in_every_size_without_its_metadata(
    pictures: PictureServiceAsyncStub, profiles: ProfileServiceAsyncStub
) -> None:
    profile = await put(pictures, (await person(profiles)).user_id, plain(300, 300))
    for size, pixels in PIXELS.items():
        answer = await pictures.GetPicture(pb.GetPictureRequest(id=profile.picture, size=size))
        assert opened(answer.content).size == (pixels, pixels)
        assert answer.content_type == "image/jpeg"
    profile = await put(pictures, profile.user_id, photo())
    for size in PIXELS:
        answer = await pictures.GetPicture(pb.GetPictureRequest(id=profile.picture, size=size))
        assert SECRET_PLACE not in answer.content


async def test_a_picture_changes_the_profile_and_its_etag(
    pictures: PictureServiceAsyncStub, profiles: ProfileServiceAsyncStub
) -> None:
    before = await person(profiles)
    after = await put(pictures, before.user_id, plain())
    read = (await profiles.GetProfile(profiles_pb2.GetProfileRequest(user_id=before.user_id))).profile
    assert read == after
    assert after.etag != before.etag
    assert (len(after.picture), after.cover) == (32, "")
    assert (await put(pictures, before.user_id, b"")).picture == ""


async def test_the_files_of_a_replaced_picture_and_of_a_deleted_person_go_soon(
    pictures: PictureServiceAsyncStub, profiles: ProfileServiceAsyncStub, media_dir: Path
) -> None:
    first = await put(pictures, (await person(profiles)).user_id, plain())
    second = await put(pictures, first.user_id, plain())
    await profiles.DeleteProfile(profiles_pb2.DeleteProfileRequest(user_id=first.user_id))
    error = await failure(pictures.GetPicture(pb.GetPictureRequest(id=second.picture)))
    assert error.reason is Reason.NOT_FOUND
    third = await put(pictures, (await person(profiles)).user_id, plain())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while {first.picture, second.picture} & names(media_dir):
            await put(pictures, third.user_id, b"")  # whatever changes a picture wakes the loop
            await asyncio.sleep(0.05)


async def test_of_parallel_uploads_one_is_left(
    pictures: PictureServiceAsyncStub, profiles: ProfileServiceAsyncStub, media_dir: Path
) -> None:
    user_id = (await person(profiles)).user_id
    others = names(media_dir)
    made = await asyncio.gather(*(put(pictures, user_id, plain(n + 1)) for n in range(PARALLEL)))
    kept = (await profiles.GetProfile(profiles_pb2.GetProfileRequest(user_id=user_id))).profile.picture
    assert kept in {profile.picture for profile in made}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while names(media_dir) - others != {kept}:  # noqa: ASYNC110 the service's loop is watched from outside
            await asyncio.sleep(0.05)


async def test_pictures_are_not_set_by_an_update_of_the_profile(profiles: ProfileServiceAsyncStub) -> None:
    profile = await person(profiles)
    wanted = profiles_pb2.Profile(user_id=profile.user_id, picture="a" * 32)
    mask = FieldMask(paths=["picture"])
    error = await failure(profiles.UpdateProfile(profiles_pb2.UpdateProfileRequest(profile=wanted, update_mask=mask)))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "update_mask")


async def test_an_icon_is_made_and_deleted(pictures: PictureServiceAsyncStub) -> None:
    made = await pictures.CreatePicture(pb.CreatePictureRequest(kind=ICON, content=plain()))
    assert (await pictures.GetPicture(pb.GetPictureRequest(id=made.id, size=pb.PICTURE_SIZE_SMALL))).content
    for _ in range(2):
        await pictures.DeletePicture(pb.DeletePictureRequest(id=made.id))
    assert (await failure(pictures.GetPicture(pb.GetPictureRequest(id=made.id)))).reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.INVALID_PARAMETER),
        (b"<svg/>", Reason.INVALID_PARAMETER),
        (plain()[:80], Reason.INVALID_PARAMETER),
        (bomb(10_000, 10_000), Reason.INVALID_PARAMETER),
        (plain() + bytes(2 * 1024 * 1024), Reason.PAYLOAD_TOO_LARGE),
    ],
    ids=["nothing", "svg", "truncated", "bomb", "large"],
)
async def test_what_is_no_picture_is_refused(pictures: PictureServiceAsyncStub, content: bytes, reason: Reason) -> None:
    error = await failure(pictures.CreatePicture(pb.CreatePictureRequest(kind=ICON, content=content)))
    assert error.reason is reason
    assert [violation.field for violation in error.violations] == (
        ["content"] if reason is Reason.INVALID_PARAMETER else []
    )


@pytest.mark.parametrize("kind", [pb.PICTURE_KIND_UNSPECIFIED, AVATAR, COVER, 99])
async def test_only_icons_are_made_by_themselves(pictures: PictureServiceAsyncStub, kind: Any) -> None:
    error = await failure(pictures.CreatePicture(pb.CreatePictureRequest(kind=kind, content=plain())))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "kind")


async def test_an_unknown_size_is_refused(pictures: PictureServiceAsyncStub) -> None:
    size: Any = 99
    error = await failure(pictures.GetPicture(pb.GetPictureRequest(id="a" * 32, size=size)))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "size")


async def test_initials_are_drawn_in_every_size_and_the_same_each_time(pictures: PictureServiceAsyncStub) -> None:
    for size, pixels in PIXELS.items():
        request = pb.DrawInitialsRequest(name="Ada Lovelace", seed="7", size=size)
        first, second = await pictures.DrawInitials(request), await pictures.DrawInitials(request)
        assert first == second
        assert first.content_type == "image/jpeg"
        assert opened(first.content).width == (512 if pixels == PIXELS[pb.PICTURE_SIZE_WHOLE] else pixels)
