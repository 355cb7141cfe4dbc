"""Signing up.

Policy `none`: the account is active at once, whoever asked gets in, and a link that proves the address is mailed.
`otp`, `two-step`: a registration is kept and a code mailed; the account is made when the challenge is answered, so
nobody can claim an address he does not read. An address in use gets the same answer at the same cost, and its owner a
note.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from auth_service import identifiers, profiles
from auth_service.addresses import Addresses
from auth_service.admission import Admission
from auth_service.audit import Audit
from auth_service.challenges import Challenges
from auth_service.clients import Clients
from auth_service.enrolment import Enrolment, NewAccount, email_taken
from auth_service.identities import Identities
from auth_service.limits import Limit, Limiter, Mails, from_where
from auth_service.model import (
    Account,
    Asking,
    Entry,
    ExternalIdentity,
    NewProfile,
    OpenChallenge,
    Project,
    Registration,
    SignInPolicy,
    SignInStep,
)
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.proof_of_work import ProofOfWork
from auth_service.sign_in import PURPOSES, subject_of
from auth_service.store import accounts
from auth_service.verification import challenge_data
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who signs up, as he says; without user name and external identity if he gives none."""

    account_id: UUID
    email: str
    password: str = field(repr=False)
    profile: NewProfile
    username: str = ""
    identity: ExternalIdentity | None = None


