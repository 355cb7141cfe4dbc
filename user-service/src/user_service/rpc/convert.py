"""What several services of the contract have in common."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import ServicerContext

from gatepost.users.v1 import pictures_pb2, profiles_pb2
from runtime.errors import Rule, invalid
from user_service.model import PictureKind, PictureSize, Profile

Context = ServicerContext[Any, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400
# UUID() also takes braces, `urn:uuid:` and no hyphens; the contract has one spelling (RFC 9562 section 4).
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_KINDS: Mapping[int, PictureKind] = {
    pictures_pb2.PICTURE_KIND_AVATAR: PictureKind.AVATAR,
    pictures_pb2.PICTURE_KIND_COVER: PictureKind.COVER,
    pictures_pb2.PICTURE_KIND_ICON: PictureKind.ICON,
}
_SIZES: Mapping[int, PictureSize] = {
    pictures_pb2.PICTURE_SIZE_UNSPECIFIED: PictureSize.WHOLE,
    pictures_pb2.PICTURE_SIZE_WHOLE: PictureSize.WHOLE,
    pictures_pb2.PICTURE_SIZE_TOPBAR: PictureSize.TOPBAR,
    pictures_pb2.PICTURE_SIZE_SMALLER: PictureSize.SMALLER,
    pictures_pb2.PICTURE_SIZE_SMALL: PictureSize.SMALL,
    pictures_pb2.PICTURE_SIZE_LARGE: PictureSize.LARGE,
    pictures_pb2.PICTURE_SIZE_LARGER: PictureSize.LARGER,
}


def uuid(field: str, value: str) -> UUID:
    """Read a UUID.

    Raises:
        GatepostError: INVALID_PARAMETER on the field.
    """
    if not value:
        raise invalid(field, f"The {field} field is required.", Rule.REQUIRED)
    if not _UUID.fullmatch(value):
        raise invalid(field, f"The {field} field must be a UUID.")
    return UUID(value)


def kind(number: int) -> PictureKind:
    """Read what a picture is of.

    Raises:
        GatepostError: INVALID_PARAMETER on `kind`.
    """
    if number not in _KINDS:
        raise invalid("kind", "The kind field names no kind of picture.", Rule.UNKNOWN)
    return _KINDS[number]


def size(number: int) -> PictureSize:
    """Read a size; unspecified means the whole.

    Raises:
        GatepostError: INVALID_PARAMETER on `size`.
    """
    if number not in _SIZES:
        raise invalid("size", "The size field names no size.", Rule.UNKNOWN)
    return _SIZES[number]


def profile_message(profile: Profile) -> profiles_pb2.Profile:
    """Return a profile as a message."""
    details = profile.details
    return profiles_pb2.Profile(
        user_id=str(profile.user_id),
        project_id=str(profile.project_id),
        number=profile.number,
        public_id=profile.public_id,
        first_name=details.first_name,
        last_name=details.last_name,
        phone=details.phone,
        phone_e164=profile.phone_e164,
        gender=details.gender,
        birth_date="" if details.birth_date is None else details.birth_date.isoformat(),
        biography=details.biography,
        website=details.website,
        relationship=details.relationship,
        language=details.language,
        meta=details.meta,
        create_time=_timestamp(profile.created_at),
        update_time=_timestamp(profile.updated_at),
        etag=profile.etag,
        picture=profile.picture,
        cover=profile.cover,
        location_id=details.location_id,
        latitude=details.latitude,
        longitude=details.longitude,
        address=details.address,
        phone_verified=details.phone_verified,
        badge=details.badge,
    )


def _timestamp(at: datetime) -> Timestamp:
    """Return a time as a message, in 0.5 µs; `Timestamp.FromDatetime` takes 1.8."""
    since = at - _EPOCH
    return Timestamp(seconds=since.days * _DAY_SECONDS + since.seconds, nanos=since.microseconds * 1000)
