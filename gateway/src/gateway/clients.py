"""The services as handlers call them: the generated stubs, and a second try where repeating does no harm.

Every call carries our credential, the request id and the deadline of the request at hand (`runtime.grpc_client`). Whose
a token is and what a profile holds is remembered (`kept`), if the operator has not switched that off; what acts on a
token is checked by auth-service nevertheless.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeVar, cast

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gatepost.auth.v1.accounts_pb2_grpc import AccountServiceStub
from gatepost.auth.v1.apps_pb2 import App, CheckOriginRequest, GetAppRequest
from gatepost.auth.v1.apps_pb2_grpc import AppServiceStub, OwnAppServiceStub
from gatepost.auth.v1.directory_pb2_grpc import DirectoryServiceStub
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.grants_pb2_grpc import GrantServiceStub
from gatepost.auth.v1.links_pb2_grpc import LinkServiceStub
from gatepost.auth.v1.operations_pb2 import GetKeySetRequest, GetKeySetResponse
from gatepost.auth.v1.operations_pb2_grpc import KeySetServiceStub
from gatepost.auth.v1.projects_pb2 import GetProjectRequest, Project, ResolveProjectRequest
from gatepost.auth.v1.projects_pb2_grpc import ProjectServiceStub
from gatepost.auth.v1.sign_in_pb2 import SignUpRequest, SignUpResponse
from gatepost.auth.v1.sign_in_pb2_grpc import SignInServiceStub
from gatepost.auth.v1.tokens_pb2 import AuthenticateRequest, AuthenticateResponse
from gatepost.auth.v1.tokens_pb2_grpc import TokenServiceStub
from gatepost.notify.v1.devices_pb2_grpc import DeviceServiceStub
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from gatepost.users.v1.locations_pb2_grpc import LocationServiceStub
from gatepost.users.v1.pictures_pb2_grpc import PictureServiceStub
from gatepost.users.v1.profiles_pb2 import GetProfileRequest, Profile
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from gateway.kept import Kept, token_name
from gateway.recent import Recent
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason

Request = TypeVar("Request")
Answer = TypeVar("Answer")
# A failure slower than this has used up the patience of the client; it is passed on.
_QUICK_SECONDS = 0.5
_PAUSE_SECONDS = 0.05
_CONNECTING_SECONDS = 0.01
# Long enough for a crashed service to be back.
_PATIENT_SECONDS = 5.0
_PROJECTS = 1024
# A revoked key is published no longer than this, and nobody who asks often costs more than one call in it.
_KEY_SET_SECONDS = 0.5


class Clients:
    """Stubs over one channel for each service.

    Args:
        auth: Channel to auth-service.
        users: Channel to user-service.
        notify: Channel to notify-service.
        kept: Remembers answers of the first two; None to ask every time.
        project_cache_seconds: How long what is known of a project is taken for true.
    """

    def __init__(
        self,
        *,
        auth: grpc.aio.Channel,
        users: grpc.aio.Channel,
        notify: grpc.aio.Channel,
        kept: Kept | None = None,
        project_cache_seconds: float = 0,
    ) -> None:
        self._channels = {"auth-service": auth, "user-service": users, "notify-service": notify}
        self._health = {name: HealthStub(channel).Check for name, channel in self._channels.items()}
        self._kept = kept
        if kept is not None:
            auth, users = cast("tuple[grpc.aio.Channel, grpc.aio.Channel]", (kept.auth, kept.users))
        self.sign_in = SignInServiceStub(auth)
        self.tokens = TokenServiceStub(auth)
        self.accounts = AccountServiceStub(auth)
        self.apps = AppServiceStub(auth)
        self.own_apps = OwnAppServiceStub(auth)
        self.grants = GrantServiceStub(auth)
        self.directory = DirectoryServiceStub(auth)
        self.links = LinkServiceStub(auth)
        self.profiles = ProfileServiceStub(users)
        self.pictures = PictureServiceStub(users)
        self.locations = LocationServiceStub(users)
        self.messages = MessageServiceStub(notify)
        self.devices = DeviceServiceStub(notify)
        self._projects = ProjectServiceStub(auth)
        self._key_sets = KeySetServiceStub(auth)
        self._key_set: Recent[str, GetKeySetResponse] = Recent(self._get_key_set, seconds=_KEY_SET_SECONDS, entries=1)
        self._by_name = Recent(self._get_project, seconds=project_cache_seconds, entries=_PROJECTS)
        self._by_host = Recent(self._resolve_project, seconds=project_cache_seconds, entries=_PROJECTS)

    async def sign_up(self, request: SignUpRequest) -> SignUpResponse:
        """SignInService.SignUp, tried again at most once: `user_id` makes it idempotent."""
        return await _twice(self.sign_in.SignUp, request)

    async def authenticate(
        self, access_token: str, form: TokenForm.ValueType = TokenForm.TOKEN_FORM_PAIR
    ) -> AuthenticateResponse:
        """TokenService.Authenticate, perhaps remembered; the answer is for reading only."""
        if self._kept is None:
            return await self._authenticate(access_token, form)
        name, tokens = token_name(access_token, form), self._kept.tokens
        return tokens.find(name) or await tokens.load(name, self._authenticate(access_token, form))

    async def _authenticate(self, access_token: str, form: TokenForm.ValueType) -> AuthenticateResponse:
        return await _twice(self.tokens.Authenticate, AuthenticateRequest(access_token=access_token, form=form))

    async def profile(self, user_id: str, *, patient: bool = False) -> Profile:
        """ProfileService.GetProfile, perhaps remembered; the answer is for reading only.

        When patient, tried for seconds, since what led here cannot be done again.
        """
        patience = _PATIENT_SECONDS if patient else _QUICK_SECONDS
        if self._kept is None:
            return await self._get_profile(user_id, patience)
        profiles = self._kept.profiles
        return profiles.find(user_id) or await profiles.load(user_id, self._get_profile(user_id, patience))

    async def _get_profile(self, user_id: str, patience: float) -> Profile:
        return (await _again(self.profiles.GetProfile, GetProfileRequest(user_id=user_id), patience)).profile

    async def demand_profiles(self) -> None:
        """Refuse unless user-service is connected; for handlers, before they spend what cannot be spent again.

        Raises:
            GatepostError: UNAVAILABLE.
        """
        channel, until = self._channels["user-service"], monotonic() + _QUICK_SECONDS
        while channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
            if monotonic() > until:
                raise GatepostError(Reason.UNAVAILABLE, retry_after_seconds=1)
            await asyncio.sleep(_CONNECTING_SECONDS)

    async def app(self, client_id: str) -> App | None:
        """AppService.GetApp; None if there is no such app."""
        try:
            return (await _twice(self.apps.GetApp, GetAppRequest(client_id=client_id))).app
        except GatepostError as exc:
            if exc.reason is Reason.NOT_FOUND:
                return None
            raise

    async def project(self, name: str) -> Project:
        """ProjectService.GetProject, remembered for a moment."""
        return await self._by_name.get(name)

    async def project_of_host(self, host: str) -> Project:
        """ProjectService.ResolveProject, remembered for a moment."""
        return await self._by_host.get(host)

    async def _get_project(self, name: str) -> Project:
        return (await _twice(self._projects.GetProject, GetProjectRequest(name=name))).project

    async def _resolve_project(self, host: str) -> Project:
        return (await _twice(self._projects.ResolveProject, ResolveProjectRequest(host=host))).project

    async def key_set(self) -> GetKeySetResponse:
        """KeySetService.GetKeySet, remembered for a moment."""
        return await self._key_set.get("")

    async def _get_key_set(self, _which: str) -> GetKeySetResponse:
        return await _twice(self._key_sets.GetKeySet, GetKeySetRequest())

    async def origin_allowed(self, origin: str) -> bool:
        """AppService.CheckOrigin."""
        return (await _twice(self.apps.CheckOrigin, CheckOriginRequest(origin=origin))).allowed

    async def ready(self, timeout_seconds: float) -> dict[str, bool]:
        """Ask every service whether it serves; all at once."""
        with bound(CallContext(deadline=monotonic() + timeout_seconds)):
            answers = await asyncio.gather(*map(_serving, self._health.values()))
        return dict(zip(self._health, answers, strict=True))

    def start(self) -> None:
        """Begin to watch for changes of what is remembered; without it, it is remembered for a third of a second."""
        if self._kept is not None:
            self._kept.start()

    async def close(self) -> None:
        """Close the channels."""
        if self._kept is not None:
            await self._kept.stop()
        for channel in self._channels.values():
            await channel.close()


async def or_none(found: Awaitable[Answer]) -> Answer | None:
    """Wait for something that may not be there; None if it is not."""
    try:
        return await found
    except GatepostError as exc:
        if exc.reason is not Reason.NOT_FOUND:
            raise
    return None


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
