"""Making and unmaking an account across two services, so that a crash leaves either nothing or a whole account.

    1. auth: a note that the profile is to be removed, due later      (commit)
    2. user-service: the profile, idempotent on the account's id       (commit)
    3. auth: account, identifiers, credential, what is said of it, and the note taken back
                                                                      (commit; the account exists from here)

A crash before 3 leaves a profile that nobody can see and the note, on which `Sweep` removes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from auth_service import identifiers
from auth_service.audit import Audit
from auth_service.model import Account, AccountState, App, NewProfile, Project
from auth_service.notices import language_of_call
from auth_service.profiles import Profiles
from auth_service.store import account_writes, accounts, sessions
from auth_service.store.account_writes import NewIdentifier
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, Violation
from runtime.postgres import Connection, Database

_REMOVAL_DELAY = timedelta(minutes=10)
_BATCH = 1000
_KEEP_EXPIRED_SESSIONS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; address and user name not yet normalised, password already hashed."""

    id: UUID
    project: Project
    email: str
    email_verified: bool
    password_hash: str | None
    profile: NewProfile
    role: str
    state: AccountState = AccountState.ACTIVE
    username: str = ""
    identity: str = ""  # provider:subject


class Enrolment:
    """Makes accounts.

    Args:
        database: Where accounts are.
        profiles: Where profiles are.
        audit: Records it.
        clock: For creation times.
    """

    def __init__(self, database: Database, profiles: Profiles, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._profiles = profiles
        self._audit = audit
        self._clock = clock

    async def prepare(self, new: NewAccount) -> None:
        """Steps 1 and 2: afterwards `complete` can make the account in the caller's transaction.

        Raises:
            GatepostError: INVALID_PARAMETER on a profile field; UNAVAILABLE. Nothing visible is left behind.
        """
        async with self._database.acquire() as connection:
            await accounts.put_profile_removal(connection, new.id, self._clock.now() + _REMOVAL_DELAY)
        await self._profiles.create(new.id, new.project.id, new.profile)

    async def complete(
        self, connection: Connection, new: NewAccount, *, app: App | None = None, by_user: bool = True, actor: str = ""
    ) -> Account:
        """Step 3, in the caller's transaction, which must not commit if this fails.

        Args:
            connection: Of the transaction.
            new: Who was prepared.
            app: With which he signs up.
            by_user: He does it himself; else the calling service for him.
            actor: Who does it, if neither.

        Raises:
            GatepostError: EMAIL_TAKEN, USERNAME_TAKEN, IDENTITY_TAKEN, ALREADY_EXISTS (its id), INVALID_PARAMETER;
                UNAVAILABLE if it took too long.
        """
        now = self._clock.now()
        email, email_normalized = identifiers.email(new.email)
        account = Account(
            id=new.id,
            project_id=new.project.id,
            project=new.project.name,
            state=new.state,
            role=new.role,
            security_version=1,
            email=email,
            email_verified=new.email_verified,
            username=new.username,
            created_at=now,
            updated_at=now,
            language=language_of_call(),
            has_password=bool(new.password_hash),
            brand=new.project.display_name,
            accent_color=new.project.accent_color,
        )
        names = [NewIdentifier("email", email, email_normalized, now if new.email_verified else None)]
        if new.username:
            names.append(NewIdentifier("username", *identifiers.username(new.username), None))
        if new.identity:
            names.append(NewIdentifier("external", new.identity, new.identity, now))
        event = self._audit.event("account.create", account=account, app=app, by_user=by_user, actor=actor)
        creation = await account_writes.create(connection, account, names, new.password_hash, event)
        if not creation.made:
            raise await self._not_made(connection, new, noted=creation.noted)
        for name in names:
            if name.kind not in creation.kinds:
                raise _taken(name.kind)
        if await account_writes.is_kept(connection, account, email_normalized):
            raise email_taken()
        return account

    async def _not_made(self, connection: Connection, new: NewAccount, *, noted: bool) -> GatepostError:
        """Return what to raise: the same call was made beside this one, or the profile was given up in the meantime."""
        if noted or await accounts.fetch(connection, new.id):
            return GatepostError(Reason.ALREADY_EXISTS, "this user_id is another account's")
        return GatepostError(Reason.UNAVAILABLE, "the profile was given up meanwhile", retry_after_seconds=1)

    async def delete(self, connection: Connection, account: Account) -> None:
        """Delete an account in the caller's transaction; its profile follows."""
        await accounts.put_profile_removal(connection, account.id, self._clock.now())
        await accounts.delete(connection, account.id)


class Sweep:
    """Removes what is due: profiles without account, unproven sign-ups, sessions long expired. A background loop.

    Args:
        database: Where the notes are.
        profiles: Where profiles are.
        clock: For what is due.
    """

    def __init__(self, database: Database, profiles: Profiles, clock: Clock) -> None:
        self._database = database
        self._profiles = profiles
        self._clock = clock

    async def step(self) -> bool:
        """Do a bounded piece of work; True if there may be more."""
        now = self._clock.now()
        forgotten = await self._forget(now)  # first: it can be done whether or not user-service is there
        async with self._database.transaction() as connection:
            account_id = await accounts.fetch_due_profile_removal(connection, now)
            if account_id is not None:
                if await accounts.fetch(connection, account_id) is None:
                    await self._profiles.delete(account_id)
                await accounts.cancel_profile_removal(connection, account_id)
                return True
        return forgotten == _BATCH

    async def _forget(self, now: datetime) -> int:
        async with self._database.acquire() as connection:
            registrations = await accounts.delete_expired_registrations(connection, now, _BATCH)
            expired = await sessions.delete_expired(connection, now - _KEEP_EXPIRED_SESSIONS, _BATCH)
        return max(registrations, expired)


def email_taken() -> GatepostError:
    """Build the error for an address that another account of the project has."""
    violation = Violation("email", Rule.TAKEN, "The email has already been taken.")
    return GatepostError(Reason.EMAIL_TAKEN, violations=(violation,))


def _taken(kind: str) -> GatepostError:
    match kind:
        case "email":
            return email_taken()
        case "username":
            return identifiers.username_taken()
        case _:
            return GatepostError(Reason.IDENTITY_TAKEN)
