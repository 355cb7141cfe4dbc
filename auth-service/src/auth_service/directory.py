"""What a trusted server does with the users of its project, on its API key.

The project is the key's: a user of another one is not there. Opens no session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from auth_service import identifiers
from auth_service.addresses import Addresses
from auth_service.admission import Admission
from auth_service.api_keys import ApiKeys, Holder, actor_of
from auth_service.audit import Audit
from auth_service.enrolment import Enrolment, NewAccount
from auth_service.entrance import Entrance
from auth_service.limits import Limit, Limiter
from auth_service.model import Account, AccountState, Entry, IssuedSession, NewProfile, SignInPolicy, TokenForm
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.profiles import Profiles
from auth_service.reauthentication import Reauthentication
from auth_service.sign_in import SignIn
from auth_service.store import accounts
from auth_service.token_forms import OF_THE_GATEWAY
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Connection, Database

READ, CREATE, EDIT, DELETE = "user:read", "user:create", "user:edit", "user:delete"
AUTHENTICATE = "user:authenticate"


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change of a user; None for what stays. `profile` maps field names of Profile to new values."""

    email: str | None = None
    password: str | None = field(default=None, repr=False)
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """Whose password it is, on whose key, and the session that was asked for."""

    account: Account
    holder: Holder
    session: IssuedSession | None = None


