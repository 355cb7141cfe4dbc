"""The one Token engine: a session is what one client holds for one user, in one form.

    code -> session (generation 1) -> refreshed (generation n+1) … -> revoked | expired      pairs
    code | first-party sign-in -> session -> used … -> revoked | expired                     single values

Pairs are computed from the session row (see `tokens`); every other token is a random value, found by its SHA-256. A
session lives while it is not revoked, not expired, its account is active at the session's security version, and its app
and project are enabled; all of it is read from PostgreSQL for every token, so what was acknowledged holds at once,
everywhere, and after any crash. Whoever acts on a token asks `authenticate`; how apps get tokens: `issuance`.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from auth_service import token_forms
from auth_service.arrivals import Arrivals, client_of_call
from auth_service.audit import Audit
from auth_service.batches import Batches
from auth_service.clients import check_dialect, tell_status_mode
from auth_service.keys import digest
from auth_service.model import Account, AccountState, App, IssuedSession, Session, TokenForm
from auth_service.store import accounts, session_writes
from auth_service.store import sessions as store
from auth_service.store.session_writes import Ending, Opening, Touch
from auth_service.token_forms import Lifetimes
from auth_service.tokens import Kind, Token, TokenCodec
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection, Database

_SALT_BYTES = 16
_TOUCH = timedelta(minutes=1)  # the last use is noted no more often than this


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows an access token, and until when it can be shown."""

    session: Session
    account: Account
    token_expires_at: datetime


