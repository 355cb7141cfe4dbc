"""DirectoryService."""

from typing import Any
from uuid import UUID

from grpc.aio import ServicerContext

from auth_service.api_keys import Holder
from auth_service.directory import Directory, Edit
from auth_service.rpc import convert
from gatepost.auth.v1 import directory_pb2 as pb
from gatepost.auth.v1.directory_pb2_grpc import DirectoryServiceServicer
from runtime.errors import invalid

Context = ServicerContext[Any, Any]
_PROFILE_FIELDS = ("first_name", "last_name", "gender")


class DirectoryRpc(DirectoryServiceServicer):
    """See proto/gatepost/auth/v1/directory.proto.

    Args:
        directory: The use cases.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def CheckApiKey(self, request: pb.CheckApiKeyRequest, _context: Context) -> pb.CheckApiKeyResponse:
        """Say whose key it is."""
        holder = await self._directory.check_key(request.api_key, request.scope)
        return pb.CheckApiKeyResponse(holder=_holder_message(holder))

    async def CheckPassword(self, request: pb.CheckPasswordRequest, _context: Context) -> pb.CheckPasswordResponse:
        """Say whose password it is."""
        session_form = convert.form(request.session_form) if request.session_form else None
        checked = await self._directory.check_password(request.api_key, request.login, request.password, session_form)
        return pb.CheckPasswordResponse(
            account=convert.account_message(checked.account),
            holder=_holder_message(checked.holder),
            session=convert.issued_message(checked.session) if checked.session else None,
        )

    async def FindAccount(self, request: pb.FindAccountRequest, _context: Context) -> pb.FindAccountResponse:
        """Find a user."""
        account = await self._directory.find(request.api_key, _by(request))
        return pb.FindAccountResponse(account=convert.account_message(account))

    async def AddAccount(self, request: pb.AddAccountRequest, _context: Context) -> pb.AddAccountResponse:
        """Make a user."""
        account = await self._directory.add(
            request.api_key,
            convert.uuid(request.user_id, "user_id"),
            email=request.email,
            username=request.username,
            password=request.password,
            profile=convert.new_profile(request.profile),
        )
        return pb.AddAccountResponse(account=convert.account_message(account))

    async def EditAccount(self, request: pb.EditAccountRequest, _context: Context) -> pb.EditAccountResponse:
        """Change a user."""
        edit = Edit(
            email=request.email if request.HasField("email") else None,
            password=request.password if request.HasField("password") else None,
            profile={field.name: value for field, value in request.ListFields() if field.name in _PROFILE_FIELDS},
        )
        account = await self._directory.edit(
            request.api_key, convert.uuid(request.user_id, "user_id"), request.current_password, edit
        )
        return pb.EditAccountResponse(account=convert.account_message(account))

    async def RemoveAccount(self, request: pb.RemoveAccountRequest, _context: Context) -> pb.RemoveAccountResponse:
        """Delete a user."""
        account = await self._directory.remove(request.api_key, convert.uuid(request.user_id, "user_id"))
        return pb.RemoveAccountResponse(account=convert.account_message(account))


def _holder_message(holder: Holder) -> pb.KeyHolder:
    return pb.KeyHolder(project=convert.project_message(holder.project), key=convert.key_message(holder.key))


def _by(request: pb.FindAccountRequest) -> UUID | tuple[str, str]:
    match request.WhichOneof("by"):
        case "user_id":
            return convert.uuid(request.user_id, "user_id")
        case "username":
            return "username", request.username
        case "email":
            return "email", request.email
        case _:
            raise invalid("by", "Name the user by user_id, username or email.")
