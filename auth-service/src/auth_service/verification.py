"""Answering the challenge of a sign-up or sign-in: the account comes alive or is admitted, and the app gets a code.

A challenge answered right is claimed first, and given back when what it was claimed for could not be done; so it can be
answered again, and is never spent for nothing.
"""

from asyncio import CancelledError
from typing import Any
from uuid import UUID

from auth_service.audit import Audit
from auth_service.challenges import Challenges, Claim
from auth_service.codes import Codes
from auth_service.enrolment import Enrolment, NewAccount
from auth_service.model import Account, AccountState, App, Pkce, Purpose
from auth_service.store import accounts, apps
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

_FIRST_VERSION = 1


class Verification:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        enrolment: Enrolment,
        challenges: Challenges,
        codes: Codes,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._database = database
        self._enrolment = enrolment
        self._challenges = challenges
        self._codes = codes
        self._audit = audit
        self._clock = clock

    async def __call__(self, purpose: Purpose, handle: str, code: str) -> str:
        """Answer a challenge and return a code for its app. See SignInService.VerifyChallenge."""
        claim = await self._challenges.claim(purpose, handle, code)
        try:
            return await self._complete(claim)
        except (GatepostError, CancelledError) as error:
            if not isinstance(error, GatepostError) or error.reason is not Reason.CHALLENGE_FAILED:
                await self._challenges.release(claim)
            raise

    async def _complete(self, claim: Claim) -> str:
        data = claim.data
        account_id = UUID(data["account_id"])
        proof = Pkce(**data["pkce"]) if data["pkce"] else None
        async with self._database.acquire() as connection:
            app = await apps.fetch(connection, UUID(data["app_id"]))
        if app is None or app.disabled or app.project.disabled:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        if data["registration"]:
            account = await self._enrol(app, account_id, keep_password=data["keep_password"])
        else:
            account = await self._admit(app, account_id, data["security_version"])
        return await self._codes.issue(account, app, proof, self._clock.now())

    async def _admit(self, app: App, account_id: UUID, security_version: int) -> Account:
        async with self._database.transaction() as connection:
            account = await accounts.fetch(connection, account_id)
            if (
                account is None
                or account.state is AccountState.DISABLED
                or account.security_version != security_version
            ):
                raise GatepostError(Reason.CHALLENGE_FAILED)
            if account.state is AccountState.PENDING:
                # Whoever chose the password did not prove the address; who reads its mail did.
                await accounts.drop_password(connection, account_id)
            if not account.email_verified:
                await accounts.verify_email(connection, account_id, self._clock.now())
            await self._audit.record(connection, "account.sign_in", account=account, app=app)
        return account

    async def _enrol(self, app: App, account_id: UUID, *, keep_password: bool) -> Account:
        async with self._database.acquire() as connection:
            registration = await accounts.fetch_registration(connection, account_id)
        if registration is None:  # perhaps the account was made, and only the code for the app could not be
            return await self._admit(app, account_id, _FIRST_VERSION)
        new = NewAccount(
            id=account_id,
            project=app.project,
            email=registration.email,
            email_verified=True,
            password_hash=registration.password_hash if keep_password else None,
            profile=registration.profile,
            role=app.project.roles[0],
        )
        await self._enrolment.prepare(new)
        try:
            async with self._database.transaction() as connection:
                await accounts.delete_registration(connection, account_id)
                account = await self._enrolment.complete(connection, new)
                await self._audit.record(connection, "account.create", account=account, app=app)
        except GatepostError as error:
            if error.reason is Reason.EMAIL_TAKEN:  # somebody proved it first
                raise GatepostError(Reason.CHALLENGE_FAILED) from error
            raise
        return account


def challenge_data(
    account_id: UUID,
    app: App,
    proof: Pkce | None,
    *,
    registration: bool = False,
    keep_password: bool = True,
    security_version: int = 0,
) -> dict[str, Any]:
    """Build what a challenge carries through to its answer; `keep_password` is about a registration's."""
    return {
        "account_id": str(account_id),
        "app_id": str(app.id),
        "pkce": {"challenge": proof.challenge, "method": proof.method} if proof else None,
        "registration": registration,
        "keep_password": keep_password,
        "security_version": security_version,
    }
