"""AppService and ApiKeyService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.apps import Apps
from auth_service.model import AppType
from auth_service.rpc import convert
from gatepost.auth.v1 import apps_pb2 as pb
from gatepost.auth.v1.apps_pb2_grpc import ApiKeyServiceServicer, AppServiceServicer
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
        app, secret = await self._apps.create(
            app_id=convert.uuid(request.id, "id"),
            project=request.project,
            name=request.name,
            app_type=AppType.PUBLIC if request.type == pb.APP_TYPE_PUBLIC else AppType.CONFIDENTIAL,
            redirect_urls=request.redirect_urls,
            scopes=request.scopes,
            origins=request.origins,
            allow_plain_pkce=request.allow_plain_pkce,
        )
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
        app = await self._apps.update(
            request.client_id,
            name=request.name if request.HasField("name") else None,
            disabled=request.disabled if request.HasField("disabled") else None,
            allow_plain_pkce=request.allow_plain_pkce if request.HasField("allow_plain_pkce") else None,
            redirect_urls=request.redirect_urls,
            origins=request.origins,
            scopes=request.scopes,
        )
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
        apps: The use cases.
    """

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, _context: Context) -> pb.CreateApiKeyResponse:
        """Make a key."""
        key_id = convert.uuid(request.id, "id")
        key, value = await self._apps.create_key(key_id=key_id, project=request.project, scopes=request.scopes)
        return pb.CreateApiKeyResponse(key=convert.key_message(key), token=value)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, _context: Context) -> pb.ListApiKeysResponse:
        """List a project's keys."""
        found = await self._apps.list_keys(request.project)
        return pb.ListApiKeysResponse(keys=[convert.key_message(key) for key in found])

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, _context: Context) -> pb.RevokeApiKeyResponse:
        """End a key."""
        await self._apps.revoke_key(convert.uuid(request.id, "id"))
        return pb.RevokeApiKeyResponse()
