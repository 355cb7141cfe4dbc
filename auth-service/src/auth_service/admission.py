"""The end of every way in: whoever asked gets a code for his app, or the gateway a session of its own.

Called by `sign_in`, `sign_up`, `verification` and `identities` in the transaction of what they have found out.
"""

from dataclasses import replace

from auth_service.codes import Codes
from auth_service.model import Account, Entry, SignInStep
from auth_service.notices import language_of_call
from auth_service.sessions import Sessions
from auth_service.store import accounts
from runtime.clock import Clock
from runtime.postgres import Connection


class Admission:
    """Admits people.

    Args:
        codes: For apps.
        sessions: For the gateway.
        clock: For when the person proved who he is.
    """

    def __init__(self, codes: Codes, sessions: Sessions, clock: Clock) -> None:
        self._codes = codes
        self._sessions = sessions
        self._clock = clock

    async def finish(self, connection: Connection, entry: Entry, account: Account) -> SignInStep:
        """Return the code or the session, and keep which language the person prefers.

        Raises:
            GatepostError: CONFLICT if the account has changed meanwhile.
        """
        language = language_of_call()
        if language and language != account.language:
            await accounts.update_language(connection, account.id, language)
            account = replace(account, language=language)
        policy = entry.project.sign_in_policy
        if entry.app is None:
            return SignInStep(policy, session=await self._sessions.open(connection, account, entry.form))
        code = await self._codes.issue(account, entry.app, entry.pkce, self._clock.now())
        return SignInStep(policy, code=code)
