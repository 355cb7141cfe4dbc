"""Answering the challenge of a sign-up or sign-in: the account comes alive or is admitted, and whoever asked gets in.

A challenge answered right is claimed first, and given back when what it was claimed for could not be done; so it can be
answered again, and is never spent for nothing.
"""

from asyncio import CancelledError
from dataclasses import replace
from typing import Any
from uuid import UUID

from auth_service.admission import Admission
from auth_service.audit import Audit
from auth_service.challenges import Challenges, Claim, GuessedAtError
from auth_service.clients import check_dialect, tell_status_mode
from auth_service.enrolment import Enrolment, NewAccount
from auth_service.entrance import Entrance
from auth_service.model import AccountState, Entry, Pkce, Purpose, SignInStep, TokenForm
from auth_service.notices import Notices
from auth_service.store import accounts, audit, projects
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

_FIRST_VERSION = 1
_GIVEN_UP = {Reason.USERNAME_TAKEN, Reason.IDENTITY_TAKEN}


class Verification:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        entrance: Entrance,
        enrolment: Enrolment,
        challenges: Challenges,
        admission: Admission,
        notices: Notices,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._database = database
        self._entrance = entrance
        self._enrolment = enrolment
        self._challenges = challenges
        self._admission = admission
        self._notices = notices
        self._audit = audit
        self._clock = clock

    async def __call__(self, purpose: Purpose, handle: str, code: str) -> SignInStep:
        """Answer a challenge and let in whoever asked for it. See SignInService.VerifyChallenge."""
        key_id = self._admission.key_id  # taken before the claim: what is let in ends with the key it was claimed by
        try:
            claim = await self._challenges.claim(purpose, handle, code)
        except GuessedAtError as error:
            if purpose is Purpose.TWO_STEP and not error.data["registration"]:
                await self._warn(error.data)
            raise
        try:
            return await self._complete(purpose, claim, key_id)
        except (GatepostError, CancelledError) as error:
            if not isinstance(error, GatepostError) or error.reason is not Reason.CHALLENGE_FAILED:
                await self._challenges.release(claim)
            raise

    async def _warn(self, data: dict[str, Any]) -> None:
        """Tell a person that somebody had his password, and not the code that was mailed."""
        account = await self._entrance.account(UUID(data["account_id"]))
        if account is None or account.security_version != data["security_version"]:
            return
        async with self._database.acquire() as connection:
            time = self._clock.now().isoformat()
            await self._notices.post(connection, "second_step_failed", account.recipient(), time=time)

    async def _complete(self, purpose: Purpose, claim: Claim, key_id: int) -> SignInStep:
        data = claim.data
        if data.get("dialect", current().dialect) != current().dialect:  # absent in those of the release before
            raise GatepostError(Reason.CHALLENGE_FAILED)  # this caller could do nothing with what it would get
        account_id = UUID(data["account_id"])
        entry = await self._entry(data, key_id)
        if data["registration"]:
            return await self._enrol(entry, account_id, keep_secrets=data["keep_password"])
        return await self._admit(entry, account_id, data["security_version"], by_mail_alone=purpose is Purpose.OTP)

    async def _entry(self, data: dict[str, Any], key_id: int) -> Entry:
        """Return who asked, if he still may.

        Raises:
            GatepostError: CHALLENGE_FAILED; DIALECT_DISABLED.
        """
        app = project = None
        if data["app_id"]:
            app = await self._entrance.app(UUID(data["app_id"]))
            project = app.project if app and not app.disabled else None
        else:
            async with self._database.acquire() as connection:
                project = await projects.fetch(connection, UUID(data["project_id"]))
        if project is None or project.disabled:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        tell_status_mode(app.status_mode if app else "", project.status_modes)
        check_dialect(project.dialects)
        proof = Pkce(**data["pkce"]) if data["pkce"] else None
        return Entry(project, app, TokenForm(data.get("form", TokenForm.PAIR)), proof, key_id)

    async def _admit(
        self, entry: Entry, account_id: UUID, security_version: int, *, by_mail_alone: bool = False
    ) -> SignInStep:
        account = await self._entrance.account(account_id)
        if account is None or account.state is AccountState.DISABLED or account.security_version != security_version:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        event = self._audit.event("account.sign_in", account=account, app=entry.app)
        if account.email_verified and account.state is not AccountState.PENDING:
            return await self._admission.admit(entry, account, event)
        async with self._database.transaction() as connection:
            now = self._clock.now()
            if account.state is AccountState.PENDING or by_mail_alone:
                # Whoever chose the password, and is signed in perhaps, did not prove the address; who reads its mail
                # did.
                await accounts.drop_password(connection, account_id)
                await accounts.drop_external(connection, account_id)
                # Nobody is in a pending account yet.
                if account.state is not AccountState.PENDING and not await accounts.bump_security_version(
                    connection, account_id, security_version, now
                ):
                    raise GatepostError(Reason.CHALLENGE_FAILED)
            await accounts.verify_email(connection, account_id, now)
            await audit.insert(connection, event)
            proven = await accounts.fetch(connection, account_id)
            return await self._admission.finish(connection, entry, proven or account)

    async def _enrol(self, entry: Entry, account_id: UUID, *, keep_secrets: bool) -> SignInStep:
        async with self._database.acquire() as connection:
            registration = await accounts.fetch_registration(connection, account_id)
        if registration is None:  # perhaps the account was made, and the answer was lost
            return await self._admit(entry, account_id, _FIRST_VERSION)
        new = NewAccount(
            id=account_id,
            project=entry.project,
            email=registration.email,
            email_verified=True,
            password_hash=registration.password_hash if keep_secrets else None,
            profile=registration.profile,
            role=entry.project.roles[0],
            username=registration.username,
            identity=registration.identity if keep_secrets else "",
        )
        await self._enrolment.prepare(new)
        try:
            try:
                return await self._make(entry, new)
            except GatepostError as error:
                if error.reason not in _GIVEN_UP:
                    raise
                # Somebody was faster with a name. The address is proven all the same, so its owner is let in without.
                return await self._make(entry, replace(new, username="", identity=""))
        except GatepostError as error:
            if error.reason is Reason.EMAIL_TAKEN:  # somebody proved it first
                raise GatepostError(Reason.CHALLENGE_FAILED) from error
            raise

    async def _make(self, entry: Entry, new: NewAccount) -> SignInStep:
        async with self._database.transaction() as connection:
            await accounts.delete_registration(connection, new.id)
            account = await self._enrolment.complete(connection, new, app=entry.app)
            # Inside the transaction: when no code can be stored, the challenge can be answered again.
            return await self._admission.finish(connection, entry, account)


def challenge_data(
    account_id: UUID,
    entry: Entry,
    *,
    registration: bool = False,
    keep_secrets: bool = True,
    security_version: int = 0,
) -> dict[str, Any]:
    """Build what a challenge carries through to its answer.

    `keep_secrets` is about a registration's password and external identity.
    """
    proof = entry.pkce
    return {
        "account_id": str(account_id),
        "app_id": str(entry.app.id) if entry.app else None,
        "project_id": str(entry.project.id),
        "project": entry.project.name,
        "client_id": entry.app.client_id if entry.app else "",
        "form": entry.form.value,
        "dialect": current().dialect,
        "pkce": {"challenge": proof.challenge, "method": proof.method} if proof else None,
        "registration": registration,
        "keep_password": keep_secrets,
        "security_version": security_version,
    }
