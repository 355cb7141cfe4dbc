"""gatepost.users.v1.ProfileService."""

from gatepost.users.v1 import profiles_pb2 as pb
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceServicer
from runtime.errors import Rule, invalid
from user_service.profiles import Profiles, Said
from user_service.rpc.convert import Context, profile_message, uuid

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
        user_id = uuid("user_id", request.profile.user_id)
        project_id = uuid("project_id", request.profile.project_id)
        profile = await self._profiles.create(user_id, project_id, said(request.profile))
        return pb.CreateProfileResponse(profile=profile_message(profile))

    async def GetProfile(self, request: pb.GetProfileRequest, _context: Context) -> pb.GetProfileResponse:
        """Return one profile."""
        profile = await self._profiles.get(uuid("user_id", request.user_id))
        return pb.GetProfileResponse(profile=profile_message(profile))

    async def BatchGetProfiles(
        self, request: pb.BatchGetProfilesRequest, _context: Context
    ) -> pb.BatchGetProfilesResponse:
        """Return several profiles in the order asked."""
        profiles = await self._profiles.get_many([uuid("user_ids", value) for value in request.user_ids])
        return pb.BatchGetProfilesResponse(profiles=[profile_message(profile) for profile in profiles])

    async def LookupProfile(self, request: pb.LookupProfileRequest, _context: Context) -> pb.LookupProfileResponse:
        """Find a profile by its number or public id."""
        project_id = uuid("project_id", request.project_id)
        match request.WhichOneof("key"):
            case "number":
                profile = await self._profiles.find_by_number(project_id, request.number)
            case "public_id":
                profile = await self._profiles.find_by_public_id(project_id, request.public_id)
            case _:
                raise invalid("key", "A number or a public_id is required.", Rule.REQUIRED)
        return pb.LookupProfileResponse(profile=profile_message(profile))

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, _context: Context) -> pb.UpdateProfileResponse:
        """Change the fields of the mask."""
        profile, changed = await self._profiles.update(
            uuid("user_id", request.profile.user_id),
            said(request.profile),
            mask=request.update_mask.paths,
            etag=request.profile.etag,
        )
        return pb.UpdateProfileResponse(profile=profile_message(profile), changed=changed)

    async def DeleteProfile(self, request: pb.DeleteProfileRequest, _context: Context) -> pb.DeleteProfileResponse:
        """Delete a profile."""
        await self._profiles.delete(uuid("user_id", request.user_id))
        return pb.DeleteProfileResponse()


def said(message: pb.Profile) -> Said:
    """Read what a message says in fields that may be changed."""
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
        "location_id": message.location_id,
        "latitude": message.latitude if message.HasField("latitude") else None,
        "longitude": message.longitude if message.HasField("longitude") else None,
        "address": message.address,
        "phone_verified": message.phone_verified,
        "badge": message.badge,
    }
