"""gatepost.users.v1.LocationService."""

import base64
import binascii

from gatepost.users.v1 import locations_pb2 as pb
from gatepost.users.v1.locations_pb2_grpc import LocationServiceServicer
from runtime.errors import invalid
from user_service.locations import Locations
from user_service.model import Location
from user_service.rpc.convert import Context

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["LocationService"].full_name
_ID_BYTES = 8


class LocationRpc(LocationServiceServicer):
    """The service as the contract has it.

    Args:
        locations: The use cases.
    """

    def __init__(self, locations: Locations) -> None:
        self._locations = locations

    async def ListLocations(self, request: pb.ListLocationsRequest, _context: Context) -> pb.ListLocationsResponse:
        """List places by id."""
        after = _after(request.page_token)
        found, last = await self._locations.page(parent_id=request.parent_id, page_size=request.page_size, after=after)
        token = base64.urlsafe_b64encode(last.to_bytes(_ID_BYTES)).decode() if last else ""
        return pb.ListLocationsResponse(locations=map(_message, found), next_page_token=token)

    async def GetLocation(self, request: pb.GetLocationRequest, _context: Context) -> pb.GetLocationResponse:
        """Return one place."""
        return pb.GetLocationResponse(location=_message(await self._locations.get(request.id)))

    async def ImportLocations(
        self, request: pb.ImportLocationsRequest, _context: Context
    ) -> pb.ImportLocationsResponse:
        """Add places, and change those whose id is known."""
        given = [Location(each.id, each.name, each.parent_id) for each in request.locations]
        added, changed = await self._locations.put(given)
        return pb.ImportLocationsResponse(added=added, changed=changed)


def _after(token: str) -> int:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b"?"
    after = int.from_bytes(raw, signed=True)
    if len(raw) not in {0, _ID_BYTES} or after < 0:
        raise invalid("page_token", "The page token is none of ours.")
    return after


def _message(location: Location) -> pb.Location:
    return pb.Location(
        id=location.id, name=location.name, parent_id=location.parent_id, parent_name=location.parent_name
    )