class Directory:
    """The use cases. Dependencies as named; see main.py. Every one can raise API_KEY_INVALID and SCOPE_MISSING."""

    def __init__(
        self,
        *,
        database: Database,
        api_keys: ApiKeys,
        sign_in: SignIn,
        entrance: Entrance,
        admission: Admission,
        reauthentication: Reauthentication,
        enrolment: Enrolment,
        addresses: Addresses,
        passwords: Passwords,
        profiles: Profiles,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        clock: Clock,
        sign_ups: Limit,
        mails: Limit,
    ) -> None:
        self._database = database
        self._api_keys = api_keys
        self._sign_in = sign_in
        self._entrance = entrance
        self._admission = admission
        self._reauthentication = reauthentication
        self._enrolment = enrolment
        self._addresses = addresses
        self._passwords = passwords
        self._profiles = profiles
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._clock = clock
        self._sign_ups = sign_ups
        self._mails = mails

    async def check_key(self, api_key: str, scope: str) -> Holder:
        """Return whose key it is."""
        return await self._api_keys.authenticate(api_key, scope)

    async def check_password(
        self, api_key: str, login: str, password: str, session_form: TokenForm | None = None
    ) -> Checked:
        """Return whose password it is. See DirectoryService.CheckPassword for arguments and errors."""
        if session_form is not None and session_form not in OF_THE_GATEWAY:
            raise invalid("session_form", "The session_form must be one that is issued without an app.")
        holder = await self._api_keys.authenticate(api_key, AUTHENTICATE)
        account = await self._sign_in.check_password(holder.project, login, password)
        if holder.project.sign_in_policy is not SignInPolicy.NONE and not holder.key.bypass_second_factor:
            raise GatepostError(Reason.SECOND_FACTOR_REQUIRED)
        event = self._audit.event("account.check_password", account=account, actor=actor_of(holder.key))
        if session_form is not None and holder.project.sign_in_policy is SignInPolicy.NONE:
            step = await self._admission.admit(Entry(holder.project, None, session_form), account, event)
            return Checked(account, holder, step.session)
        await self._entrance.append(event)
        return Checked(account, holder)

    async def find(self, api_key: str, by: UUID | tuple[str, str]) -> Account:
        """Return a user by id, or by kind of identifier (`email`, `username`) and its spelling.

        Raises:
            GatepostError: NOT_FOUND.
        """
        holder = await self._api_keys.authenticate(api_key, READ)
        if isinstance(by, UUID):
            return _user_of(holder, await self._entrance.account(by))
        kind, normalized = by[0], identifiers.login(by[1])[1] if by[0] == "email" else by[1].casefold()
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, holder.project.id, kind, normalized)
        if found is None:
            raise _unknown()
        return found[0]

    async def add(
        self, api_key: str, account_id: UUID, *, email: str, username: str, password: str, profile: NewProfile
    ) -> Account:
        """Make a pending account and mail its link. See DirectoryService.AddAccount for errors."""
        holder = await self._api_keys.authenticate(api_key, CREATE)
        project = holder.project
        _, normalized = identifiers.email(email)
        if username:
            identifiers.username(username)
        own_data = (email, username, profile.first_name, profile.last_name)
        self._passwords.check_new(password, project.password_min_length, own_data, project.names)
        known = await self._known(holder, account_id)
        if known is not None:
            return known
        await self._limiter.take((self._sign_ups, f"key:{holder.key.id}"))
        await self._limiter.take((self._mails, f"confirm:{project.id}:{normalized}"))
        new = NewAccount(
            id=account_id,
            project=project,
            email=email,
            email_verified=False,
            password_hash=await self._passwords.hash(password),
            profile=profile,
            role=project.roles[0],
            state=AccountState.PENDING,
            username=username,
        )
        await self._enrolment.prepare(new)
        try:
            async with self._database.transaction() as connection:
                account = await self._enrolment.complete(connection, new, actor=actor_of(holder.key))
                await self._addresses.ask_proof(connection, account)
        except GatepostError as error:  # perhaps the same call was made beside this one
            known = await self._known(holder, account_id) if error.reason is Reason.ALREADY_EXISTS else None
            if known is None:
                raise
            return known
        return account

    async def edit(self, api_key: str, account_id: UUID, current_password: str, edit: Edit) -> Account:
        """Change a user who agrees, all or nothing. See DirectoryService.EditAccount for errors."""
        holder = await self._api_keys.authenticate(api_key, EDIT)
        async with self._database.acquire() as connection:
            account = await _user(connection, holder, account_id)
        proven = await self._reauthentication.proves(account, current_password)
        if not proven or account.state is AccountState.DISABLED:
            raise GatepostError(Reason.BAD_CREDENTIALS)
        address = None
        if edit.email is not None and identifiers.email(edit.email)[1] != account.email.casefold():
            address = identifiers.email(edit.email)
            await self._limiter.take((self._mails, f"confirm:{account.project_id}:{address[1]}"))
        encoded = None
        if edit.password is not None:
            own_data = (account.email, edit.email or "", account.username, *edit.profile.values())
            project = holder.project
            self._passwords.check_new(edit.password, project.password_min_length, own_data, project.names)
            encoded = await self._passwords.hash(edit.password)
        async with self._database.transaction() as connection:
            if encoded is not None or address is not None:
                await self._apply(connection, account, address, encoded, actor_of(holder.key))
            if edit.profile:  # last, and idempotent; what it refuses, nothing of the rest has changed for
                await self._profiles.update(account.id, edit.profile)
            return await accounts.fetch(connection, account.id) or account

    async def remove(self, api_key: str, account_id: UUID) -> Account:
        """Delete a user at once, and return him as he was.

        Raises:
            GatepostError: NOT_FOUND, also when repeated.
        """
        holder = await self._api_keys.authenticate(api_key, DELETE)
        async with self._database.transaction() as connection:
            account = await _user(connection, holder, account_id, lock=True)
            await self._enrolment.delete(connection, account)
            await self._audit.record(connection, "account.delete", account=account, actor=actor_of(holder.key))
        return account

    async def _known(self, holder: Holder, account_id: UUID) -> Account | None:
        """Return the account that the same call has made before, its answer lost."""
        async with self._database.acquire() as connection:
            account = await accounts.fetch(connection, account_id)
        if account is not None and account.project_id != holder.project.id:
            raise GatepostError(Reason.ALREADY_EXISTS, "this user_id is another account's")
        return account

    async def _apply(
        self,
        connection: Connection,
        account: Account,
        address: tuple[str, str] | None,
        encoded: str | None,
        actor: str,
    ) -> None:
        """Change address and password; every session ends, and every question asked before is void."""
        now = self._clock.now()
        if not await accounts.bump_security_version(connection, account.id, account.security_version, now):
            raise GatepostError(Reason.BAD_CREDENTIALS)  # what was proven may hold no more
        if encoded is not None:
            await accounts.put_password(connection, account.id, encoded, now)
            await self._notices.post(connection, "password_changed", account.recipient(), time=now.isoformat())
            await self._audit.record(connection, "password.change", account=account, actor=actor)
        if address is not None:
            await self._addresses.move(connection, account, *address, proven=False, actor=actor)
            moved = await accounts.fetch(connection, account.id)
            if moved is not None:
                await self._addresses.ask_proof(connection, moved)


async def _user(connection: Connection, holder: Holder, account_id: UUID, *, lock: bool = False) -> Account:
    return _user_of(holder, await accounts.fetch(connection, account_id, lock=lock))


def _user_of(holder: Holder, account: Account | None) -> Account:
    if account is None or account.project_id != holder.project.id:
        raise _unknown()
    return account


def _unknown() -> GatepostError:
    return GatepostError(Reason.NOT_FOUND, "no such account")
