"""LinkService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.link_use import LinkUse
from auth_service.rpc import convert
from gatepost.auth.v1 import links_pb2 as pb
from gatepost.auth.v1.links_pb2_grpc import LinkServiceServicer

Context = ServicerContext[Any, Any]


class LinkRpc(LinkServiceServicer):
    """See proto/gatepost/auth/v1/links.proto.

    Args:
        links: The use cases.
    """

    def __init__(self, links: LinkUse) -> None:
        self._links = links

    async def GetLink(self, request: pb.GetLinkRequest, _context: Context) -> pb.GetLinkResponse:
        """Say what a link would do."""
        return pb.GetLinkResponse(link=convert.link_message(await self._links.look(request.token)))

    async def UseLink(self, request: pb.UseLinkRequest, _context: Context) -> pb.UseLinkResponse:
        """Do it."""
        return pb.UseLinkResponse(link=convert.link_message(await self._links.use(request.token)))
