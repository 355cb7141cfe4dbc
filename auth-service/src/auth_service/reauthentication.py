"""Fresh proof of who somebody is, before he changes what his account hangs on. Called by use cases that do so."""

from datetime import datetime, timedelta

from auth_service.audit import Audit
from auth_service.guesses import Guess, Guesses, of_account, of_session
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
        guesses: Counts wrong ones.
        audit: Is told of them.
        clock: For the age of a sign-in.
        seconds: Age of a sign-in up to which it is proof enough.
    """

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        guesses: Guesses,
        audit: Audit,
        clock: Clock,
        seconds: int,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._guesses = guesses
        self._audit = audit
        self._clock = clock
        self._age = timedelta(seconds=seconds)

    async def require(self, session: Session, account: Account, current_password: str | None) -> None:
        """Go on only if the session's user has proven himself lately, or does so now; a wrong password never passes.

        Raises:
            GatepostError: REAUTH_REQUIRED on `current_password`; RATE_LIMITED after too many wrong ones; OVERLOADED.
        """
        if current_password:
            if not await self.proves(account, current_password, session):
                raise _refusal(Rule.REAUTH, "The current_password is incorrect.")
        elif self._clock.now() > self.fresh_until(session):
            raise _refusal(Rule.REQUIRED, "The current_password field is required.")

    def fresh_until(self, session: Session) -> datetime:
        """Return until when a session's sign-in is proof enough."""
        return session.authenticated_at + self._age

    async def proves(self, account: Account, password: str, session: Session | None = None) -> bool:
        """Say whether a password is the account's present one, and count it if not.

        A session's are counted apart: guessing by strangers does not keep its user from what he may do. Without one, a
        password that strangers have guessed at too often proves nothing.

        Raises:
            GatepostError: RATE_LIMITED after too many wrong ones; OVERLOADED.
        """
        guess = Guess(of_account(account.id))
        if session is not None:
            guess = Guess(of_session(session.id), about=guess.whom)
        await self._guesses.check(guess)
        async with self._database.acquire() as connection:
            stored = await accounts.fetch_password(connection, account.id)
        usable = stored if stored and (session or not stored.locked) else None
        if await self._passwords.verify(password, usable.hash if usable else None) and usable:
            await self._guesses.right(guess, account, usable)
            return True
        outcome = Reason.REAUTH_REQUIRED.value
        await self._guesses.wrong(
            guess, self._audit.event("account.reauthenticate", outcome=outcome, account=account, by_user=False)
        )
        return False


def _refusal(rule: Rule, description: str) -> GatepostError:
    return GatepostError(Reason.REAUTH_REQUIRED, violations=(Violation("current_password", rule, description),))
