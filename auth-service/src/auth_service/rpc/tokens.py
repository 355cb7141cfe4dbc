"""TokenService and GrantService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.accounts import Accounts
from auth_service.grants import Grants
from auth_service.rpc import convert
from auth_service.sessions import Sessions
from gatepost.auth.v1 import grants_pb2, grants_pb2_grpc, tokens_pb2_grpc
from gatepost.auth.v1 import tokens_pb2 as pb

Context = ServicerContext[Any, Any]


class TokenRpc(tokens_pb2_grpc.TokenServiceServicer):
    """See proto/gatepost/auth/v1/tokens.proto.

    Args:
        sessions: The use cases.
        accounts: Finds accounts by reference.
    """

    def __init__(self, sessions: Sessions, accounts: Accounts) -> None:
        self._sessions = sessions
        self._accounts = accounts

    async def ExchangeCode(self, request: pb.ExchangeCodeRequest, _context: Context) -> pb.ExchangeCodeResponse:
        """Exchange a one-time code."""
        tokens, account = await self._sessions.exchange(
            client_id=request.client.client_id,
            client_secret=request.client.client_secret,
            code=request.code,
            code_verifier=request.code_verifier,
        )
        return pb.ExchangeCodeResponse(tokens=convert.tokens_message(tokens), account=convert.account_message(account))

    async def RefreshTokens(self, request: pb.RefreshTokensRequest, _context: Context) -> pb.RefreshTokensResponse:
        """Rotate a refresh token."""
        tokens, account = await self._sessions.refresh(
            client_id=request.client.client_id,
            client_secret=request.client.client_secret,
            refresh_token=request.refresh_token,
        )
        return pb.RefreshTokensResponse(tokens=convert.tokens_message(tokens), account=convert.account_message(account))

    async def Authenticate(self, request: pb.AuthenticateRequest, _context: Context) -> pb.AuthenticateResponse:
        """Say whose an access token is."""
        session, account = await self._sessions.authenticate(request.access_token)
        return pb.AuthenticateResponse(
            account=convert.account_message(account), session=convert.session_message(session)
        )

    async def EndSession(self, request: pb.EndSessionRequest, _context: Context) -> pb.EndSessionResponse:
        """End the session of an access token."""
        await self._sessions.end(request.access_token)
        return pb.EndSessionResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, _context: Context) -> pb.ListSessionsResponse:
        """List an account's sessions."""
        account = await self._accounts.get(convert.account_ref(request.account))
        found = await self._sessions.list_live(account.id)
        return pb.ListSessionsResponse(sessions=[convert.session_message(session) for session in found])

    async def EndAllSessions(self, request: pb.EndAllSessionsRequest, _context: Context) -> pb.EndAllSessionsResponse:
        """End all of an account's sessions."""
        await self._sessions.end_all(await self._accounts.get(convert.account_ref(request.account)))
        return pb.EndAllSessionsResponse()


class GrantRpc(grants_pb2_grpc.GrantServiceServicer):
    """See proto/gatepost/auth/v1/grants.proto.

    Args:
        grants: The use cases.
        accounts: Finds accounts by reference.
    """

    def __init__(self, grants: Grants, accounts: Accounts) -> None:
        self._grants = grants
        self._accounts = accounts

    async def CreateGrant(
        self, request: grants_pb2.CreateGrantRequest, _context: Context
    ) -> grants_pb2.CreateGrantResponse:
        """Record consent."""
        grant = await self._grants.create(request.access_token, request.client_id, request.scopes)
        return grants_pb2.CreateGrantResponse(grant=convert.grant_message(grant))

    async def ListGrants(
        self, request: grants_pb2.ListGrantsRequest, _context: Context
    ) -> grants_pb2.ListGrantsResponse:
        """List a user's grants."""
        account = await self._accounts.get(convert.account_ref(request.account))
        found = await self._grants.list(account.id)
        return grants_pb2.ListGrantsResponse(grants=[convert.grant_message(grant) for grant in found])

    async def RevokeGrant(
        self, request: grants_pb2.RevokeGrantRequest, _context: Context
    ) -> grants_pb2.RevokeGrantResponse:
        """Take a grant back."""
        await self._grants.revoke(request.access_token, convert.uuid(request.id, "id"))
        return grants_pb2.RevokeGrantResponse()

    async def IssueCode(self, request: grants_pb2.IssueCodeRequest, _context: Context) -> grants_pb2.IssueCodeResponse:
        """Issue a code on a grant."""
        code = await self._grants.issue_code(
            request.access_token, request.client_id, request.scopes, request.pkce.challenge, request.pkce.method
        )
        return grants_pb2.IssueCodeResponse(code=code)