class Sessions:
    """Opens, checks and ends sessions. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        batches: Batches,
        tokens: TokenCodec,
        arrivals: Arrivals,
        audit: Audit,
        clock: Clock,
        lifetimes: Lifetimes,
    ) -> None:
        self._database = database
        self._batches = batches
        self._tokens = tokens
        self._arrivals = arrivals
        self._audit = audit
        self._clock = clock
        self._lifetimes = lifetimes

    async def authenticate(self, access_token: str, form: TokenForm = TokenForm.PAIR) -> tuple[Session, Account]:
        """Return the live session and the account of an access token, which must be of the form.

        Raises:
            GatepostError: TOKEN_INVALID; TOKEN_EXPIRED when only time has ended it; DIALECT_DISABLED.
        """
        bearer = await self.identify(access_token, form)
        return bearer.session, bearer.account

    async def identify(self, access_token: str, form: TokenForm) -> Bearer:
        """Return whose an access token is, and until when it can be used; raises as `authenticate`."""
        if form.paired:
            token = self._tokens.parse(access_token, Kind.ACCESS)
            found = await self.find(token, form)
            if token.expires_at is None or token.expires_at <= self._clock.now():
                raise GatepostError(Reason.TOKEN_EXPIRED)
            session = await self._touched(found.session)
            return Bearer(session, found.account, min(token.expires_at, session.expires_at))
        found = await self._find_key(access_token, form)
        session = await self._touched(found.session)
        return Bearer(session, found.account, session.expires_at)

    async def open(self, connection: Connection, account: Account, form: TokenForm, key_id: int = 0) -> IssuedSession:
        """Open a session without an app for somebody who has just proven who he is, in the caller's transaction.

        It ends with the key `key_id`, 0 for the one in use.

        Raises:
            GatepostError: CONFLICT if the account has changed meanwhile.
        """
        now = self._clock.now()
        session = self.new(account.id, account.security_version, form, now, now, key_id=key_id)
        key = token_forms.new_key(form)
        await self._arrivals.announce(connection, account, form)
        opening = Opening(session, self._audit.event("session.create", account=account), key_hash=digest(key))
        if not await session_writes.open_many(connection, [opening], wait=True):
            raise GatepostError(Reason.CONFLICT, retry_after_seconds=1)
        return IssuedSession(key, session.expires_at, account)

    async def end(self, access_token: str, form: TokenForm = TokenForm.PAIR) -> None:
        """End the session of an access token. See TokenService.EndSession."""
        session, account = await self.authenticate(access_token, form)
        await self._batches.end(Ending(session.id, "logout", self._audit.event("session.end", account=account)))

    async def end_all(self, account: Account, *, by_user: bool = False) -> None:
        """End every session of an account at once."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            fresh = await accounts.fetch(connection, account.id)
            if fresh is None:
                raise GatepostError(Reason.NOT_FOUND, "no such account")
            if not await accounts.bump_security_version(connection, fresh.id, fresh.security_version, now):
                raise GatepostError(Reason.CONFLICT, retry_after_seconds=1)
            await self._audit.record(connection, "session.end_all", account=account, by_user=by_user)

    async def list_live(self, account_id: UUID) -> list[Session]:
        """Return an account's live sessions, latest first, at most 100."""
        async with self._database.acquire() as connection:
            return await store.fetch_live(connection, account_id, self._clock.now())

    def new(
        self,
        account_id: UUID,
        security_version: int,
        form: TokenForm,
        now: datetime,
        authenticated_at: datetime,
        app: App | None = None,
        scopes: tuple[str, ...] = (),
        key_id: int = 0,
    ) -> Session:
        """Return a session that begins now, for the client of the call at hand; not yet stored.

        What it is opened with was made with the key `key_id`, 0 for the one in use; with that key the session ends.
        """
        ends_at = self._lifetimes.ends_at(form, authenticated_at, now)
        refresh_seconds = app.project.refresh_token_seconds if app else 0
        user_agent, client_address = client_of_call()
        return Session(
            id=uuid4(),
            account_id=account_id,
            app_id=app.id if app else None,
            client_id=app.client_id if app else "",
            scopes=scopes,
            salt=secrets.token_bytes(_SALT_BYTES),
            generation=1,
            security_version=security_version,
            authenticated_at=authenticated_at,
            created_at=now,
            rotated_at=now,
            expires_at=self._lifetimes.expires_at(form, now, ends_at, refresh_seconds),
            ends_at=ends_at,
            revoked=False,
            form=form,
            last_used_at=now,
            user_agent=user_agent,
            client_address=client_address,
            key_id=key_id or self._tokens.key_id,
        )

    async def find(self, token: Token, form: TokenForm) -> store.Found:
        """Return the session of a well-made token of a pair, if it lives and is of the form.

        Raises:
            GatepostError: TOKEN_INVALID; TOKEN_EXPIRED when only time has ended it; DIALECT_DISABLED.
        """
        found = await self._batches.session(token.session_id) if await self._tokens.find_key(token.key_id) else None
        if found is None:
            raise GatepostError(Reason.TOKEN_INVALID)
        self._tokens.check(token, found.session.salt)
        return self._alive(found, form)

    async def _find_key(self, key: str, form: TokenForm) -> store.Found:
        """Return the session of a token that is one random value; raises as `find`."""
        if not token_forms.is_key(form, key):
            raise GatepostError(Reason.TOKEN_INVALID)
        found = await self._batches.session_of(digest(key))
        if found is None:
            raise GatepostError(Reason.TOKEN_INVALID)
        return self._alive(found, form)

    def _alive(self, found: store.Found, form: TokenForm) -> store.Found:
        session, account = found.session, found.account
        tell_status_mode(found.status_mode, found.project_modes)
        if (
            session.form is not form
            or session.revoked
            or found.client_disabled
            or account.state is not AccountState.ACTIVE
            or account.security_version != session.security_version
        ):
            raise GatepostError(Reason.TOKEN_INVALID)
        check_dialect(found.dialects)
        if session.expires_at <= self._clock.now():
            raise GatepostError(Reason.TOKEN_EXPIRED)
        return found

    async def _touched(self, session: Session) -> Session:
        """Note that a session is used, at most once a minute, and let it live on if its form does."""
        now = self._clock.now()
        if now - (session.last_used_at or session.rotated_at) < _TOUCH:
            return session
        expires_at = session.expires_at
        if token_forms.slides(session.form):
            expires_at = max(expires_at, self._lifetimes.expires_at(session.form, now, session.ends_at))
        await self._batches.touch(Touch(session.id, now, expires_at, now - _TOUCH))
        return replace(session, last_used_at=now, expires_at=expires_at)
