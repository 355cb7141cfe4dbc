"""AccountService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.accounts import Accounts
from auth_service.model import AccountState
from auth_service.own_account import Changes, OwnAccount
from auth_service.rpc import convert
from gatepost.auth.v1 import accounts_pb2 as pb
from gatepost.auth.v1.accounts_pb2_grpc import AccountServiceServicer
from runtime import paging

Context = ServicerContext[Any, Any]
_PROFILE_FIELDS = ("first_name", "last_name", "phone")


class AccountRpc(AccountServiceServicer):
    """See proto/gatepost/auth/v1/accounts.proto.

    Args:
        accounts: What operators do.
        own: What a user does himself.
    """

    def __init__(self, accounts: Accounts, own: OwnAccount) -> None:
        self._accounts = accounts
        self._own = own

    async def CreateAccount(self, request: pb.CreateAccountRequest, _context: Context) -> pb.CreateAccountResponse:
        """Make an account."""
        account = await self._accounts.create(
            account_id=convert.uuid(request.user_id, "user_id"),
            project=request.project,
            email=request.email,
            password=request.password,
            username=request.username,
            role=request.role,
            unverified=request.unverified,
            profile=convert.new_profile(request.profile),
        )
        return pb.CreateAccountResponse(account=convert.account_message(account))

    async def GetAccount(self, request: pb.GetAccountRequest, _context: Context) -> pb.GetAccountResponse:
        """Return an account."""
        account = await self._accounts.get(convert.account_ref(request.account))
        return pb.GetAccountResponse(account=convert.account_message(account))

    async def ListAccounts(self, request: pb.ListAccountsRequest, _context: Context) -> pb.ListAccountsResponse:
        """List a project's accounts."""
        position = paging.decode(request.page_token)
        size = convert.page_size(request.page_size)
        found = await self._accounts.list(request.project, size, position)
        return pb.ListAccountsResponse(
            accounts=[convert.account_message(account) for account in found],
            next_page_token=paging.encode((found[-1].created_at, found[-1].id)) if len(found) == size else "",
        )

    async def SetRole(self, request: pb.SetRoleRequest, _context: Context) -> pb.SetRoleResponse:
        """Give a role."""
        account = await self._accounts.set_role(convert.account_ref(request.account), request.role)
        return pb.SetRoleResponse(account=convert.account_message(account))

    async def SetAccountState(
        self, request: pb.SetAccountStateRequest, _context: Context
    ) -> pb.SetAccountStateResponse:
        """Close or open an account."""
        state = convert.STATES.get(request.state, AccountState.PENDING)
        account = await self._accounts.set_state(convert.account_ref(request.account), state)
        return pb.SetAccountStateResponse(account=convert.account_message(account))

    async def DeleteAccount(self, request: pb.DeleteAccountRequest, _context: Context) -> pb.DeleteAccountResponse:
        """Delete an account."""
        account = await self._accounts.delete(convert.account_ref(request.account))
        return pb.DeleteAccountResponse(account=convert.account_message(account))

    async def UpdateOwnAccount(
        self, request: pb.UpdateOwnAccountRequest, _context: Context
    ) -> pb.UpdateOwnAccountResponse:
        """Change what a user may change of himself."""
        changes = Changes(
            password=request.password if request.HasField("password") else None,
            current_password=request.current_password if request.HasField("current_password") else None,
            role=request.role if request.HasField("role") else None,
            profile={field.name: value for field, value in request.ListFields() if field.name in _PROFILE_FIELDS},
        )
        changed = await self._own.update(request.access_token, changes)
        return pb.UpdateOwnAccountResponse(
            account=convert.account_message(changed.account),
            changed=changed.names,
            update_time=convert.timestamp(changed.at),
        )
