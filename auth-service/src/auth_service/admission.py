"""The end of every way in: whoever asked gets a code for his app, or the gateway a session of its own.

Called by `sign_in`, `sign_up`, `verification` and `identities`: `admit` where nothing is left to write but what is said
of it, `finish` in the transaction of what else they write.
"""

from dataclasses import replace

from auth_service.codes import Codes
from auth_service.entrance import Entrance
from auth_service.known_devices import KnownDevices
from auth_service.model import Account, Entry, SignInStep, TokenForm
from auth_service.notices import language_of_call
from auth_service.sessions import Sessions
from auth_service.store import accounts, audit
from auth_service.store.audit import Event
from runtime.clock import Clock
from runtime.postgres import Connection, Database


class Admission:
    """Admits people.

    Args:
        database: Where accounts are.
        entrance: Takes what is said where nothing else is written.
        codes: For apps.
        sessions: For the gateway.
        devices: Make them known by which somebody got in through our pages.
        clock: For when the person proved who he is.
    """

    def __init__(
        self,
        database: Database,
        entrance: Entrance,
        codes: Codes,
        sessions: Sessions,
        devices: KnownDevices,
        clock: Clock,
    ) -> None:
        self._database = database
        self._entrance = entrance
        self._codes = codes
        self._sessions = sessions
        self._devices = devices
        self._clock = clock

    @property
    def key_id(self) -> int:
        """The key that codes and sessions are made with now. See `Entry.key_id`."""
        return self._codes.key_id

    async def admit(self, entry: Entry, account: Account, event: Event) -> SignInStep:
        """Append the event and return the code or the session: both, or neither is there for anybody.

        Raises:
            GatepostError: CONFLICT if the account has changed meanwhile.
        """
        if entry.app is None or _language_to_keep(account):
            async with self._database.transaction() as connection:
                await audit.insert(connection, event)
                return await self.finish(connection, entry, account)
        # The code first: without it nothing has happened that could be said, and until it is said nobody knows it.
        code = await self._codes.issue(account, entry.app, entry.pkce, self._clock.now(), key_id=entry.key_id)
        await self._entrance.append(event)
        return SignInStep(entry.project.sign_in_policy, code=code)

    async def finish(self, connection: Connection, entry: Entry, account: Account) -> SignInStep:
        """Return the code or the session, and keep which language the person prefers.

        Raises:
            GatepostError: CONFLICT if the account has changed meanwhile.
        """
        language = _language_to_keep(account)
        if language:
            await accounts.update_language(connection, account.id, language)
            account = replace(account, language=language)
        policy = entry.project.sign_in_policy
        if entry.app is None:
            session = await self._sessions.open(connection, account, entry.form, entry.key_id)
            if entry.form is TokenForm.WEB:
                session = replace(session, device=self._devices.issue(account.id, account.security_version))
            return SignInStep(policy, session=session)
        code = await self._codes.issue(account, entry.app, entry.pkce, self._clock.now(), key_id=entry.key_id)
        return SignInStep(policy, code=code)


def _language_to_keep(account: Account) -> str:
    """Return the language of the call at hand if it is another than the account's; empty for none."""
    language = language_of_call()
    return "" if language == account.language else language
