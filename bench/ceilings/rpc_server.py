"""A gRPC server that answers profiles from memory. `python -m bench.ceilings.rpc_server PORT`."""

import asyncio
import sys
from typing import Any

import grpc
import uvloop

from gatepost.users.v1.profiles_pb2 import (
    BatchGetProfilesRequest,
    BatchGetProfilesResponse,
    GetProfileRequest,
    GetProfileResponse,
    Profile,
)
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceServicer, add_ProfileServiceServicer_to_server

_PROFILE = Profile(
    user_id="00000000-0000-4000-8000-000000000000",
    number=1,
    public_id="0" * 32,
    first_name="Per",
    last_name="Son",
    phone="+15005550006",
)


class _Profiles(ProfileServiceServicer):
    async def GetProfile(self, _request: GetProfileRequest, _context: Any) -> GetProfileResponse:  # noqa: N802
        """Answer the one profile there is."""
        return GetProfileResponse(profile=_PROFILE)

    async def BatchGetProfiles(  # noqa: N802
        self, request: BatchGetProfilesRequest, _context: Any
    ) -> BatchGetProfilesResponse:
        """Answer it as often as asked."""
        return BatchGetProfilesResponse(profiles=[_PROFILE] * len(request.user_ids))


async def _serve(port: int) -> None:
    server = grpc.aio.server()
    add_ProfileServiceServicer_to_server(_Profiles(), server)  # type: ignore[abstract] # the rest answers UNIMPLEMENTED
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_serve(int(sys.argv[1])))
