"""The services as handlers call them: the generated stubs, and a second try where repeating does no harm.

Every call carries our credential, the request id and the deadline of the request at hand (`runtime.grpc_client`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeVar

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gatepost.auth.v1.accounts_pb2_grpc import AccountServiceStub
from gatepost.auth.v1.apps_pb2 import CheckOriginRequest
from gatepost.auth.v1.apps_pb2_grpc import AppServiceStub
from gatepost.auth.v1.projects_pb2 import GetProjectRequest, Project, ResolveProjectRequest
from gatepost.auth.v1.projects_pb2_grpc import ProjectServiceStub
from gatepost.auth.v1.sign_in_pb2 import SignUpRequest, SignUpResponse
from gatepost.auth.v1.sign_in_pb2_grpc import SignInServiceStub
from gatepost.auth.v1.tokens_pb2 import AuthenticateRequest, AuthenticateResponse
from gatepost.auth.v1.tokens_pb2_grpc import TokenServiceStub
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from gatepost.users.v1.profiles_pb2 import GetProfileRequest, Profile
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason

Request = TypeVar("Request")
Answer = TypeVar("Answer")
# A failure slower than this has used up the patience of the client; it is passed on.
_QUICK_SECONDS = 0.5
_PAUSE_SECONDS = 0.05
# Long enough for a crashed service to be back.
_PATIENT_SECONDS = 5.0


class Clients:
    """Stubs over one channel for each service.

    Args:
        auth: Channel to auth-service.
        users: Channel to user-service.
        notify: Channel to notify-service.
    """

    def __init__(self, *, auth: grpc.aio.Channel, users: grpc.aio.Channel, notify: grpc.aio.Channel) -> None:
        self._channels = {"auth-service": auth, "user-service": users, "notify-service": notify}
        self._health = {name: HealthStub(channel).Check for name, channel in self._channels.items()}
        self.sign_in = SignInServiceStub(auth)
        self.tokens = TokenServiceStub(auth)
        self.accounts = AccountServiceStub(auth)
        self.messages = MessageServiceStub(notify)
        self._apps = AppServiceStub(auth)
        self._projects = ProjectServiceStub(auth)
        self._profiles = ProfileServiceStub(users)

    async def sign_up(self, request: SignUpRequest) -> SignUpResponse:
        """SignInService.SignUp, tried again at most once: `user_id` makes it idempotent."""
        return await _twice(self.sign_in.SignUp, request)

    async def authenticate(self, access_token: str) -> AuthenticateResponse:
        """TokenService.Authenticate."""
        return await _twice(self.tokens.Authenticate, AuthenticateRequest(access_token=access_token))

    async def profile(self, user_id: str, *, patient: bool = False) -> Profile:
        """ProfileService.GetProfile; when patient, tried for seconds, since what led here cannot be done again."""
        patience = _PATIENT_SECONDS if patient else _QUICK_SECONDS
        return (await _again(self._profiles.GetProfile, GetProfileRequest(user_id=user_id), patience)).profile

    async def project(self, *, mount: str, host: str) -> Project:
        """ProjectService.GetProject by mount, or ResolveProject by host."""
        if mount:
            return (await _twice(self._projects.GetProject, GetProjectRequest(name=mount))).project
        return (await _twice(self._projects.ResolveProject, ResolveProjectRequest(host=host))).project

    async def origin_allowed(self, origin: str) -> bool:
        """AppService.CheckOrigin."""
        return (await _twice(self._apps.CheckOrigin, CheckOriginRequest(origin=origin))).allowed

    async def ready(self, timeout_seconds: float) -> dict[str, bool]:
        """Ask every service whether it serves; all at once."""
        with bound(CallContext(deadline=monotonic() + timeout_seconds)):
            answers = await asyncio.gather(*map(_serving, self._health.values()))
        return dict(zip(self._health, answers, strict=True))

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close()


async def _twice(rpc: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
    started = monotonic()
    try:
        return await rpc(request)
    except GatepostError as exc:
        if exc.reason is not Reason.UNAVAILABLE or monotonic() - started > _QUICK_SECONDS:
            raise
    await asyncio.sleep(_PAUSE_SECONDS)
    return await rpc(request)


async def _again(rpc: Callable[[Request], Awaitable[Answer]], request: Request, patience_seconds: float) -> Answer:
    """Call until it is answered; what is unavailable for longer than our patience is passed on."""
    until = monotonic() + patience_seconds
    while True:
        try:
            return await rpc(request)
        except GatepostError as exc:
            if exc.reason is not Reason.UNAVAILABLE or monotonic() > until:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def _serving(check: Callable[[Any], Awaitable[Any]]) -> bool:
    try:
        answer = await check(HealthCheckRequest())
    except GatepostError:
        return False
    return bool(answer.status == HealthCheckResponse.SERVING)
