"""The one Token engine: a session is a family of tokens that one app holds for one user.

    code -> session (generation 1) -> refreshed (generation n+1) … -> revoked | expired

Access and refresh tokens are computed from the session row (see `tokens`). A session lives while it is not revoked, not
expired, its account is active at the session's security version, and its app is enabled; all of it is read from
PostgreSQL for every token, so what was acknowledged holds at once, everywhere, and after any crash.
"""

import secrets
from asyncio import CancelledError
from dataclasses import replace
from datetime import timedelta
from math import ceil
from uuid import UUID, uuid4

from auth_service import pkce
from auth_service.audit import Audit
from auth_service.clients import Clients
from auth_service.codes import CodeData, Codes
from auth_service.keys import digest
from auth_service.model import Account, AccountState, App, Session, TokenSet
from auth_service.store import accounts, grants
from auth_service.store import sessions as store
from auth_service.tokens import Kind, Token, TokenCodec
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database

_SALT_BYTES = 16


class Sessions:
    """Opens, refreshes, checks and ends sessions. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        clients: Clients,
        codes: Codes,
        tokens: TokenCodec,
        audit: Audit,
        clock: Clock,
        access_token_seconds: int,
        refresh_token_seconds: int,
        session_max_seconds: int,
        refresh_replay_seconds: float,
    ) -> None:
        self._database = database
        self._clients = clients
        self._codes = codes
        self._tokens = tokens
        self._audit = audit
        self._clock = clock
        self._access_token_seconds = access_token_seconds
        self._refresh_token_seconds = refresh_token_seconds
        self._session_max = timedelta(seconds=session_max_seconds)
        self._replay = timedelta(seconds=refresh_replay_seconds)

    async def exchange(
        self, *, client_id: str, client_secret: str, code: str, code_verifier: str
    ) -> tuple[TokenSet, Account]:
        """Exchange a one-time code. See TokenService.ExchangeCode for arguments, answers and errors."""
        app = await self._clients.authenticate(client_id, client_secret)
        if not code:
            raise missing("code")
        data = await self._use(code, app)
        if not pkce.proves(data.pkce, code_verifier):
            raise GatepostError(Reason.CODE_INVALID, metadata={"cause": "pkce_mismatch"})
        try:
            return await self._open(app, data, code)
        except (GatepostError, CancelledError) as error:
            if isinstance(error, GatepostError) and error.reason is Reason.CODE_INVALID:
                await self._punish_reuse(code, app)  # perhaps Valkey has forgotten that it was used
            else:
                await self._codes.release(code)
            raise

    async def refresh(self, *, client_id: str, client_secret: str, refresh_token: str) -> tuple[TokenSet, Account]:
        """Rotate a refresh token. See TokenService.RefreshTokens for arguments, answers and errors."""
        app = await self._clients.authenticate(client_id, client_secret)
        if not refresh_token:
            raise missing("refresh_token")
        token = self._tokens.parse(refresh_token, Kind.REFRESH)
        found = await self._find(token)
        if found.session.app_id != app.id:
            raise GatepostError(Reason.TOKEN_INVALID)
        now = self._clock.now()
        if token.generation == found.session.generation:
            lifetime = timedelta(seconds=found.refresh_token_seconds or self._refresh_token_seconds)
            expires_at = min(now + lifetime, found.session.ends_at)
            async with self._database.transaction() as connection:
                rotated = await store.rotate(connection, found.session, now, expires_at)
            if rotated:
                session = replace(found.session, generation=found.session.generation + 1, expires_at=expires_at)
                return self._issue(replace(found, session=session)), found.account
            found = await self._find(token)  # somebody else was faster: look again
        if token.generation == found.session.generation - 1 and now - found.session.rotated_at <= self._replay:
            return self._issue(found), found.account
        async with self._database.transaction() as connection:
            await store.revoke(connection, found.session.id, "refresh_reuse", now)
            await self._audit.record(
                connection, "session.refresh", outcome="refresh_reuse", account=found.account, app=app, by_user=False
            )
        raise GatepostError(Reason.TOKEN_INVALID)

    async def authenticate(self, access_token: str) -> tuple[Session, Account]:
        """Return the live session and the account of an access token. See TokenService.Authenticate."""
        token = self._tokens.parse(access_token, Kind.ACCESS)
        found = await self._find(token)
        if token.expires_at is None or token.expires_at <= self._clock.now():
            raise GatepostError(Reason.TOKEN_EXPIRED)
        return found.session, found.account

    async def end(self, access_token: str) -> None:
        """End the session of an access token. See TokenService.EndSession."""
        session, account = await self.authenticate(access_token)
        async with self._database.transaction() as connection:
            await store.revoke(connection, session.id, "logout", self._clock.now())
            await self._audit.record(connection, "session.end", account=account)

    async def end_all(self, account: Account) -> None:
        """End every session of an account at once."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            fresh = await accounts.fetch(connection, account.id)
            if fresh is None:
                raise GatepostError(Reason.NOT_FOUND, "no such account")
            if not await accounts.bump_security_version(connection, fresh.id, fresh.security_version, now):
                raise GatepostError(Reason.CONFLICT, retry_after_seconds=1)
            await self._audit.record(connection, "session.end_all", account=account, by_user=False)

    async def list_live(self, account_id: UUID) -> list[Session]:
        """Return an account's live sessions, latest first, at most 100."""
        async with self._database.acquire() as connection:
            return await store.fetch_live(connection, account_id, self._clock.now())

    async def _use(self, code: str, app: App) -> CodeData:
        try:
            data = await self._codes.use(code, app)
        except GatepostError as error:
            if error.reason is Reason.CODE_INVALID:  # perhaps used so long ago that Valkey has forgotten
                await self._punish_reuse(code, app)
            raise
        if data is None:
            await self._punish_reuse(code, app)
            raise GatepostError(Reason.CODE_INVALID)
        return data

    async def _punish_reuse(self, code: str, app: App) -> None:
        async with self._database.transaction() as connection:
            account_id = await store.revoke_by_code(connection, digest(code), app.id, self._clock.now())
            if account_id is not None:
                await self._audit.record(
                    connection, "session.create", outcome="code_reuse", account_id=account_id, app=app, by_user=False
                )

    async def _open(self, app: App, data: CodeData, code: str) -> tuple[TokenSet, Account]:
        now = self._clock.now()
        ends_at = data.authenticated_at + self._session_max
        lifetime = timedelta(seconds=app.project.refresh_token_seconds or self._refresh_token_seconds)
        session = Session(
            id=uuid4(),
            account_id=data.account_id,
            app_id=app.id,
            client_id=app.client_id,
            scopes=data.scopes,
            salt=secrets.token_bytes(_SALT_BYTES),
            generation=1,
            security_version=data.security_version,
            authenticated_at=data.authenticated_at,
            created_at=now,
            rotated_at=now,
            expires_at=min(now + lifetime, ends_at),
            ends_at=ends_at,
            revoked=False,
        )
        async with self._database.transaction() as connection:
            if data.grant_id is not None and not await grants.hold(connection, data.grant_id):
                raise GatepostError(Reason.CODE_INVALID)
            if not await store.insert(connection, session, digest(code)):
                raise GatepostError(Reason.CODE_INVALID)
            found = await store.fetch(connection, session.id)
            if found is None:
                raise GatepostError(Reason.CODE_INVALID)
            await self._audit.record(connection, "session.create", account=found.account, app=app)
        return self._issue(found), found.account

    async def _find(self, token: Token) -> store.Found:
        """Return the session of a well-made token, if it lives.

        Raises:
            GatepostError: TOKEN_INVALID; TOKEN_EXPIRED when only time has ended it.
        """
        async with self._database.acquire() as connection:
            found = await store.fetch(connection, token.session_id)
        if found is None:
            raise GatepostError(Reason.TOKEN_INVALID)
        self._tokens.check(token, found.session.salt)
        session, account = found.session, found.account
        if (
            session.revoked
            or found.client_disabled
            or account.state is not AccountState.ACTIVE
            or account.security_version != session.security_version
        ):
            raise GatepostError(Reason.TOKEN_INVALID)
        if session.expires_at <= self._clock.now():
            raise GatepostError(Reason.TOKEN_EXPIRED)
        return found

    def _issue(self, found: store.Found) -> TokenSet:
        now = self._clock.now()
        session = found.session
        lifetime = timedelta(seconds=found.access_token_seconds or self._access_token_seconds)
        expires_at = min(now + lifetime, session.expires_at)
        return TokenSet(
            access_token=self._tokens.mint(Kind.ACCESS, session.id, session.salt, session.generation, expires_at),
            refresh_token=self._tokens.mint(Kind.REFRESH, session.id, session.salt, session.generation),
            access_expires_at=expires_at,
            expires_in=ceil((expires_at - now).total_seconds()),
            scopes=session.scopes,
        )
