"""What a user may change of himself, on his access token: all or nothing.

Everything is checked before anything is changed. The profile goes first (idempotent), then password and role in one
transaction; a crash in between leaves what the same request, sent again, completes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from auth_service.audit import Audit
from auth_service.limits import Limit, Limiter
from auth_service.model import Account, Project, Session
from auth_service.notices import Notices
from auth_service.passwords import Passwords, check_new
from auth_service.profiles import Profiles
from auth_service.sessions import Sessions
from auth_service.sign_in import subject_of
from auth_service.store import accounts, projects
from auth_service.store import sessions as session_store
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, Violation
from runtime.postgres import Database


@dataclass(frozen=True, slots=True)
class Changes:
    """What is asked for; None for what is not. `profile` maps field names of Profile to new values."""

    password: str | None = field(default=None, repr=False)
    current_password: str | None = field(default=None, repr=False)
    role: str | None = None
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of it."""

    account: Account
    names: tuple[str, ...]
    at: datetime


class OwnAccount:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: Sessions,
        passwords: Passwords,
        profiles: Profiles,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        clock: Clock,
        per_account: Limit,
        reauth_seconds: int,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._profiles = profiles
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._clock = clock
        self._per_account = per_account
        self._reauth = timedelta(seconds=reauth_seconds)

    async def update(self, access_token: str, changes: Changes) -> Changed:
        """Make the changes. See AccountService.UpdateOwnAccount for answers and errors."""
        session, account = await self._sessions.authenticate(access_token)
        async with self._database.acquire() as connection:
            project = await projects.fetch(connection, account.project_id)
        if project is None:
            raise GatepostError(Reason.TOKEN_INVALID)
        role = self._new_role(project, account, changes.role)
        encoded = None
        if changes.password is not None:
            encoded = await self._new_password(project, account, session, changes)
        names: list[str] = []
        if changes.profile:
            names += await self._profiles.update(account.id, changes.profile)
        now = self._clock.now()
        if role is not None or encoded is not None:
            await self._apply(session, account, role, encoded, now)
            names += ["role"] * (role is not None) + ["password"] * (encoded is not None)
        async with self._database.acquire() as connection:
            fresh = await accounts.fetch(connection, account.id)
        return Changed(fresh or account, tuple(names), now)

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

    async def _new_password(self, project: Project, account: Account, session: Session, changes: Changes) -> str:
        password = changes.password or ""
        check_new(password, project.password_min_length, (account.email, account.username, *changes.profile.values()))
        if self._clock.now() - session.authenticated_at > self._reauth:
            await self._prove(account, changes.current_password)
        return await self._passwords.hash(password)

    async def _prove(self, account: Account, current_password: str | None) -> None:
        if not current_password:
            raise _reauth("The current_password field is required.")
        subject = subject_of(account.project_id, account.email.casefold())
        await self._limiter.check(self._per_account, subject)
        async with self._database.acquire() as connection:
            encoded = await accounts.fetch_password_hash(connection, account.id)
        right, _ = await self._passwords.verify(current_password, encoded)
        if not right:
            await self._limiter.count_failure(self._per_account, subject)
            raise _reauth("The current_password is incorrect.")
        await self._limiter.clear(self._per_account, subject)

    async def _apply(
        self, session: Session, account: Account, role: str | None, encoded: str | None, now: datetime
    ) -> None:
        async with self._database.transaction() as connection:
            if encoded is not None:
                if not await accounts.bump_security_version(connection, account.id, account.security_version, now):
                    raise GatepostError(Reason.TOKEN_INVALID)  # his other sessions have just been ended, this one too
                await accounts.put_password(connection, account.id, encoded, now)
                await session_store.carry_over(connection, session.id, account.security_version + 1, now)
                await self._notices.post(
                    connection, "password_changed", account.email, account.project, time=now.isoformat()
                )
                await self._audit.record(connection, "password.change", account=account)
            if role is not None:
                await accounts.update_role(connection, account.id, role, now)
                await self._notices.post(connection, "role_changed", account.email, account.project, role=role)
                await self._audit.record(connection, "role.change", account=account)


def _reauth(description: str) -> GatepostError:
    return GatepostError(Reason.REAUTH_REQUIRED, violations=(Violation("current_password", Rule.REAUTH, description),))
