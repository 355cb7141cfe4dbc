"""AccountService."""

from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from grpc.aio import ServicerContext

from auth_service.accounts import Accounts
from auth_service.closing import Closing
from auth_service.email_change import EmailChange
from auth_service.export import Export
from auth_service.model import AccountState
from auth_service.own_account import Changes, OwnAccount
from auth_service.phone_change import PhoneChange
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
        own: What a user changes of himself.
        email_change: How he moves to another address.
        phone_change: How he proves a phone number.
        closing: How he closes his account.
        export: What he downloads.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        own: OwnAccount,
        email_change: EmailChange,
        phone_change: PhoneChange,
        closing: Closing,
        export: Export,
    ) -> None:
        self._accounts = accounts
        self._own = own
        self._email_change = email_change
        self._phone_change = phone_change
        self._closing = closing
        self._export = export

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
            username=request.username if request.HasField("username") else None,
            profile={field.name: value for field, value in request.ListFields() if field.name in _PROFILE_FIELDS},
        )
        changed = await self._own.update(request.access_token, convert.form(request.form), changes)
        return pb.UpdateOwnAccountResponse(
            account=convert.account_message(changed.account),
            changed=changed.names,
            update_time=convert.timestamp(changed.at),
            device=changed.device,
        )

    async def StartEmailChange(
        self, request: pb.StartEmailChangeRequest, _context: Context
    ) -> pb.StartEmailChangeResponse:
        """Mail a code to a new address."""
        opened = await self._email_change.start(
            request.access_token, convert.form(request.form), request.email, request.current_password
        )
        return pb.StartEmailChangeResponse(handle=opened.handle, expire_time=convert.timestamp(opened.expires_at))

    async def CompleteEmailChange(
        self, request: pb.CompleteEmailChangeRequest, _context: Context
    ) -> pb.CompleteEmailChangeResponse:
        """Move to the new address."""
        account = await self._email_change.complete(
            request.access_token, convert.form(request.form), request.email, request.handle, request.code
        )
        return pb.CompleteEmailChangeResponse(account=convert.account_message(account))

    async def StartPhoneChange(
        self, request: pb.StartPhoneChangeRequest, _context: Context
    ) -> pb.StartPhoneChangeResponse:
        """Send a code to a phone number."""
        opened = await self._phone_change.start(
            request.access_token, convert.form(request.form), request.phone, request.current_password
        )
        return pb.StartPhoneChangeResponse(handle=opened.handle, expire_time=convert.timestamp(opened.expires_at))

    async def CompletePhoneChange(
        self, request: pb.CompletePhoneChangeRequest, _context: Context
    ) -> pb.CompletePhoneChangeResponse:
        """Set the phone number."""
        await self._phone_change.complete(
            request.access_token, convert.form(request.form), request.phone, request.handle, request.code
        )
        return pb.CompletePhoneChangeResponse()

    async def SendEmailProof(self, request: pb.SendEmailProofRequest, _context: Context) -> pb.SendEmailProofResponse:
        """Mail a link that proves the address."""
        await self._email_change.send_proof(request.access_token, convert.form(request.form))
        return pb.SendEmailProofResponse()

    async def CloseOwnAccount(
        self, request: pb.CloseOwnAccountRequest, _context: Context
    ) -> pb.CloseOwnAccountResponse:
        """Close the account."""
        closing_at = await self._closing.close(
            request.access_token, convert.form(request.form), request.current_password
        )
        return pb.CloseOwnAccountResponse(close_time=convert.timestamp(closing_at))

    async def ExportOwnAccount(
        self, request: pb.ExportOwnAccountRequest, _context: Context
    ) -> pb.ExportOwnAccountResponse:
        """Return all that is kept about the user."""
        data = await self._export(request.access_token, convert.form(request.form))
        return pb.ExportOwnAccountResponse(data=ParseDict(data, Struct()))
