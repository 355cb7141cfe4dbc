"""What a user sees and ends of his sessions, on a token of his. Ending wants a fresh sign-in; to sign out does not."""

from uuid import UUID

from auth_service.audit import Audit
from auth_service.model import Session, TokenForm
from auth_service.reauthentication import Reauthentication
from auth_service.sessions import Sessions
from auth_service.store import sessions as store
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

_MOST = 100


class OwnSessions:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self, *, database: Database, sessions: Sessions, reauthentication: Reauthentication, audit: Audit
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._reauthentication = reauthentication
        self._audit = audit

    async def list(self, access_token: str, form: TokenForm) -> list[Session]:
        """Return the live sessions of a token's user, its own first, then latest first, at most 100."""
        own, account = await self._sessions.authenticate(access_token, form)
        found = await self._sessions.list_live(account.id)
        return [own, *(session for session in found if session.id != own.id)][:_MOST]

    async def end(self, access_token: str, form: TokenForm, session_id: UUID) -> None:
        """End one session of a token's user.

        Raises:
            GatepostError: TOKEN_INVALID, TOKEN_EXPIRED, REAUTH_REQUIRED, NOT_FOUND (also when it has ended, or is
                another's).
        """
        session, account = await self._sessions.authenticate(access_token, form)
        await self._reauthentication.require(session, account, None)
        event = self._audit.event("session.end", account=account)
        async with self._database.acquire() as connection:
            if not await store.revoke_of(connection, account.id, session_id, "ended_by_user", event):
                raise GatepostError(Reason.NOT_FOUND, "no such session")

    async def end_all(self, access_token: str, form: TokenForm) -> None:
        """End every session of a token's user, the token's own included.

        Raises:
            GatepostError: TOKEN_INVALID, TOKEN_EXPIRED, REAUTH_REQUIRED.
        """
        session, account = await self._sessions.authenticate(access_token, form)
        await self._reauthentication.require(session, account, None)
        await self._sessions.end_all(account, by_user=True)
