"""AppService and ApiKeyService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.api_keys import ApiKeys
from auth_service.apps import AppChanges, Apps, NewApp
from auth_service.model import AppType
from auth_service.rpc import convert
from gatepost.auth.v1 import apps_pb2 as pb
from gatepost.auth.v1.apps_pb2_grpc import ApiKeyServiceServicer, AppServiceServicer
from gatepost.auth.v1.projects_pb2 import StringList
from runtime import paging

Context = ServicerContext[Any, Any]


class AppRpc(AppServiceServicer):
    """See proto/gatepost/auth/v1/apps.proto.

    Args:
        apps: The use cases.
    """

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def CreateApp(self, request: pb.CreateAppRequest, _context: Context) -> pb.CreateAppResponse:
        """Make an app."""
        app, secret = await self._apps.create(request.project, new_app(request))
        return pb.CreateAppResponse(app=convert.app_message(app), client_secret=secret)

    async def GetApp(self, request: pb.GetAppRequest, _context: Context) -> pb.GetAppResponse:
        """Return an app."""
        return pb.GetAppResponse(app=convert.app_message(await self._apps.get(request.client_id)))

    async def ListApps(self, request: pb.ListAppsRequest, _context: Context) -> pb.ListAppsResponse:
        """List a project's apps."""
        position = paging.decode(request.page_token)
        size = convert.page_size(request.page_size)
        found = await self._apps.list(request.project, size, position)
        return pb.ListAppsResponse(
            apps=[convert.app_message(app) for app in found],
            next_page_token=paging.encode((found[-1].created_at, found[-1].id)) if len(found) == size else "",
        )

    async def UpdateApp(self, request: pb.UpdateAppRequest, _context: Context) -> pb.UpdateAppResponse:
        """Change an app."""
        app = await self._apps.update(request.client_id, app_changes(request))
        return pb.UpdateAppResponse(app=convert.app_message(app))

    async def CreateAppSecret(
        self, request: pb.CreateAppSecretRequest, _context: Context
    ) -> pb.CreateAppSecretResponse:
        """Add a secret."""
        secret, value = await self._apps.add_secret(request.client_id)
        return pb.CreateAppSecretResponse(secret=convert.secret_message(secret), client_secret=value)

    async def RevokeAppSecret(
        self, request: pb.RevokeAppSecretRequest, _context: Context
    ) -> pb.RevokeAppSecretResponse:
        """End a secret."""
        await self._apps.revoke_secret(request.client_id, convert.uuid(request.secret_id, "secret_id"))
        return pb.RevokeAppSecretResponse()

    async def CheckOrigin(self, request: pb.CheckOriginRequest, _context: Context) -> pb.CheckOriginResponse:
        """Say whether a browser origin is listed."""
        return pb.CheckOriginResponse(allowed=await self._apps.origin_allowed(request.origin))


class ApiKeyRpc(ApiKeyServiceServicer):
    """See proto/gatepost/auth/v1/apps.proto.

    Args:
        api_keys: The use cases.
    """

    def __init__(self, api_keys: ApiKeys) -> None:
        self._api_keys = api_keys

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, _context: Context) -> pb.CreateApiKeyResponse:
        """Make a key."""
        key, value = await self._api_keys.create(
            key_id=convert.uuid(request.id, "id"),
            project=request.project,
            scopes=request.scopes,
            networks=request.networks,
            allow_query_credentials=request.allow_query_credentials,
            bypass_second_factor=request.bypass_second_factor,
            status_mode=request.status_mode,
        )
        return pb.CreateApiKeyResponse(key=convert.key_message(key), token=value)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, _context: Context) -> pb.ListApiKeysResponse:
        """List a project's keys."""
        found = await self._api_keys.list(request.project)
        return pb.ListApiKeysResponse(keys=[convert.key_message(key) for key in found])

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, _context: Context) -> pb.RevokeApiKeyResponse:
        """End a key."""
        await self._api_keys.revoke(convert.uuid(request.id, "id"))
        return pb.RevokeApiKeyResponse()


def new_app(request: pb.CreateAppRequest) -> NewApp:
    """Read an app to be made, but for its project."""
    return NewApp(
        id=convert.uuid(request.id, "id"),
        name=request.name,
        type=AppType.PUBLIC if request.type == pb.APP_TYPE_PUBLIC else AppType.CONFIDENTIAL,
        redirect_urls=tuple(request.redirect_urls),
        scopes=tuple(request.scopes),
        origins=tuple(request.origins),
        allow_plain_pkce=request.allow_plain_pkce,
        description=request.description,
        website=request.website,
        icon_picture=request.icon_picture,
        allow_query_secret=request.allow_query_secret,
        status_mode=request.status_mode,
    )


def app_changes(request: pb.UpdateAppRequest) -> AppChanges:
    """Read what is to change of an app: the fields that are set."""
    said: dict[str, Any] = {field.name: value for field, value in request.ListFields() if field.name != "client_id"}
    lists = {name: tuple(value.values) for name, value in said.items() if isinstance(value, StringList)}
    return AppChanges(**said | lists)
