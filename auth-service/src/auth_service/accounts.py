"""Accounts as operators see them: create, find, list, give a role, close and open, delete."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from auth_service import identifiers
from auth_service.audit import Audit
from auth_service.enrolment import Enrolment, NewAccount
from auth_service.guesses import UNLOCKED, Guesses
from auth_service.model import Account, AccountState, LinkPurpose, NewProfile, Project, Registration
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.store import accounts, links, projects
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, Violation, invalid
from runtime.postgres import Connection, Database

_FAR_FUTURE = datetime.max.replace(tzinfo=UTC)
_LAST_ID = UUID(int=2**128 - 1)
_UNMADE = 0  # security version of a sign-up that is no account yet


class Accounts:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        enrolment: Enrolment,
        notices: Notices,
        audit: Audit,
        guesses: Guesses,
        clock: Clock,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._enrolment = enrolment
        self._notices = notices
        self._audit = audit
        self._guesses = guesses
        self._clock = clock

    async def create(
        self,
        *,
        account_id: UUID,
        project: str,
        email: str,
        password: str,
        username: str,
        role: str,
        unverified: bool,
        profile: NewProfile,
    ) -> Account:
        """Make an account as an operator. See AccountService.CreateAccount for arguments and errors."""
        async with self._database.acquire() as connection:
            home = await self._project(connection, project)
            known = await accounts.fetch(connection, account_id)
        if known is not None:
            return known
        identifiers.email(email)
        if username:
            identifiers.username(username)
        if password:
            own_data = (email, username, profile.first_name, profile.last_name)
            self._passwords.check_new(password, home.password_min_length, own_data, home.names)
        new = NewAccount(
            id=account_id,
            project=home,
            email=email,
            email_verified=not unverified,
            password_hash=await self._passwords.hash(password) if password else None,
            profile=profile,
            role=_canonical(home, role) if role else home.roles[0],
            state=AccountState.PENDING if unverified else AccountState.ACTIVE,
            username=username,
        )
        await self._enrolment.prepare(new)
        try:
            async with self._database.transaction() as connection:
                account = await self._enrolment.complete(connection, new, by_user=False)
        except GatepostError as error:
            if error.reason is not Reason.ALREADY_EXISTS:
                raise
            return await self.get(account_id)  # the same call was made beside this one
        return account

    async def get(self, ref: UUID | tuple[str, str]) -> Account:
        """Return an account by id, or by project name and address; a sign-up not yet proven counts as pending.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.acquire() as connection:
            return await self._find(connection, ref)

    async def list(self, project: str, page_size: int, before: tuple[datetime, UUID] | None) -> list[Account]:
        """Return a page of a project's accounts, newest first."""
        at, account_id = before or (_FAR_FUTURE, _LAST_ID)
        async with self._database.acquire() as connection:
            home = await self._project(connection, project)
            return list(await accounts.fetch_page(connection, home.id, at, account_id, page_size))

    async def set_role(self, ref: UUID | tuple[str, str], role: str) -> Account:
        """Give a role; every token check reads it anew.

        Raises:
            GatepostError: NOT_FOUND, ROLE_UNKNOWN.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            account = await self._find_made(connection, ref)
            project = await self._project(connection, account.project)
            canonical = _canonical(project, role)
            if canonical == account.role:
                return account
            await accounts.update_role(connection, account.id, canonical, now)
            await self._notices.post(connection, "role_changed", account.recipient(), role=canonical)
            await self._audit.record(connection, "role.change", account=account, by_user=False)
        return replace(account, role=canonical, updated_at=now)

    async def set_state(self, ref: UUID | tuple[str, str], state: AccountState) -> Account:
        """Close or open an account; closing ends its sessions at once, opening proves a pending one.

        Opening also forgets the wrong passwords of strangers, and unlocks the password they have locked.

        One that its user has closed is kept when it is opened; closed by an operator too, his link opens it no more.

        Raises:
            GatepostError: NOT_FOUND; INVALID_PARAMETER for another state.
        """
        if state not in {AccountState.ACTIVE, AccountState.DISABLED}:
            raise invalid("state", "The state must be ACTIVE or DISABLED.")
        account = await self._put_state(ref, state)
        if state is AccountState.ACTIVE:
            await self._guesses.forget(account.id)  # last: what is repeated because Valkey was away finds the rest done
        return account

    async def _put_state(self, ref: UUID | tuple[str, str], state: AccountState) -> Account:
        now = self._clock.now()
        async with self._database.transaction() as connection:
            found = await self._find_made(connection, ref)
            account = await accounts.fetch(connection, found.id, lock=True)  # its user may be closing it just now
            if account is None:
                raise GatepostError(Reason.NOT_FOUND, "no such account")
            if account.closing_at is not None and state is AccountState.DISABLED:
                await links.end(connection, account.id, LinkPurpose.KEEP_ACCOUNT, now)
            if state is AccountState.ACTIVE and await accounts.unlock_password(connection, account.id):
                await self._audit.record(connection, UNLOCKED, account=account, by_user=False)
            if account.state is state:
                return account
            if account.state is AccountState.PENDING and state is AccountState.ACTIVE:
                await accounts.verify_email(connection, account.id, now)
            await accounts.update_state(connection, account.id, state, now)
            verb = "enable" if state is AccountState.ACTIVE else "disable"
            await self._audit.record(connection, f"account.{verb}", account=account, by_user=False)
            return await accounts.fetch(connection, account.id) or account

    async def delete(self, ref: UUID | tuple[str, str]) -> Account:
        """Delete an account and what hangs on it; the profile follows within moments.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.transaction() as connection:
            account = await self._find(connection, ref)
            await accounts.delete_registration(connection, account.id)
            await self._enrolment.delete(connection, account)
            await self._audit.record(connection, "account.delete", account=account, by_user=False)
        return account

    async def _find(self, connection: Connection, ref: UUID | tuple[str, str]) -> Account:
        if isinstance(ref, UUID):
            account = await accounts.fetch(connection, ref)
        else:
            project = await self._project(connection, ref[0])
            kind, normalized = identifiers.login(ref[1])
            found = await accounts.fetch_by_identifier(connection, project.id, kind, normalized)
            account = found[0] if found else None
            if account is None:
                waiting = await accounts.fetch_registration_by_email(
                    connection, project.id, normalized, self._clock.now()
                )
                account = _pending(waiting, project) if waiting else None
        if account is None:
            where = "" if isinstance(ref, UUID) else f" in the project {ref[0]!r}"
            raise GatepostError(Reason.NOT_FOUND, f"no such account{where}")
        return account

    async def _find_made(self, connection: Connection, ref: UUID | tuple[str, str]) -> Account:
        account = await self._find(connection, ref)
        if account.security_version == _UNMADE:
            raise GatepostError(Reason.NOT_FOUND, "no such account; somebody signed up but has not proven the address")
        return account

    async def _project(self, connection: Connection, name: str) -> Project:
        project = await projects.fetch_by_name(connection, name)
        if project is None:
            raise GatepostError(Reason.NOT_FOUND, f"there is no project {name!r}")
        return project


def _canonical(project: Project, role: str) -> str:
    canonical = project.canonical_role(role)
    if canonical is None:
        raise GatepostError(
            Reason.ROLE_UNKNOWN,
            f"the project's roles are {', '.join(project.roles)}",
            violations=(Violation("role", Rule.UNKNOWN, "The selected role is invalid."),),
        )
    return canonical


def _pending(registration: Registration, project: Project) -> Account:
    return Account(
        id=registration.account_id,
        project_id=project.id,
        project=project.name,
        state=AccountState.PENDING,
        role=project.roles[0],
        security_version=_UNMADE,
        email=registration.email,
        email_verified=False,
        username="",
        created_at=registration.created_at,
        updated_at=registration.created_at,
    )
