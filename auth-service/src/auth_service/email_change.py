"""A user's e-mail address: proving it by a mailed link, and moving to another one.

A code goes to the new address; when it comes back, the old one is told. An address in use gets the same answer at the
same cost, and its owner a note; its challenge can never be answered.
"""

from asyncio import CancelledError
from uuid import UUID

from auth_service import identifiers
from auth_service.addresses import Addresses
from auth_service.audit import Audit
from auth_service.challenges import Challenges, Claim
from auth_service.limits import Limit, Limiter
from auth_service.model import Account, OpenChallenge, Purpose, Session, TokenForm
from auth_service.notices import Notices
from auth_service.reauthentication import Reauthentication
from auth_service.sessions import Sessions
from auth_service.store import accounts
from auth_service.store import sessions as session_store
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Database


class EmailChange:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: Sessions,
        reauthentication: Reauthentication,
        challenges: Challenges,
        addresses: Addresses,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        clock: Clock,
        mails: Limit,
        seconds: int,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._reauthentication = reauthentication
        self._challenges = challenges
        self._addresses = addresses
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._clock = clock
        self._mails = mails
        self._seconds = seconds

    async def start(self, access_token: str, form: TokenForm, email: str, current_password: str) -> OpenChallenge:
        """Mail a code to the new address. See AccountService.StartEmailChange for answers and errors."""
        session, account = await self._sessions.authenticate(access_token, form)
        email, normalized = identifiers.email(email)
        if normalized == account.email.casefold():
            raise invalid("email", "This is your address already.")
        await self._reauthentication.require(session, account, current_password)
        await self._limiter.take((self._mails, f"email-change:{account.id}"))
        await self._limiter.take((self._mails, f"email-change:{account.project_id}:{normalized}"))
        async with self._database.acquire() as connection:
            holder = await accounts.fetch_holder(connection, account.project_id, normalized)
        taken = holder is not None and holder.id != account.id
        data = {
            "account_id": str(account.id),
            "session_id": str(session.id),
            "security_version": account.security_version,
            "project": account.project,
            "email": email,
            "normalized": normalized,
        }
        opened = await self._challenges.open(Purpose.EMAIL_CHANGE, str(account.id), data, self._seconds, decoy=taken)
        async with self._database.transaction() as connection:
            if holder is not None and taken:
                # To the address on record: what was typed may differ from it and be somebody else's.
                await self._notices.post(connection, "already_registered", holder.recipient())
            else:
                await self._notices.post(
                    connection,
                    "email_change_code",
                    account.recipient(email),
                    expires_at=opened.challenge.expires_at,
                    code=opened.code,
                    minutes=max(1, self._seconds // 60),
                )
            await self._audit.record(connection, "email.change_start", account=account)
        return opened.challenge

    async def complete(self, access_token: str, form: TokenForm, email: str, handle: str, code: str) -> Account:
        """Move to the address. See AccountService.CompleteEmailChange for answers and errors."""
        session, account = await self._sessions.authenticate(access_token, form)
        data = await self._challenges.peek(Purpose.EMAIL_CHANGE, handle)
        if (data["account_id"], data["session_id"]) != (str(account.id), str(session.id)) or (
            identifiers.login(email)[1] != data["normalized"]
        ):
            raise GatepostError(Reason.CHALLENGE_FAILED)
        claim = await self._challenges.claim(Purpose.EMAIL_CHANGE, handle, code)
        try:
            return await self._apply(session, account.id, claim)
        except (GatepostError, CancelledError) as error:
            if not isinstance(error, GatepostError) or error.reason is not Reason.CHALLENGE_FAILED:
                await self._challenges.release(claim)
            raise

    async def send_proof(self, access_token: str, form: TokenForm) -> None:
        """Mail a link that proves the present address, unless it is proven. See AccountService.SendEmailProof."""
        _, account = await self._sessions.authenticate(access_token, form)
        if account.email_verified or not account.email:
            return
        await self._limiter.take((self._mails, f"confirm:{account.project_id}:{account.email.casefold()}"))
        async with self._database.transaction() as connection:
            await self._addresses.ask_proof(connection, account)
            await self._audit.record(connection, "email.proof_start", account=account)

    async def _apply(self, session: Session, account_id: UUID, claim: Claim) -> Account:
        data = claim.data
        version = data["security_version"]
        now = self._clock.now()
        async with self._database.transaction() as connection:
            account = await accounts.fetch(connection, account_id)
            if account is None or not await accounts.bump_security_version(connection, account_id, version, now):
                raise GatepostError(Reason.CHALLENGE_FAILED)  # something sensitive changed since the code was mailed
            try:
                await self._addresses.move(connection, account, data["email"], data["normalized"], proven=True)
            except GatepostError as error:
                if error.reason is Reason.EMAIL_TAKEN:  # somebody else proved it first
                    raise GatepostError(Reason.CHALLENGE_FAILED) from error
                raise
            # He has shown that he reads the new address, not again who he is: the age of his sign-in stays.
            await session_store.carry_over(connection, session.id, version + 1, session.authenticated_at)
            return await accounts.fetch(connection, account_id) or account
