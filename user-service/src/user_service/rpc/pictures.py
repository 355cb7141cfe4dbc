"""gatepost.users.v1.PictureService."""

from collections.abc import Callable

from gatepost.users.v1 import pictures_pb2 as pb
from gatepost.users.v1.pictures_pb2_grpc import PictureServiceServicer
from user_service.initials import Initials
from user_service.pictures import Pictures
from user_service.rpc.convert import Context, kind, profile_message, size, uuid

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["PictureService"].full_name


class PictureRpc(PictureServiceServicer):
    """The service as the contract has it.

    Args:
        pictures: The use cases.
        initials: Draws pictures for those who have none.
        nudge: Called when a picture may have become due.
    """

    def __init__(self, pictures: Pictures, initials: Initials, nudge: Callable[[], None]) -> None:
        self._pictures = pictures
        self._initials = initials
        self._nudge = nudge

    async def CreatePicture(self, request: pb.CreatePictureRequest, _context: Context) -> pb.CreatePictureResponse:
        """Keep a picture that belongs to no profile."""
        return pb.CreatePictureResponse(id=await self._pictures.create(kind(request.kind), request.content))

    async def SetProfilePicture(
        self, request: pb.SetProfilePictureRequest, _context: Context
    ) -> pb.SetProfilePictureResponse:
        """Set or remove a profile's picture or cover."""
        user_id = uuid("user_id", request.user_id)
        profile = await self._pictures.set_of_profile(user_id, kind(request.kind), request.content)
        self._nudge()
        return pb.SetProfilePictureResponse(profile=profile_message(profile))

    async def GetPicture(self, request: pb.GetPictureRequest, _context: Context) -> pb.GetPictureResponse:
        """Return one size of a picture."""
        file = await self._pictures.get(request.id, size(request.size))
        return pb.GetPictureResponse(content=file.content, content_type=file.content_type)

    async def DrawInitials(self, request: pb.DrawInitialsRequest, _context: Context) -> pb.DrawInitialsResponse:
        """Draw a picture from a name."""
        file = await self._initials.draw(request.name, request.seed, size(request.size))
        return pb.DrawInitialsResponse(content=file.content, content_type=file.content_type)

    async def DeletePicture(self, request: pb.DeletePictureRequest, _context: Context) -> pb.DeletePictureResponse:
        """Delete a picture that belongs to no profile."""
        await self._pictures.delete(request.id)
        self._nudge()
        return pb.DeletePictureResponse()
