"""What a user may change of himself, on his access token: all or nothing.

Everything is checked before anything is changed. User name, password and role change in one transaction, which commits
after the profile has taken its part (idempotent); a crash in between leaves what the same request, sent again,
completes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from auth_service import identifiers
from auth_service.audit import Audit
from auth_service.guesses import Guesses
from auth_service.known_devices import KnownDevices
from auth_service.limits import Limit, Limiter
from auth_service.model import Account, Project, Session, TokenForm
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.profiles import Profiles
from auth_service.reauthentication import Reauthentication
from auth_service.sessions import Sessions
from auth_service.store import account_writes, accounts, projects
from auth_service.store import sessions as session_store
from auth_service.store.account_writes import NewIdentifier
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, Violation
from runtime.postgres import Connection, Database


@dataclass(frozen=True, slots=True)
class Changes:
    """What is asked for; None for what is not. `profile` maps field names of Profile to new values."""

    password: str | None = field(default=None, repr=False)
    current_password: str | None = field(default=None, repr=False)
    role: str | None = None
    username: str | None = None
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of it; with a new password, what the device is known by from now on."""

    account: Account
    names: tuple[str, ...]
    at: datetime
    device: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is to be stored; None for what stays."""

    role: str | None
    username: str | None
    password_hash: str | None = field(repr=False)


class OwnAccount:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: Sessions,
        reauthentication: Reauthentication,
        passwords: Passwords,
        profiles: Profiles,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        guesses: Guesses,
        devices: KnownDevices,
        clock: Clock,
        mails: Limit,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._reauthentication = reauthentication
        self._passwords = passwords
        self._profiles = profiles
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._guesses = guesses
        self._devices = devices
        self._clock = clock
        self._mails = mails

    async def update(self, access_token: str, form: TokenForm, changes: Changes) -> Changed:
        """Make the changes. See AccountService.UpdateOwnAccount for answers and errors."""
        session, account = await self._sessions.authenticate(access_token, form)
        needs_project = changes.role is not None or changes.password is not None
        project = await self._project(account) if needs_project else None
        role = self._new_role(project, account, changes.role) if project else None
        username = self._new_username(account, changes.username)
        encoded = None
        if project and changes.password is not None:
            encoded = await self._new_password(project, account, session, changes)
        names = ["role"] * (role is not None) + ["password"] * (encoded is not None)
        names += ["username"] * (username is not None)
        now = self._clock.now()
        if not names:  # nothing of his account: it is as it was when he proved who he is
            return Changed(account, tuple(await self._update_profile(account, changes)), now)
        try:
            async with self._database.transaction() as connection:
                await self._apply(connection, session, account, _Checked(role, username, encoded), now)
                names += await self._update_profile(account, changes)
                fresh = await accounts.fetch(connection, account.id)
        except GatepostError as error:
            if error.reason is Reason.CONFLICT:  # perhaps this session has just been ended; if not, he may try again
                await self._sessions.authenticate(access_token, form)
            raise
        device = self._devices.issue(account.id, account.security_version + 1) if encoded is not None else ""
        return Changed(fresh or account, tuple(names), now, device)

    async def _project(self, account: Account) -> Project:
        async with self._database.acquire() as connection:
            project = await projects.fetch(connection, account.project_id)
        if project is None:
            raise GatepostError(Reason.TOKEN_INVALID)
        return project

    async def _update_profile(self, account: Account, changes: Changes) -> list[str]:
        return await self._profiles.update(account.id, changes.profile) if changes.profile else []

    def _new_role(self, project: Project, account: Account, wanted: str | None) -> str | None:
        if wanted is None:
            return None
        role = project.canonical_role(wanted)
        if role is None:
            violation = Violation("role", Rule.UNKNOWN, "The selected role is invalid.")
            raise GatepostError(Reason.ROLE_UNKNOWN, violations=(violation,))
        if role == account.role:
            return None
        if not project.may_assign_himself(role):
            raise GatepostError(Reason.ROLE_FORBIDDEN)
        return role

    def _new_username(self, account: Account, wanted: str | None) -> str | None:
        if wanted is None or wanted == account.username:
            return None
        return identifiers.username(wanted)[0]

    async def _new_password(self, project: Project, account: Account, session: Session, changes: Changes) -> str:
        password = changes.password or ""
        own_data = (account.email, account.username, changes.username or "", *changes.profile.values())
        self._passwords.check_new(password, project.password_min_length, own_data, project.names)
        await self._reauthentication.require(session, account, changes.current_password)
        return await self._passwords.hash(password)

    async def _apply(
        self, connection: Connection, session: Session, account: Account, new: _Checked, now: datetime
    ) -> None:
        if new.password_hash is not None:
            if not await accounts.bump_security_version(connection, account.id, account.security_version, now):
                raise GatepostError(Reason.CONFLICT, retry_after_seconds=1)
            await accounts.put_password(connection, account.id, new.password_hash, now)
            await session_store.carry_over(connection, session.id, account.security_version + 1, now)
            # Each is told to whoever reads the address.
            await self._limiter.take((self._mails, f"password:{account.id}"))
            await self._notices.post(connection, "password_changed", account.recipient(), time=now.isoformat())
            await self._audit.record(connection, "password.change", account=account)
            await self._guesses.forget(account.id)
        if new.username is not None:
            await accounts.fetch(connection, account.id, lock=True)  # two at once would leave him both names
            name = NewIdentifier("username", *identifiers.username(new.username), None)
            if not await account_writes.replace_identifier(connection, account, name):
                raise identifiers.username_taken()
            await self._audit.record(connection, "username.change", account=account)
        if new.role is not None:
            await self._limiter.take((self._mails, f"role:{account.id}"))
            await accounts.update_role(connection, account.id, new.role, now)
            await self._notices.post(connection, "role_changed", account.recipient(), role=new.role)
            await self._audit.record(connection, "role.change", account=account)
