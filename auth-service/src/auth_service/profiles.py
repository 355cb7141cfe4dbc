"""user-service as this service needs it: profiles are made, changed and removed with their account."""

from collections.abc import Mapping
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask

from auth_service.model import NewProfile
from gatepost.users.v1 import profiles_pb2, profiles_pb2_grpc


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
        )
        await self._stub.CreateProfile(profiles_pb2.CreateProfileRequest(profile=message))

    async def update(self, account_id: UUID, fields: Mapping[str, str]) -> list[str]:
        """Change fields of a profile and return the names of those whose value differs from before."""
        message = profiles_pb2.Profile(user_id=str(account_id), **dict(fields))  # type: ignore[arg-type]
        mask = FieldMask(paths=list(fields))
        answer = await self._stub.UpdateProfile(profiles_pb2.UpdateProfileRequest(profile=message, update_mask=mask))
        return list(answer.changed)

    async def delete(self, account_id: UUID) -> None:
        """Remove the profile of an account, if it is there."""
        await self._stub.DeleteProfile(profiles_pb2.DeleteProfileRequest(user_id=str(account_id)))
