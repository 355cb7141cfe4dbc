"""How apps get tokens: a code is exchanged, a refresh token rotated. What the sessions behind them are: `sessions`.

A second use of a code or of a refresh token gone by ends the session, as does nothing else here.
"""

from asyncio import CancelledError, sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from math import ceil

from auth_service import pkce, token_forms
from auth_service.arrivals import Arrivals
from auth_service.audit import Audit
from auth_service.batches import Batches
from auth_service.clients import Clients
from auth_service.codes import CodeData, Codes
from auth_service.keys import digest
from auth_service.model import Account, App, Session, TokenForm, TokenSet
from auth_service.sessions import Sessions
from auth_service.store import session_writes
from auth_service.store import sessions as store
from auth_service.store.session_writes import Ending, Opening, Rotation
from auth_service.token_forms import Lifetimes
from auth_service.tokens import Kind, TokenCodec
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database

# A code that was just used has perhaps not opened its session yet: it is looked for again after these pauses.
_NOT_YET_SECONDS = (0.02, 0.1, 0.5, 0)
_ROTATIONS = 5  # tries, of a session that is changed beside us
_REFUSALS = {Reason.CODE_INVALID, Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED}


class _ReuseError(GatepostError):
    """A refusal that stands in the audit trail already, as reuse."""


