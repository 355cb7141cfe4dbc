"""TokenService and GrantService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.accounts import Accounts
from auth_service.grants import Grants
from auth_service.issuance import Issuance
from auth_service.own_sessions import OwnSessions
from auth_service.reauthentication import Reauthentication
from auth_service.rpc import convert
from auth_service.sessions import Sessions
from gatepost.auth.v1 import grants_pb2, grants_pb2_grpc, tokens_pb2_grpc
from gatepost.auth.v1 import tokens_pb2 as pb

Context = ServicerContext[Any, Any]


class TokenRpc(tokens_pb2_grpc.TokenServiceServicer):
    """See proto/gatepost/auth/v1/tokens.proto.

    Args:
        issuance: Gives apps tokens.
        sessions: Checks and ends them.
        own: What a user sees and ends of them.
        reauthentication: Knows how long a sign-in is fresh.
        accounts: Finds accounts by reference.
    """

    def __init__(
        self,
        *,
        issuance: Issuance,
        sessions: Sessions,
        own: OwnSessions,
        reauthentication: Reauthentication,
        accounts: Accounts,
    ) -> None:
        self._issuance = issuance
        self._sessions = sessions
        self._own = own
        self._reauthentication = reauthentication
        self._accounts = accounts

    async def ExchangeCode(self, request: pb.ExchangeCodeRequest, _context: Context) -> pb.ExchangeCodeResponse:
        """Exchange a one-time code."""
        tokens, account = await self._issuance.exchange(
            client_id=request.client.client_id,
            client_secret=request.client.client_secret,
            code=request.code,
            code_verifier=request.code_verifier,
            form=convert.form(request.form),
            redirect_url=request.redirect_url,
            secret_in_query=request.client.secret_in_query,
        )
        return pb.ExchangeCodeResponse(tokens=convert.tokens_message(tokens), account=convert.account_message(account))

    async def RefreshTokens(self, request: pb.RefreshTokensRequest, _context: Context) -> pb.RefreshTokensResponse:
        """Rotate a refresh token."""
        tokens, account = await self._issuance.refresh(
            client_id=request.client.client_id,
            client_secret=request.client.client_secret,
            refresh_token=request.refresh_token,
            form=convert.form(request.form),
        )
        return pb.RefreshTokensResponse(tokens=convert.tokens_message(tokens), account=convert.account_message(account))

    async def Authenticate(self, request: pb.AuthenticateRequest, _context: Context) -> pb.AuthenticateResponse:
        """Say whose an access token is."""
        bearer = await self._sessions.identify(request.access_token, convert.form(request.form))
        return pb.AuthenticateResponse(
            account=convert.account_message(bearer.account),
            session=convert.session_message(bearer.session),
            token_expire_time=convert.timestamp(bearer.token_expires_at),
            app_id=str(bearer.session.app_id or ""),
            stale_time=convert.timestamp(self._reauthentication.fresh_until(bearer.session)),
        )

    async def EndSession(self, request: pb.EndSessionRequest, _context: Context) -> pb.EndSessionResponse:
        """End the session of an access token."""
        await self._sessions.end(request.access_token, convert.form(request.form))
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

    async def ListOwnSessions(
        self, request: pb.ListOwnSessionsRequest, _context: Context
    ) -> pb.ListOwnSessionsResponse:
        """List a token user's sessions."""
        found = await self._own.list(request.access_token, convert.form(request.form))
        return pb.ListOwnSessionsResponse(sessions=[convert.session_message(session) for session in found])

    async def EndOwnSession(self, request: pb.EndOwnSessionRequest, _context: Context) -> pb.EndOwnSessionResponse:
        """End one of a token user's sessions."""
        session_id = convert.uuid(request.session_id, "session_id")
        await self._own.end(request.access_token, convert.form(request.form), session_id)
        return pb.EndOwnSessionResponse()

    async def EndAllOwnSessions(
        self, request: pb.EndAllOwnSessionsRequest, _context: Context
    ) -> pb.EndAllOwnSessionsResponse:
        """End all of a token user's sessions."""
        await self._own.end_all(request.access_token, convert.form(request.form))
        return pb.EndAllOwnSessionsResponse()


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
        grant = await self._grants.create(
            request.access_token, convert.form(request.form), request.client_id, request.scopes
        )
        return grants_pb2.CreateGrantResponse(grant=convert.grant_message(grant))

    async def CheckConsent(
        self, request: grants_pb2.CheckConsentRequest, _context: Context
    ) -> grants_pb2.CheckConsentResponse:
        """Say whether a consent page is needed, and what it shows."""
        consent = await self._grants.check(
            request.access_token, convert.form(request.form), request.client_id, request.scopes, request.redirect_url
        )
        return grants_pb2.CheckConsentResponse(
            account=convert.account_message(consent.account),
            app=convert.app_message(consent.app, with_secrets=False),
            granted=consent.granted,
            lasting_seconds=consent.lasting_seconds,
        )

    async def ListOwnGrants(
        self, request: grants_pb2.ListOwnGrantsRequest, _context: Context
    ) -> grants_pb2.ListOwnGrantsResponse:
        """List a token user's grants with their apps."""
        found = await self._grants.list_own(request.access_token, convert.form(request.form))
        return grants_pb2.ListOwnGrantsResponse(
            granted=[
                grants_pb2.GrantedApp(
                    grant=convert.grant_message(grant), app=convert.app_message(app, with_secrets=False)
                )
                for grant, app in found
            ]
        )

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
        grant_id = convert.uuid(request.id, "id")
        await self._grants.revoke(request.access_token, convert.form(request.form), grant_id)
        return grants_pb2.RevokeGrantResponse()

    async def IssueCode(self, request: grants_pb2.IssueCodeRequest, _context: Context) -> grants_pb2.IssueCodeResponse:
        """Issue a code on a grant."""
        code = await self._grants.issue_code(
            request.access_token,
            convert.form(request.form),
            request.client_id,
            request.scopes,
            challenge=request.pkce.challenge,
            challenge_method=request.pkce.method,
            issue=convert.form(request.issue),
            redirect_url=request.redirect_url,
        )
        return grants_pb2.IssueCodeResponse(code=code)
