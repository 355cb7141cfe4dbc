"""Grants: what a user lets an app know and do, and one-time codes on the strength of it."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from auth_service import pkce
from auth_service.audit import Audit
from auth_service.clients import Clients
from auth_service.codes import Codes
from auth_service.model import Account, App, Grant
from auth_service.sessions import Sessions
from auth_service.store import grants
from auth_service.store import sessions as session_store
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Database


class Grants:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self, *, database: Database, clients: Clients, sessions: Sessions, codes: Codes, audit: Audit, clock: Clock
    ) -> None:
        self._database = database
        self._clients = clients
        self._sessions = sessions
        self._codes = codes
        self._audit = audit
        self._clock = clock

    async def create(self, access_token: str, client_id: str, scopes: Sequence[str]) -> Grant:
        """Record that the token's user gives an app these scopes.

        Raises:
            GatepostError: TOKEN_INVALID, TOKEN_EXPIRED, CLIENT_UNKNOWN, INVALID_PARAMETER (scope).
        """
        _, account = await self._sessions.authenticate(access_token)
        app = await self._app_of(account, client_id)
        if not set(scopes) <= set(app.scopes):
            raise invalid("scopes", "The app may not ask for this scope.")
        async with self._database.transaction() as connection:
            grant = await grants.put(connection, uuid4(), account.id, app.id, scopes, self._clock.now())
            await self._audit.record(connection, "grant.create", account=account, app=app)
        return grant

    async def list(self, account_id: UUID) -> list[Grant]:
        """Return a user's grants, latest first, at most 100."""
        async with self._database.acquire() as connection:
            return await grants.fetch_all(connection, account_id)

    async def revoke(self, access_token: str, grant_id: UUID) -> None:
        """Take one of the token user's grants back, and end the app's sessions at once.

        Raises:
            GatepostError: TOKEN_INVALID, TOKEN_EXPIRED, NOT_FOUND.
        """
        _, account = await self._sessions.authenticate(access_token)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            app_id = await grants.delete(connection, account.id, grant_id)
            if app_id is None:
                raise GatepostError(Reason.NOT_FOUND, "no such grant")
            await session_store.revoke_of_app(connection, account.id, app_id, "grant_revoked", now)
            await self._audit.record(connection, "grant.revoke", account=account)

    async def issue_code(
        self, access_token: str, client_id: str, scopes: Sequence[str], challenge: str, challenge_method: str
    ) -> str:
        """Issue a code for scopes that a grant covers. See GrantService.IssueCode for errors."""
        session, account = await self._sessions.authenticate(access_token)
        app = await self._app_of(account, client_id)
        proof = pkce.check(app, challenge, challenge_method)
        async with self._database.acquire() as connection:
            grant = await grants.fetch_of_app(connection, account.id, app.id)
        if grant is None or not set(scopes) <= set(grant.scopes):
            raise GatepostError(Reason.SCOPE_MISSING)
        return await self._codes.issue(account, app, proof, session.authenticated_at, tuple(scopes), grant.id)

    async def _app_of(self, account: Account, client_id: str) -> App:
        app = await self._clients.find(client_id)
        if app.project.id != account.project_id:
            raise GatepostError(Reason.CLIENT_UNKNOWN)
        return app