class Issuance:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        batches: Batches,
        clients: Clients,
        codes: Codes,
        tokens: TokenCodec,
        sessions: Sessions,
        arrivals: Arrivals,
        audit: Audit,
        clock: Clock,
        lifetimes: Lifetimes,
        refresh_replay_seconds: float,
    ) -> None:
        self._database = database
        self._batches = batches
        self._clients = clients
        self._codes = codes
        self._tokens = tokens
        self._sessions = sessions
        self._arrivals = arrivals
        self._audit = audit
        self._clock = clock
        self._lifetimes = lifetimes
        self._replay = timedelta(seconds=refresh_replay_seconds)

    async def exchange(
        self,
        *,
        client_id: str,
        client_secret: str,
        code: str,
        code_verifier: str,
        form: TokenForm = TokenForm.PAIR,
        redirect_url: str = "",
        secret_in_query: bool = False,
    ) -> tuple[TokenSet, Account]:
        """Exchange a one-time code. See TokenService.ExchangeCode for arguments, answers and errors."""
        app = await self._clients.authenticate(client_id, client_secret, secret_in_query=secret_in_query)
        if not code:
            raise missing("code")
        async with self._refusals_recorded("session.create", app):
            return await self._exchange(app, code, code_verifier, form, redirect_url)

    async def _exchange(
        self, app: App, code: str, code_verifier: str, form: TokenForm, redirect_url: str
    ) -> tuple[TokenSet, Account]:
        data = await self._use(code, app, form)
        if redirect_url and redirect_url != data.redirect_url:
            raise GatepostError(Reason.CODE_INVALID, metadata={"cause": "redirect_url_mismatch"})
        if not pkce.proves(data.pkce, code_verifier):
            raise GatepostError(Reason.CODE_INVALID, metadata={"cause": "pkce_mismatch"})
        try:
            return await self._open_for(app, data, code, form)
        except (GatepostError, CancelledError) as error:
            if not isinstance(error, GatepostError) or error.reason is not Reason.CODE_INVALID:
                await self._codes.release(code)
            elif await self._punish_reuse(code, app):  # Valkey has forgotten that it was used
                raise _ReuseError(Reason.CODE_INVALID) from error
            raise

    async def refresh(
        self, *, client_id: str, client_secret: str, refresh_token: str, form: TokenForm = TokenForm.PAIR
    ) -> tuple[TokenSet, Account]:
        """Rotate a refresh token. See TokenService.RefreshTokens for arguments, answers and errors."""
        app = await self._clients.authenticate(client_id, client_secret)
        if not refresh_token:
            raise missing("refresh_token")
        async with self._refusals_recorded("session.refresh", app):
            return await self._rotate(app, refresh_token, form)

    async def _rotate(self, app: App, refresh_token: str, form: TokenForm) -> tuple[TokenSet, Account]:
        token = self._tokens.parse(refresh_token, Kind.REFRESH)
        for _ in range(_ROTATIONS):
            found = await self._sessions.find(token, form)
            if found.session.app_id != app.id:
                raise GatepostError(Reason.TOKEN_INVALID)
            now = self._clock.now()
            if token.generation != found.session.generation:
                break
            expires_at = self._lifetimes.expires_at(form, now, found.session.ends_at, found.refresh_token_seconds)
            key_id = self._tokens.key_id
            if await self._batches.rotate(Rotation(token.session_id, token.generation, now, expires_at, key_id)):
                session = replace(
                    found.session, generation=found.session.generation + 1, expires_at=expires_at, key_id=key_id
                )
                return self._pair(session, found.access_token_seconds), found.account
            # Somebody else was faster, or a new password was set over this session meanwhile: look again.
        else:
            raise GatepostError(Reason.UNAVAILABLE, "the session is changed all the time", retry_after_seconds=1)
        if token.generation == found.session.generation - 1 and now - found.session.rotated_at <= self._replay:
            await self._tokens.find_key(found.session.key_id)  # the successor is made with the key it was made with
            return self._pair(found.session, found.access_token_seconds), found.account
        event = self._audit.event(
            "session.refresh", outcome="refresh_reuse", account=found.account, app=app, actor=_actor(app)
        )
        await self._batches.end(Ending(found.session.id, "refresh_reuse", event))
        raise _ReuseError(Reason.TOKEN_INVALID)

    async def _open_for(self, app: App, data: CodeData, code: str, form: TokenForm) -> tuple[TokenSet, Account]:
        if not await self._tokens.find_key(data.key_id):
            raise GatepostError(Reason.CODE_INVALID)
        now = self._clock.now()
        # What was taken from the app since the code was issued has been taken from its sessions, too.
        allowed = app.allowed_scopes
        scopes = tuple(scope for scope in data.scopes if scope in allowed)
        session = self._sessions.new(
            data.account_id, data.security_version, form, now, data.authenticated_at, app, scopes, data.key_id
        )
        key = None if form.paired else token_forms.new_key(form)
        opening = Opening(
            session,
            self._audit.event("session.create", app=app, account_id=data.account_id),
            code_hash=digest(code),
            key_hash=None if key is None else digest(key),
            grant_id=data.grant_id,
        )
        account = await self._open(opening)
        if account is None:
            raise GatepostError(Reason.CODE_INVALID)
        if key is None:
            return self._pair(session, app.project.access_token_seconds), account
        return _single(key, session, now), account

    async def _open(self, opening: Opening) -> Account | None:
        """Store a session and return its account; None if the code is good for none (any more)."""
        session = opening.session
        if not await self._arrivals.is_news(session.account_id):
            return await self._batches.open(opening)
        async with self._database.transaction() as connection:  # with the notices that a client is new
            account = (await session_writes.open_many(connection, [opening], wait=True)).get(session.id)
            if account is not None:
                await self._arrivals.tell(connection, account, session.form)
        return account

    @asynccontextmanager
    async def _refusals_recorded(self, action: str, app: App) -> AsyncIterator[None]:
        """Record for the owner of an app that it was refused inside the block."""
        try:
            yield
        except GatepostError as error:
            if error.reason in _REFUSALS and not isinstance(error, _ReuseError):
                async with self._database.acquire() as connection:
                    await self._audit.record(connection, action, outcome=error.reason.value, app=app, actor=_actor(app))
            raise

    async def _use(self, code: str, app: App, form: TokenForm) -> CodeData:
        try:
            data = await self._codes.use(code, app, form)
        except GatepostError as error:
            # Perhaps it was used so long ago that Valkey has forgotten.
            if error.reason is Reason.CODE_INVALID and await self._punish_reuse(code, app):
                raise _ReuseError(Reason.CODE_INVALID) from error
            raise
        if data is None:
            for seconds in _NOT_YET_SECONDS:
                if await self._punish_reuse(code, app):
                    raise _ReuseError(Reason.CODE_INVALID)
                await sleep(seconds)
            raise GatepostError(Reason.CODE_INVALID)
        return data

    async def _punish_reuse(self, code: str, app: App) -> bool:
        event = self._audit.event("session.create", outcome="code_reuse", app=app, actor=_actor(app))
        async with self._database.acquire() as connection:
            return await store.revoke_by_code(connection, digest(code), app.id, event)

    def _pair(self, session: Session, project_seconds: int) -> TokenSet:
        now = self._clock.now()
        lifetime = timedelta(seconds=self._lifetimes.access_seconds(session.form, project_seconds))
        expires_at = min(now + lifetime, session.expires_at)
        mint = partial(
            self._tokens.mint,
            session_id=session.id,
            salt=session.salt,
            generation=session.generation,
            key_id=session.key_id,
        )
        return TokenSet(
            access_token=mint(Kind.ACCESS, expires_at=expires_at),
            refresh_token=mint(Kind.REFRESH),
            access_expires_at=expires_at,
            expires_in=ceil((expires_at - now).total_seconds()),
            scopes=session.scopes,
        )


def _actor(app: App) -> str:
    """Return what the audit trail calls an app that acts for itself."""
    return f"app:{app.client_id}"


def _single(key: str, session: Session, now: datetime) -> TokenSet:
    return TokenSet(
        access_token=key,
        refresh_token="",
        access_expires_at=session.expires_at,
        expires_in=ceil((session.expires_at - now).total_seconds()),
        scopes=session.scopes,
    )
