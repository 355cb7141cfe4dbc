"""Fresh proof of who somebody is, before he changes what his account hangs on. Called by use cases that do so."""

from datetime import timedelta

from auth_service.limits import Limit, Limiter
from auth_service.model import Account, Session
from auth_service.passwords import Passwords
from auth_service.store import accounts
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, Violation
from runtime.postgres import Database


class Reauthentication:
    """Demands a recent sign-in, or else the present password.

    Args:
        database: Where password hashes are.
        passwords: Verifies them.
        limiter: Counts wrong ones, together with those of signing in.
        clock: For the age of a sign-in.
        per_account: Wrong passwords for an account.
        seconds: Age of a sign-in up to which it is proof enough.
    """

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        limiter: Limiter,
        clock: Clock,
        per_account: Limit,
        seconds: int,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._limiter = limiter
        self._clock = clock
        self._per_account = per_account
        self._age = timedelta(seconds=seconds)

    async def require(self, session: Session, account: Account, current_password: str | None) -> None:
        """Go on only if the session's user has proven himself lately, or does so now; a wrong password never passes.

        Raises:
            GatepostError: REAUTH_REQUIRED on `current_password`; RATE_LIMITED after too many wrong ones; OVERLOADED.
        """
        if current_password:
            if not await self.proves(account, current_password):
                raise _refusal("The current_password is incorrect.")
        elif self._clock.now() - session.authenticated_at > self._age:
            raise _refusal("The current_password field is required.")

    async def proves(self, account: Account, password: str) -> bool:
        """Say whether a password is the account's present one, and count it if not.

        Raises:
            GatepostError: RATE_LIMITED after too many wrong ones; OVERLOADED.
        """
        subject = f"{account.project_id}:{account.email.casefold()}"  # as signing in counts, see sign_in.subject_of
        await self._limiter.check(self._per_account, subject)
        async with self._database.acquire() as connection:
            encoded = await accounts.fetch_password_hash(connection, account.id)
        right, _ = await self._passwords.verify(password, encoded)
        if right:
            await self._limiter.clear(self._per_account, subject)
        else:
            await self._limiter.count_failure(self._per_account, subject)
        return right


def _refusal(description: str) -> GatepostError:
    return GatepostError(Reason.REAUTH_REQUIRED, violations=(Violation("current_password", Rule.REAUTH, description),))
