"""Signing up.

Policy `none`: the account is active at once and a code is returned. `otp`, `two-step`: a registration is kept and a
code mailed; the account is made when the challenge is answered, so nobody can claim an address he does not read. An
address in use gets the same answer at the same cost, and its owner a note.
"""

from datetime import timedelta
from uuid import UUID

from auth_service import identifiers, pkce, profiles
from auth_service.audit import Audit
from auth_service.challenges import Challenges
from auth_service.clients import Clients
from auth_service.codes import Codes
from auth_service.enrolment import Enrolment, NewAccount, email_taken
from auth_service.limits import Limit, Limiter, of_address
from auth_service.model import (
    Account,
    App,
    NewProfile,
    OpenChallenge,
    Pkce,
    Registration,
    SignInPolicy,
    SignInStep,
)
from auth_service.notices import Notices
from auth_service.passwords import Passwords, check_new
from auth_service.sign_in import PURPOSES, subject_of
from auth_service.store import accounts
from auth_service.verification import challenge_data
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database


class SignUp:
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
        per_address: Limit,
        mails: Limit,
        otp_seconds: int,
        registration_seconds: int,
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
        self._per_address = per_address
        self._mails = mails
        self._otp_seconds = otp_seconds
        self._registration_seconds = registration_seconds

    async def __call__(
        self,
        *,
        account_id: UUID,
        client_id: str,
        client_secret: str,
        email: str,
        password: str,
        challenge: str,
        challenge_method: str,
        profile: NewProfile,
    ) -> SignInStep:
        """Sign a person up. See SignInService.SignUp for arguments, answers and errors."""
        app = await self._clients.authenticate(client_id, client_secret)
        proof = pkce.check(app, challenge, challenge_method)
        policy = app.project.sign_in_policy
        if not email or (not password and policy is not SignInPolicy.OTP):
            raise missing(*(name for name, value in (("email", email), ("password", password)) if not value))
        email, email_normalized = identifiers.email(email)
        profiles.check_new(profile)
        if password:
            own_data = (email, profile.first_name, profile.last_name)
            check_new(password, app.project.password_min_length, own_data)
        await self._limiter.take(self._per_address, of_address(current().client_address))
        if policy is SignInPolicy.NONE:
            return await self._at_once(app, proof, account_id, email, email_normalized, password, profile)
        await self._limiter.take(self._mails, _subject_of(app.project.id, email_normalized))
        password_hash = await self._passwords.hash(password) if password else None
        now = self._clock.now()
        registration = Registration(
            account_id=account_id,
            project_id=app.project.id,
            email=email,
            email_normalized=email_normalized,
            password_hash=password_hash,
            profile=profile,
            created_at=now,
            expires_at=now + timedelta(seconds=self._registration_seconds),
        )
        return SignInStep(policy, challenge=await self._after_proof(app, proof, registration))

    async def _at_once(
        self,
        app: App,
        proof: Pkce | None,
        account_id: UUID,
        email: str,
        normalized: str,
        password: str,
        profile: NewProfile,
    ) -> SignInStep:
        known = await self._known(app, account_id, normalized)
        if known is None:
            new = NewAccount(
                id=account_id,
                project=app.project,
                email=email,
                email_verified=False,
                password_hash=await self._passwords.hash(password),
                profile=profile,
                role=app.project.roles[0],
            )
            try:
                return SignInStep(app.project.sign_in_policy, code=await self._make(app, proof, new))
            except GatepostError as error:  # perhaps the same call was made beside this one
                known = (
                    await self._known(app, account_id, normalized) if error.reason is Reason.ALREADY_EXISTS else None
                )
                if known is None:
                    raise
        return SignInStep(app.project.sign_in_policy, code=await self._code(known, app, proof))

    async def _known(self, app: App, account_id: UUID, normalized: str) -> Account | None:
        """Return the account that the same call has made before, its answer lost.

        Raises:
            GatepostError: EMAIL_TAKEN if the address is another account's.
        """
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, app.project.id, "email", normalized)
        if found is not None and found[0].id != account_id:
            raise email_taken()
        return found[0] if found else None

    async def _make(self, app: App, proof: Pkce | None, new: NewAccount) -> str:
        await self._enrolment.prepare(new)
        async with self._database.transaction() as connection:
            account = await self._enrolment.complete(connection, new)
            await self._audit.record(connection, "account.create", account=account, app=app)
            # Inside the transaction: when no code can be stored, no account is made.
            return await self._code(account, app, proof)

    async def _after_proof(self, app: App, proof: Pkce | None, registration: Registration) -> OpenChallenge:
        purpose = PURPOSES[app.project.sign_in_policy]
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(
                connection, app.project.id, "email", registration.email_normalized
            )
        # A decoy when the address has an account: its answer must not become one.
        opened = await self._challenges.open(
            purpose,
            _subject_of(app.project.id, registration.email_normalized),
            challenge_data(registration.account_id, app, proof, registration=True),
            self._otp_seconds,
            decoy=found is not None,
        )
        async with self._database.transaction() as connection:
            # Kept in both cases, for the same work; without a challenge it comes to nothing.
            if not await accounts.put_registration(connection, registration):
                raise GatepostError(Reason.ALREADY_EXISTS, "this user_id is another sign-up's")
            if found is None:
                await self._notices.post(
                    connection,
                    "sign_up_code",
                    registration.email,
                    app.project.name,
                    expires_at=opened.challenge.expires_at,
                    code=opened.code,
                    minutes=max(1, self._otp_seconds // 60),
                )
            else:
                # To the address on record: what was typed may differ from it and be somebody else's.
                await self._notices.post(connection, "already_registered", found[0].email, app.project.name)
            outcome = "success" if found is None else Reason.EMAIL_TAKEN.value
            await self._audit.record(connection, "account.register", outcome=outcome, app=app)
        return opened.challenge

    async def _code(self, account: Account, app: App, proof: Pkce | None) -> str:
        return await self._codes.issue(account, app, proof, self._clock.now())


def _subject_of(project_id: UUID, normalized: str) -> str:
    """Name whose sign-up it is: apart from his sign-ins, so that signing up as somebody else does not disturb them."""
    return f"sign-up:{subject_of(project_id, normalized)}"
