"""Proving a phone number: a code goes to it by SMS; when it comes back, the profile has the number, proven.

The profile goes first (idempotent), then the notice; a crash in between leaves the number set, for which another proof
can be begun.
"""

from asyncio import CancelledError

from auth_service import identifiers
from auth_service.audit import Audit
from auth_service.challenges import Challenges
from auth_service.limits import Limit, Limiter, of_address
from auth_service.model import Account, OpenChallenge, Purpose, TokenForm
from auth_service.notices import Channel, Notices
from auth_service.profiles import Profiles
from auth_service.reauthentication import Reauthentication
from auth_service.sessions import Sessions
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database


class PhoneChange:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: Sessions,
        reauthentication: Reauthentication,
        challenges: Challenges,
        profiles: Profiles,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        clock: Clock,
        messages: Limit,
        per_address: Limit,
        seconds: int,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._reauthentication = reauthentication
        self._challenges = challenges
        self._profiles = profiles
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._clock = clock
        self._messages = messages
        self._per_address = per_address
        self._seconds = seconds

    async def start(self, access_token: str, form: TokenForm, phone: str, current_password: str) -> OpenChallenge:
        """Send a code to the number. See AccountService.StartPhoneChange for answers and errors."""
        session, account = await self._sessions.authenticate(access_token, form)
        number = identifiers.phone(phone)
        await self._reauthentication.require(session, account, current_password)
        # Every message costs, and accounts are made for nothing: who asks is limited by his address too.
        await self._limiter.take((self._per_address, of_address(current().client_address)))
        await self._limiter.take((self._messages, f"phone-change:{account.id}"))
        await self._limiter.take((self._messages, f"phone-change:{number}"))
        data = {
            "account_id": str(account.id),
            "session_id": str(session.id),
            "security_version": account.security_version,
            "project": account.project,
            "phone": number,
        }
        opened = await self._challenges.open(Purpose.PHONE_CHANGE, str(account.id), data, self._seconds)
        async with self._database.transaction() as connection:
            await self._notices.post(
                connection,
                "phone_change_code",
                account.recipient(number),
                channel=Channel.SMS,
                expires_at=opened.challenge.expires_at,
                code=opened.code,
                minutes=max(1, self._seconds // 60),
            )
            await self._audit.record(connection, "phone.change_start", account=account)
        return opened.challenge

    async def complete(self, access_token: str, form: TokenForm, phone: str, handle: str, code: str) -> None:
        """Set the number. See AccountService.CompletePhoneChange for answers and errors."""
        session, account = await self._sessions.authenticate(access_token, form)
        data = await self._challenges.peek(Purpose.PHONE_CHANGE, handle)
        known = (data["account_id"], data["session_id"], data["security_version"])
        if known != (str(account.id), str(session.id), account.security_version) or _read(phone) != data["phone"]:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        claim = await self._challenges.claim(Purpose.PHONE_CHANGE, handle, code)
        try:
            await self._apply(account, claim.data["phone"])
        except (GatepostError, CancelledError):
            await self._challenges.release(claim)
            raise

    async def _apply(self, account: Account, number: str) -> None:
        await self._profiles.update(account.id, {"phone": number, "phone_verified": True})
        async with self._database.transaction() as connection:
            await self._notices.post(
                connection, "phone_changed", account.recipient(), time=self._clock.now().isoformat()
            )
            await self._audit.record(connection, "phone.change", account=account)


def _read(phone: str) -> str | None:
    try:
        return identifiers.phone(phone)
    except GatepostError:
        return None
