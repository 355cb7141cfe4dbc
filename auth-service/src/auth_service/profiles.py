"""user-service as this service needs it: profiles are made, changed and removed with their account."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask

from auth_service.model import NewProfile
from gatepost.users.v1 import profiles_pb2, profiles_pb2_grpc
from runtime.errors import GatepostError, Reason, Rule, Violation

_LIMITS = {"first_name": 100, "last_name": 100, "phone": 40}  # characters; see gatepost.auth.v1.NewProfile
_DEGREES = {"latitude": 90, "longitude": 180}
_GENDERS = {"", "male", "female", "other"}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")  # of BCP 47, what people have
_MAX_META_BYTES = 16_384
_MAX_SHRINKING = 4  # NFC makes one character of four at most
_NOT_IN_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, surrogate, line and paragraph separator
_IN_META = frozenset("\n\t\r\u2028\u2029")


class Profiles:
    """Calls ProfileService. Every method can raise GatepostError UNAVAILABLE; INVALID_PARAMETER where it takes text.

    Args:
        stub: user-service.
    """

    def __init__(self, stub: "profiles_pb2_grpc.ProfileServiceAsyncStub") -> None:
        self._stub = stub

    async def create(self, account_id: UUID, project_id: UUID, profile: NewProfile) -> None:
        """Make the profile of an account, unless it is there."""
        message = profiles_pb2.Profile(
            user_id=str(account_id),
            project_id=str(project_id),
            first_name=profile.first_name,
            last_name=profile.last_name,
            phone=profile.phone,
            meta=profile.meta,
            gender=profile.gender,
            birth_date=profile.birth_date,
            location_id=profile.location_id,
            latitude=profile.latitude,
            longitude=profile.longitude,
            language=profile.language,
        )
        await self._stub.CreateProfile(profiles_pb2.CreateProfileRequest(profile=message))

    async def update(self, account_id: UUID, fields: Mapping[str, str | bool]) -> list[str]:
        """Change fields of a profile and return the names of those whose value differs from before."""
        message = profiles_pb2.Profile(user_id=str(account_id), **dict(fields))  # type: ignore[arg-type]
        mask = FieldMask(paths=list(fields))
        answer = await self._stub.UpdateProfile(profiles_pb2.UpdateProfileRequest(profile=message, update_mask=mask))
        return list(answer.changed)

    async def delete(self, account_id: UUID) -> None:
        """Remove the profile of an account, if it is there."""
        await self._stub.DeleteProfile(profiles_pb2.DeleteProfileRequest(user_id=str(account_id)))


def check_new(profile: NewProfile) -> None:
    """Refuse what user-service would refuse, for a sign-up whose profile is made only when its address is proven.

    Raises:
        GatepostError: INVALID_PARAMETER with a violation for each field at fault.
    """
    wrong = [name for name, limit in _LIMITS.items() if not _is_text(getattr(profile, name), limit)]
    if profile.meta is not None and not _is_meta(profile.meta):
        wrong.append("meta")
    if profile.gender not in _GENDERS:
        wrong.append("gender")
    if profile.birth_date and not _is_date(profile.birth_date):
        wrong.append("birth_date")
    if profile.language and not _LANGUAGE.fullmatch(profile.language):
        wrong.append("language")
    if profile.location_id < 0:
        wrong.append("location_id")
    wrong += [name for name, most in _DEGREES.items() if not -most <= (getattr(profile, name) or 0) <= most]
    if wrong:
        violations = tuple(Violation(name, Rule.INVALID, f"The {name} field is invalid.") for name in wrong)
        raise GatepostError(Reason.INVALID_PARAMETER, violations[0].description, violations=violations)


def _is_text(value: str, limit: int) -> bool:
    if len(value) > limit * _MAX_SHRINKING or _has_controls(value):
        return False
    return len(unicodedata.normalize("NFC", value)) <= limit


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_meta(value: str) -> bool:
    return len(value.encode()) <= _MAX_META_BYTES and not _has_controls("".join(set(value) - _IN_META))


def _has_controls(value: str) -> bool:
    return any(unicodedata.category(character) in _NOT_IN_TEXT for character in value)
