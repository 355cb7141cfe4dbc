"""gatepost.users.v1.ProfileService: protobuf <-> model, and nothing else. The server's interceptor renders errors."""

from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import ServicerContext

from gatepost.users.v1 import profiles_pb2 as pb
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceServicer
from runtime.errors import Rule, invalid
from user_service.model import Profile
from user_service.profiles import Profiles, Said

Context = ServicerContext[Any, Any]
SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ProfileService"].full_name


class ProfileRpc(ProfileServiceServicer):
    """The service as the contract has it.

    Args:
        profiles: The use cases.
    """

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    async def CreateProfile(self, request: pb.CreateProfileRequest, _context: Context) -> pb.CreateProfileResponse:
        """Make a profile; a repeat returns it as it is."""
        user_id = _uuid("user_id", request.profile.user_id)
        project_id = _uuid("project_id", request.profile.project_id)
        profile = await self._profiles.create(user_id, project_id, _said(request.profile))
        return pb.CreateProfileResponse(profile=_message(profile))

    async def GetProfile(self, request: pb.GetProfileRequest, _context: Context) -> pb.GetProfileResponse:
        """Return one profile."""
        profile = await self._profiles.get(_uuid("user_id", request.user_id))
        return pb.GetProfileResponse(profile=_message(profile))

    async def BatchGetProfiles(
        self, request: pb.BatchGetProfilesRequest, _context: Context
    ) -> pb.BatchGetProfilesResponse:
        """Return several profiles in the order asked."""
        profiles = await self._profiles.get_many([_uuid("user_ids", value) for value in request.user_ids])
        return pb.BatchGetProfilesResponse(profiles=[_message(profile) for profile in profiles])

    async def LookupProfile(self, request: pb.LookupProfileRequest, _context: Context) -> pb.LookupProfileResponse:
        """Find a profile by its number or public id."""
        project_id = _uuid("project_id", request.project_id)
        match request.WhichOneof("key"):
            case "number":
                profile = await self._profiles.find_by_number(project_id, request.number)
            case "public_id":
                profile = await self._profiles.find_by_public_id(project_id, request.public_id)
            case _:
                raise invalid("key", "A number or a public_id is required.", Rule.REQUIRED)
        return pb.LookupProfileResponse(profile=_message(profile))

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, _context: Context) -> pb.UpdateProfileResponse:
        """Change the fields of the mask."""
        profile, changed = await self._profiles.update(
            _uuid("user_id", request.profile.user_id),
            _said(request.profile),
            mask=request.update_mask.paths,
            etag=request.profile.etag,
        )
        return pb.UpdateProfileResponse(profile=_message(profile), changed=changed)

    async def DeleteProfile(self, request: pb.DeleteProfileRequest, _context: Context) -> pb.DeleteProfileResponse:
        """Delete a profile."""
        await self._profiles.delete(_uuid("user_id", request.user_id))
        return pb.DeleteProfileResponse()


def _uuid(field: str, value: str) -> UUID:
    if not value:
        raise invalid(field, f"The {field} field is required.", Rule.REQUIRED)
    try:
        parsed = UUID(value)
    except ValueError:
        parsed = None
    # UUID() also takes braces, `urn:uuid:` and no hyphens; the contract has one spelling (RFC 9562 section 4).
    if parsed is None or str(parsed) != value.lower():
        raise invalid(field, f"The {field} field must be a UUID.")
    return parsed


def _said(message: pb.Profile) -> Said:
    return {
        "first_name": message.first_name,
        "last_name": message.last_name,
        "phone": message.phone,
        "gender": message.gender,
        "birth_date": message.birth_date,
        "biography": message.biography,
        "website": message.website,
        "relationship": message.relationship,
        "language": message.language,
        "meta": message.meta if message.HasField("meta") else None,
    }


def _message(profile: Profile) -> pb.Profile:
    details = profile.details
    create_time, update_time = Timestamp(), Timestamp()
    create_time.FromDatetime(profile.created_at)
    update_time.FromDatetime(profile.updated_at)
    return pb.Profile(
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
        create_time=create_time,
        update_time=update_time,
        etag=profile.etag,
    )
