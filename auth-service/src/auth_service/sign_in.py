"""Signing in: the first factor, and the challenge that may follow it.

Unknown user and wrong password get the same answer after the same work; in a project without passwords, an unknown
address gets a challenge like any other, which cannot be answered.
"""

from typing import Any
from uuid import UUID

from auth_service import identifiers, pkce
from auth_service.audit import Audit
from auth_service.challenges import Challenges, Claim
from auth_service.clients import Clients
from auth_service.codes import Codes
from auth_service.enrolment import Enrolment, NewAccount
from auth_service.limits import Limit, Limiter
from auth_service.model import Account, AccountState, App, OpenChallenge, Pkce, Purpose, SignInPolicy, SignInStep
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.store import accounts, apps
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database

PURPOSES = {SignInPolicy.OTP: Purpose.OTP, SignInPolicy.TWO_STEP: Purpose.TWO_STEP}
_TEMPLATES = {Purpose.OTP: "sign_in_code", Purpose.TWO_STEP: "two_step_code"}


class SignIn:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        clients: Clients,
        passwords: Passwords,
        enrolment: Enrolment,
        challenges: Challenges,
        codes: Codes,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        clock: Clock,
        per_account: Limit,
        per_address: Limit,
        mails: Limit,
        otp_seconds: int,
    ) -> None:
        self._database = database
        self._clients = clients
        self._passwords = passwords
        self._enrolment = enrolment
        self._challenges = challenges
        self._codes = codes
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._clock = clock
        self._per_account = per_account
        self._per_address = per_address
        self._mails = mails
        self._otp_seconds = otp_seconds

    async def __call__(
        self, *, client_id: str, client_secret: str, login: str, password: str, challenge: str, challenge_method: str
    ) -> SignInStep:
        """Check the first factor. See SignInService.SignIn for arguments, answers and errors."""
        app = await self._clients.authenticate(client_id, client_secret)
        proof = pkce.check(app, challenge, challenge_method)
        policy = app.project.sign_in_policy
        if not login or (not password and policy is not SignInPolicy.OTP):
            raise missing(*(name for name, value in (("email", login), ("password", password)) if not value))
        if policy is SignInPolicy.OTP:
            return SignInStep(policy, challenge=await self._by_mail(app, proof, login))
        account = await self.check_password(app, login, password)
        if policy is SignInPolicy.NONE:
            async with self._database.acquire() as connection:
                await self._audit.record(connection, "account.sign_in", account=account, app=app)
            return SignInStep(policy, code=await self._codes.issue(account, app, proof, self._clock.now()))
        subject = subject_of(app.project.id, account.email.casefold())
        await self._limiter.take(self._mails, subject)
        return SignInStep(policy, challenge=await self._challenge(app, proof, account, subject, Purpose.TWO_STEP))

    async def check_password(self, app: App, login: str, password: str) -> Account:
        """Return the active account whose login and password these are.

        Raises:
            GatepostError: BAD_CREDENTIALS; USER_NOT_VALIDATED (the password was right); RATE_LIMITED; OVERLOADED.
        """
        kind, normalized = identifiers.login(login)
        subject = subject_of(app.project.id, normalized)
        await self._limiter.check(self._per_account, subject)
        await self._limiter.check(self._per_address, current().client_address)
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, app.project.id, kind, normalized)
            account, encoded = found or (None, None)
            if account is None and kind == "email":
                waiting = await accounts.fetch_registration_by_email(
                    connection, app.project.id, normalized, self._clock.now()
                )
                encoded = waiting.password_hash if waiting else None
        right, new_hash = (
            await self._passwords.verify(password, encoded) if encoded else await self._passwords.burn(password)
        )
        if not right or (account is not None and account.state is AccountState.DISABLED):
            await self._failed(app, account, subject)
        await self._limiter.clear(self._per_account, subject)
        if account is None or account.state is AccountState.PENDING:
            raise GatepostError(Reason.USER_NOT_VALIDATED)
        if new_hash and encoded:
            async with self._database.acquire() as connection:
                await accounts.replace_password_hash(connection, account.id, encoded, new_hash)
        return account

    async def verify(self, purpose: Purpose, handle: str, code: str) -> str:
        """Answer a challenge of sign-up or sign-in and return a code. See SignInService.VerifyChallenge."""
        claim = await self._challenges.claim(purpose, handle, code)
        try:
            return await self._complete(claim)
        except GatepostError as error:
            if error.reason is Reason.UNAVAILABLE:
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
            account = await self._enrol(app, account_id)
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

    async def _enrol(self, app: App, account_id: UUID) -> Account:
        async with self._database.acquire() as connection:
            registration = await accounts.fetch_registration(connection, account_id)
        if registration is None:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        new = NewAccount(
            id=account_id,
            project=app.project,
            email=registration.email,
            email_verified=True,
            password_hash=registration.password_hash,
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

    async def _by_mail(self, app: App, proof: Pkce | None, login: str) -> OpenChallenge:
        kind, normalized = identifiers.login(login)
        subject = subject_of(app.project.id, normalized)
        await self._limiter.take(self._mails, subject)
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, app.project.id, kind, normalized)
        account = found[0] if found and found[0].state is not AccountState.DISABLED else None
        return await self._challenge(app, proof, account, subject, Purpose.OTP)

    async def _challenge(
        self, app: App, proof: Pkce | None, account: Account | None, subject: str, purpose: Purpose
    ) -> OpenChallenge:
        data = None
        if account is not None:
            data = challenge_data(account.id, app, proof, security_version=account.security_version)
        opened = await self._challenges.open(purpose, subject, data, self._otp_seconds)
        async with self._database.transaction() as connection:
            if account is None:
                await self._notices.post_decoy(connection)
            else:
                await self._notices.post(
                    connection,
                    _TEMPLATES[purpose],
                    account.email,
                    app.project.name,
                    expires_at=opened.challenge.expires_at,
                    code=opened.code,
                    minutes=self._otp_seconds // 60,
                )
            await self._audit.record(connection, "challenge.open", account=account, app=app)
        return opened.challenge

    async def _failed(self, app: App, account: Account | None, subject: str) -> None:
        await self._limiter.count_failure(self._per_account, subject)
        await self._limiter.count_failure(self._per_address, current().client_address)
        async with self._database.acquire() as connection:
            await self._audit.record(
                connection,
                "account.sign_in",
                outcome=Reason.BAD_CREDENTIALS.value,
                account=account,
                app=app,
                by_user=False,
            )
        raise GatepostError(Reason.BAD_CREDENTIALS)


def subject_of(project_id: UUID, normalized: str) -> str:
    """Name whom a challenge or a limit is about, whether or not there is such an account."""
    return f"{project_id}:{normalized}"


def challenge_data(
    account_id: UUID, app: App, proof: Pkce | None, *, registration: bool = False, security_version: int = 0
) -> dict[str, Any]:
    """Build what a sign-in challenge carries through to the code."""
    return {
        "account_id": str(account_id),
        "app_id": str(app.id),
        "pkce": {"challenge": proof.challenge, "method": proof.method} if proof else None,
        "registration": registration,
        "security_version": security_version,
    }
