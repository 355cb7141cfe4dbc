"""OwnAppService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.own_apps import OwnApps
from auth_service.rpc import convert
from auth_service.rpc.apps import app_changes, new_app
from gatepost.auth.v1 import apps_pb2 as pb
from gatepost.auth.v1.apps_pb2_grpc import OwnAppServiceServicer

Context = ServicerContext[Any, Any]


class OwnAppRpc(OwnAppServiceServicer):
    """See proto/gatepost/auth/v1/apps.proto.

    Args:
        own_apps: The use cases.
    """

    def __init__(self, own_apps: OwnApps) -> None:
        self._own_apps = own_apps

    async def ListOwnApps(self, request: pb.ListOwnAppsRequest, _context: Context) -> pb.ListOwnAppsResponse:
        """List a user's apps."""
        found, may_create = await self._own_apps.list(request.access_token, convert.form(request.form))
        return pb.ListOwnAppsResponse(apps=[convert.app_message(app) for app in found], may_create=may_create)

    async def CreateOwnApp(self, request: pb.CreateOwnAppRequest, _context: Context) -> pb.CreateOwnAppResponse:
        """Make an app."""
        app, secret = await self._own_apps.create(
            request.access_token, convert.form(request.form), new_app(request.app)
        )
        return pb.CreateOwnAppResponse(app=convert.app_message(app), client_secret=secret)

    async def GetOwnApp(self, request: pb.GetOwnAppRequest, _context: Context) -> pb.GetOwnAppResponse:
        """Return an app and its usage."""
        app, usage = await self._own_apps.get(request.access_token, convert.form(request.form), request.client_id)
        return pb.GetOwnAppResponse(app=convert.app_message(app), usage=[convert.usage_message(day) for day in usage])

    async def UpdateOwnApp(self, request: pb.UpdateOwnAppRequest, _context: Context) -> pb.UpdateOwnAppResponse:
        """Change an app."""
        app = await self._own_apps.update(
            request.access_token, convert.form(request.form), request.app.client_id, app_changes(request.app)
        )
        return pb.UpdateOwnAppResponse(app=convert.app_message(app))

    async def CreateOwnAppSecret(
        self, request: pb.CreateOwnAppSecretRequest, _context: Context
    ) -> pb.CreateOwnAppSecretResponse:
        """Add a secret."""
        secret, value = await self._own_apps.add_secret(
            request.access_token, convert.form(request.form), request.client_id
        )
        return pb.CreateOwnAppSecretResponse(secret=convert.secret_message(secret), client_secret=value)

    async def RevokeOwnAppSecret(
        self, request: pb.RevokeOwnAppSecretRequest, _context: Context
    ) -> pb.RevokeOwnAppSecretResponse:
        """End a secret."""
        secret_id = convert.uuid(request.secret_id, "secret_id")
        await self._own_apps.revoke_secret(
            request.access_token, convert.form(request.form), request.client_id, secret_id
        )
        return pb.RevokeOwnAppSecretResponse()

    async def DeleteOwnApp(self, request: pb.DeleteOwnAppRequest, _context: Context) -> pb.DeleteOwnAppResponse:
        """Delete an app."""
        await self._own_apps.delete(request.access_token, convert.form(request.form), request.client_id)
        return pb.DeleteOwnAppResponse()
