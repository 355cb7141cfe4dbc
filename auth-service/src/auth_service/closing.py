"""Closing an account: its user asks for it, has a while to take it back by a mailed link, then everything is deleted.

    active -> closed (state disabled, `closing_at` set, no session lives) -> kept (active again) | deleted

`Expiry` is a background loop.
"""

from datetime import datetime, timedelta

from auth_service.audit import Audit
from auth_service.enrolment import Enrolment
from auth_service.links import Links
from auth_service.model import Account, LinkPurpose, TokenForm
from auth_service.notices import Notices
from auth_service.reauthentication import Reauthentication
from auth_service.sessions import Sessions
from auth_service.store import accounts
from auth_service.store import links as link_store
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection, Database

_BATCH = 1000


class Closing:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: Sessions,
        reauthentication: Reauthentication,
        links: Links,
        notices: Notices,
        audit: Audit,
        clock: Clock,
        seconds: int,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._reauthentication = reauthentication
        self._links = links
        self._notices = notices
        self._audit = audit
        self._clock = clock
        self._seconds = seconds

    async def close(self, access_token: str, form: TokenForm, current_password: str) -> datetime:
        """Close a token's account, and return when it will be deleted. See AccountService.CloseOwnAccount."""
        session, account = await self._sessions.authenticate(access_token, form)
        await self._reauthentication.require(session, account, current_password)
        now = self._clock.now()
        closing_at = now + timedelta(seconds=self._seconds)
        async with self._database.transaction() as connection:
            if not await accounts.bump_security_version(connection, account.id, account.security_version, now):
                raise GatepostError(Reason.TOKEN_INVALID)  # his sessions have just been ended, this one too
            await accounts.close(connection, account.id, closing_at, now)
            token = await self._links.issue(connection, LinkPurpose.KEEP_ACCOUNT, account.id, {}, self._seconds)
            await self._notices.post(
                connection,
                "account_closing",
                account.recipient(),
                link=self._links.url(LinkPurpose.KEEP_ACCOUNT, token),
                time=closing_at.isoformat(),
            )
            await self._audit.record(connection, "account.close", account=account)
        return closing_at

    async def keep(self, connection: Connection, account: Account) -> None:
        """Take a closing back in the caller's transaction; the password is asked for as ever."""
        await accounts.keep(connection, account.id, self._clock.now())
        await self._notices.post(connection, "account_kept", account.recipient())
        await self._audit.record(connection, "account.keep", account=account)


class Expiry:
    """Deletes accounts whose time is over, and forgets such links. A background loop.

    Args:
        database: Where they are.
        enrolment: Deletes accounts.
        audit: Records it.
        clock: For what is due.
    """

    def __init__(self, database: Database, enrolment: Enrolment, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._enrolment = enrolment
        self._audit = audit
        self._clock = clock

    async def step(self) -> bool:
        """Do a bounded piece of work; True if there may be more."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            account = await accounts.fetch_due_closing(connection, now)
            if account is not None:
                await self._enrolment.delete(connection, account)
                await self._audit.record(connection, "account.delete", account=account, by_user=False)
        async with self._database.acquire() as connection:
            forgotten = await link_store.delete_expired(connection, now, _BATCH)
        return account is not None or forgotten == _BATCH