class SignUp:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        clients: Clients,
        passwords: Passwords,
        enrolment: Enrolment,
        identities: Identities,
        challenges: Challenges,
        admission: Admission,
        addresses: Addresses,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        proofs: ProofOfWork,
        clock: Clock,
        per_address: Limit,
        per_app: Limit,
        mails: Mails,
        otp_seconds: int,
        registration_seconds: int,
    ) -> None:
        self._database = database
        self._clients = clients
        self._passwords = passwords
        self._enrolment = enrolment
        self._identities = identities
        self._challenges = challenges
        self._admission = admission
        self._addresses = addresses
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._proofs = proofs
        self._clock = clock
        self._per_address = per_address
        self._per_app = per_app
        self._mails = mails
        self._otp_seconds = otp_seconds
        self._registration_seconds = registration_seconds

    async def __call__(self, asking: Asking, newcomer: Newcomer) -> SignInStep:
        """Sign a person up. See SignInService.SignUp for arguments, answers and errors."""
        entry = await self._clients.enter(asking)
        project = entry.project
        email = self._checked(newcomer, project)
        await self._proofs.demand(project.name, asking.proof, counted=True)
        await self._limiter.take(*from_where(self._per_address, self._per_app, entry.app))
        identity = await self._identities.inspect(newcomer.identity) if newcomer.identity else ""
        if project.sign_in_policy is SignInPolicy.NONE:
            return await self._at_once(entry, newcomer, identity)
        await self._refuse_taken(project, newcomer, identity)
        await self._limiter.take(*self._mails.windows(_subject_of(project.id, email.casefold()), entry.app))
        now = self._clock.now()
        registration = Registration(
            account_id=newcomer.account_id,
            project_id=project.id,
            email=email,
            email_normalized=email.casefold(),
            password_hash=await self._passwords.hash(newcomer.password) if newcomer.password else None,
            profile=newcomer.profile,
            created_at=now,
            expires_at=now + timedelta(seconds=self._registration_seconds),
            username=newcomer.username,
            identity=identity,
        )
        return SignInStep(project.sign_in_policy, challenge=await self._after_proof(entry, registration))

    async def _at_once(self, entry: Entry, newcomer: Newcomer, identity: str) -> SignInStep:
        known = await self._known(entry, newcomer)
        if known is None:
            await self._refuse_taken(entry.project, newcomer, identity)
            new = NewAccount(
                id=newcomer.account_id,
                project=entry.project,
                email=newcomer.email,
                email_verified=False,
                password_hash=await self._passwords.hash(newcomer.password),
                profile=newcomer.profile,
                role=entry.project.roles[0],
                username=newcomer.username,
                identity=identity,
            )
            try:
                return await self._make(entry, new)
            except GatepostError as error:  # perhaps the same call was made beside this one
                known = await self._known(entry, newcomer) if error.reason is Reason.ALREADY_EXISTS else None
                if known is None:
                    raise
        async with self._database.transaction() as connection:
            return await self._admission.finish(connection, entry, known)

    async def _known(self, entry: Entry, newcomer: Newcomer) -> Account | None:
        """Return the account that the same call has made before, its answer lost.

        Raises:
            GatepostError: EMAIL_TAKEN if the address is, or is kept for, another account's.
        """
        _, normalized = identifiers.email(newcomer.email)
        async with self._database.acquire() as connection:
            holder = await accounts.fetch_holder(connection, entry.project.id, normalized)
        if holder is not None and holder.id != newcomer.account_id:
            raise email_taken()
        return holder

    async def _refuse_taken(self, project: Project, newcomer: Newcomer, identity: str) -> None:
        """Refuse a user name or an external identity that is another account's; neither is a secret as addresses are.

        Raises:
            GatepostError: USERNAME_TAKEN or IDENTITY_TAKEN.
        """
        async with self._database.acquire() as connection:
            if newcomer.username:
                _, normalized = identifiers.username(newcomer.username)
                if await accounts.fetch_by_identifier(connection, project.id, "username", normalized):
                    raise identifiers.username_taken()
            if identity and await accounts.fetch_by_identifier(connection, project.id, "external", identity):
                raise GatepostError(Reason.IDENTITY_TAKEN)

    async def _make(self, entry: Entry, new: NewAccount) -> SignInStep:
        await self._enrolment.prepare(new)
        async with self._database.transaction() as connection:
            account = await self._enrolment.complete(connection, new, app=entry.app)
            await self._addresses.ask_proof(connection, account)
            # Inside the transaction: when no code can be stored, no account is made.
            return await self._admission.finish(connection, entry, account)

    async def _after_proof(self, entry: Entry, registration: Registration) -> OpenChallenge:
        project = entry.project
        async with self._database.acquire() as connection:
            holder = await accounts.fetch_holder(connection, project.id, registration.email_normalized)
        # A decoy when the address has an account: its answer must not become one.
        opened = await self._challenges.open(
            PURPOSES[project.sign_in_policy],
            _subject_of(project.id, registration.email_normalized),
            challenge_data(registration.account_id, entry, registration=True),
            self._otp_seconds,
            decoy=holder is not None,
        )
        outcome = "success" if holder is None else Reason.EMAIL_TAKEN.value
        event = self._audit.event("account.register", outcome=outcome, app=entry.app, project=project.name)
        async with self._database.transaction() as connection:
            # Kept in both cases, for the same work; without a challenge it comes to nothing.
            if not await accounts.put_registration(connection, registration):
                raise GatepostError(Reason.ALREADY_EXISTS, "this user_id is another sign-up's")
            if holder is None:
                await self._notices.post(
                    connection,
                    "sign_up_code",
                    project.recipient(registration.email),
                    expires_at=opened.challenge.expires_at,
                    event=event,
                    code=opened.code,
                    minutes=max(1, self._otp_seconds // 60),
                )
            else:
                # To the address on record: what was typed may differ from it and be somebody else's.
                await self._notices.post(connection, "already_registered", holder.recipient(), event=event)
        return opened.challenge

    def _checked(self, newcomer: Newcomer, project: Project) -> str:
        """Return the address as shown, of somebody whose every word can be taken.

        Raises:
            GatepostError: MISSING_PARAMETER, INVALID_PARAMETER, WEAK_PASSWORD.
        """
        required = [("email", newcomer.email)]
        if project.sign_in_policy is not SignInPolicy.OTP:
            required.append(("password", newcomer.password))
        if not all(value for _, value in required):
            raise missing(
                *(name for name, value in (("email", newcomer.email), ("password", newcomer.password)) if not value)
            )
        email, _ = identifiers.email(newcomer.email)
        if newcomer.username:
            identifiers.username(newcomer.username)
        profiles.check_new(newcomer.profile)
        if newcomer.password:
            own_data = (email, newcomer.username, newcomer.profile.first_name, newcomer.profile.last_name)
            self._passwords.check_new(newcomer.password, project.password_min_length, own_data, project.names)
        return email


def _subject_of(project_id: UUID, normalized: str) -> str:
    """Name whose sign-up it is: apart from his sign-ins, so that signing up as somebody else does not disturb them."""
    return f"sign-up:{subject_of(project_id, normalized)}"
