"""Grants: what a user lets an app know and do, and one-time codes on the strength of it.

A grant covers scopes that are a part of it, that its app still lists, while it was confirmed lately enough. The scope
`basic` is every app's to ask for, and given like any other: not everybody who knows an app has let it see so much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from auth_service import pkce
from auth_service.audit import Audit
from auth_service.batches import Batches
from auth_service.clients import Clients
from auth_service.codes import Codes
from auth_service.model import Account, App, AppType, Grant, TokenForm
from auth_service.sessions import Sessions
from auth_service.store import apps, grants
from auth_service.store import sessions as session_store
from auth_service.token_forms import OF_APPS
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Database


@dataclass(frozen=True, slots=True)
class Consent:
    """What a consent page needs to know: `granted` means to go on without asking, `lasting_seconds` how long."""

    account: Account
    app: App
    granted: bool
    lasting_seconds: int


class Grants:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        batches: Batches,
        clients: Clients,
        sessions: Sessions,
        codes: Codes,
        audit: Audit,
        clock: Clock,
        consent_seconds: int,
    ) -> None:
        self._database = database
        self._batches = batches
        self._clients = clients
        self._sessions = sessions
        self._codes = codes
        self._audit = audit
        self._clock = clock
        self._consent = timedelta(seconds=consent_seconds)

    async def create(self, access_token: str, form: TokenForm, client_id: str, scopes: Sequence[str]) -> Grant:
        """Record that the token's user gives an app these scopes, as of now.

        Raises:
            GatepostError: TOKEN_INVALID, TOKEN_EXPIRED, CLIENT_UNKNOWN, INVALID_PARAMETER (scope).
        """
        _, account = await self._sessions.authenticate(access_token, form)
        app = await self._app_of(account, client_id)
        if not _lists(app, scopes):
            raise invalid("scopes", "The app may not ask for this scope.")
        event = self._audit.event("grant.create", account=account, app=app)
        async with self._database.acquire() as connection:
            since = event.at - self._consent
            return await grants.put(connection, uuid4(), account.id, app.id, scopes, event, since)

    async def check(
        self, access_token: str, form: TokenForm, client_id: str, scopes: Sequence[str], redirect_url: str
    ) -> Consent:
        """Say whether the token's user must be asked before an app gets scopes. See GrantService.CheckConsent."""
        _, account = await self._sessions.authenticate(access_token, form)
        app = await self._app_of(account, client_id)
        if not _lists(app, scopes):
            raise GatepostError(Reason.SCOPE_MISSING)
        if not _is_certain(app, redirect_url):
            return Consent(account, app, granted=False, lasting_seconds=0)
        grant = await self._batches.grant(account.id, app.id)
        return Consent(account, app, self._covers(grant, app, scopes), int(self._consent.total_seconds()))

    async def list(self, account_id: UUID) -> list[Grant]:
        """Return a user's grants, latest first, at most 100."""
        async with self._database.acquire() as connection:
            return await grants.fetch_all(connection, account_id)

    async def list_own(self, access_token: str, form: TokenForm) -> Sequence[tuple[Grant, App]]:
        """Return the grants of a token's user with their apps, latest first, at most 100."""
        _, account = await self._sessions.authenticate(access_token, form)
        async with self._database.acquire() as connection:
            found = await grants.fetch_all(connection, account.id)
            by_client_id = await apps.fetch_granted(connection, account.id)
        return [(grant, by_client_id[grant.client_id]) for grant in found if grant.client_id in by_client_id]

    async def revoke(self, access_token: str, form: TokenForm, grant_id: UUID) -> None:
        """Take one of the token user's grants back, and end the app's sessions at once.

        Raises:
            GatepostError: TOKEN_INVALID, TOKEN_EXPIRED, NOT_FOUND.
        """
        _, account = await self._sessions.authenticate(access_token, form)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            taken = await grants.delete(connection, account.id, grant_id)
            if taken is None:
                raise GatepostError(Reason.NOT_FOUND, "no such grant")
            app_id, client_id = taken
            await session_store.revoke_of_app(connection, account.id, app_id, "grant_revoked", now)
            await self._audit.record(connection, "grant.revoke", account=account, client_id=client_id)

    async def issue_code(
        self,
        access_token: str,
        form: TokenForm,
        client_id: str,
        scopes: Sequence[str],
        *,
        challenge: str,
        challenge_method: str,
        issue: TokenForm,
        redirect_url: str,
    ) -> str:
        """Issue a code for scopes that a grant covers. See GrantService.IssueCode for errors."""
        key_id = self._codes.key_id  # taken before the check: the code ends with the session that it stands on
        session, account = await self._sessions.authenticate(access_token, form)
        app = await self._app_of(account, client_id)
        proof = pkce.check(app, challenge, challenge_method)
        if issue not in OF_APPS:
            raise invalid("issue", "A code is for what an app can have.")
        if redirect_url and redirect_url not in app.redirect_urls:
            raise invalid("redirect_url", "The redirect_url must be one of the app's.")
        grant = await self._batches.grant(account.id, app.id)
        if grant is None or not self._covers(grant, app, scopes):
            raise GatepostError(Reason.SCOPE_MISSING)
        return await self._codes.issue(
            account,
            app,
            proof,
            session.authenticated_at,
            tuple(scopes),
            grant.id,
            form=issue,
            redirect_url=redirect_url,
            key_id=key_id,
        )

    def _covers(self, grant: Grant | None, app: App, scopes: Sequence[str]) -> bool:
        if grant is None or self._clock.now() - grant.granted_at > self._consent:
            return False
        return _lists(app, scopes) and set(scopes) <= set(grant.scopes)

    async def _app_of(self, account: Account, client_id: str) -> App:
        app = await self._clients.find(client_id)
        if app.project.id != account.project_id:
            raise GatepostError(Reason.CLIENT_UNKNOWN)
        return app


def _is_certain(app: App, redirect_url: str) -> bool:
    """Say whether nobody but the app gets what is sent there (RFC 8252 section 8.6)."""
    return app.type is AppType.CONFIDENTIAL or redirect_url.startswith("https://")


def _lists(app: App, scopes: Sequence[str]) -> bool:
    return app.allowed_scopes.issuperset(scopes)
