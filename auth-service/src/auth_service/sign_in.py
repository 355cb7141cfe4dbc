"""Signing in: the first factor, and the challenge that may follow it (answered in `verification`).

Unknown user and wrong password get the same answer after the same work, also once there are too many of them; in a
project without passwords, an unknown address gets a challenge like any other, which cannot be answered.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from auth_service import identifiers
from auth_service.admission import Admission
from auth_service.audit import Audit
from auth_service.challenges import Challenges
from auth_service.clients import Clients
from auth_service.guesses import Guess, Guesses, of_account, of_device, of_login
from auth_service.known_devices import KnownDevices
from auth_service.limits import Limit, Limiter, Mails, from_where, of_address
from auth_service.model import (
    Account,
    AccountState,
    App,
    Asking,
    Entry,
    OpenChallenge,
    Project,
    Purpose,
    Recipient,
    Registration,
    SignInPolicy,
    SignInStep,
)
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.proof_of_work import ProofOfWork
from auth_service.store import accounts
from auth_service.verification import challenge_data
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database

PURPOSES = {SignInPolicy.OTP: Purpose.OTP, SignInPolicy.TWO_STEP: Purpose.TWO_STEP}
_NOBODY = UUID(int=0)
_TEMPLATES = {Purpose.OTP: "sign_in_code", Purpose.TWO_STEP: "two_step_code"}


class SignIn:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        clients: Clients,
        passwords: Passwords,
        challenges: Challenges,
        admission: Admission,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        proofs: ProofOfWork,
        guesses: Guesses,
        devices: KnownDevices,
        clock: Clock,
        per_address: Limit,
        per_app: Limit,
        mails: Mails,
        otp_seconds: int,
    ) -> None:
        self._database = database
        self._clients = clients
        self._passwords = passwords
        self._challenges = challenges
        self._admission = admission
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._proofs = proofs
        self._guesses = guesses
        self._devices = devices
        self._clock = clock
        self._per_address = per_address
        self._per_app = per_app
        self._mails = mails
        self._otp_seconds = otp_seconds

    async def __call__(
        self, asking: Asking, *, login: str, password: str, single_step: bool = False, devices: Sequence[str] = ()
    ) -> SignInStep:
        """Check the first factor. See SignInService.SignIn for arguments, answers and errors."""
        entry = await self._clients.enter(asking)
        policy = entry.project.sign_in_policy
        single_step = single_step and entry.app is None
        by_mail = policy is SignInPolicy.OTP and not single_step
        if not login or (not password and not by_mail):
            raise missing(*(name for name, value in (("email", login), ("password", password)) if not value))
        await self._proofs.demand(entry.project.name, asking.proof, counted=by_mail)
        if by_mail:
            return SignInStep(policy, challenge=await self._by_mail(entry, login))
        try:
            account = await self.check_password(entry.project, login, password, entry.app, devices)
        except GatepostError as error:
            if error.reason is Reason.BAD_CREDENTIALS:
                await self._proofs.failed(entry.project.name, asking.proof)
            raise
        if policy is SignInPolicy.NONE:
            event = self._audit.event("account.sign_in", account=account, app=entry.app)
            return await self._admission.admit(entry, account, event)
        if single_step:
            raise GatepostError(Reason.SECOND_FACTOR_REQUIRED)
        subject = subject_of(entry.project.id, account.email.casefold())
        await self._limiter.take(*self._mails.windows(subject, entry.app))
        data = challenge_data(account.id, entry, security_version=account.security_version)
        opened = await self._challenge(entry, data, account.recipient(), subject, Purpose.TWO_STEP)
        return SignInStep(policy, challenge=opened)

    async def check_password(
        self, project: Project, login: str, password: str, app: App | None = None, devices: Sequence[str] = ()
    ) -> Account:
        """Return the active account of a project whose login and password these are.

        Args:
            project: Whose people are meant.
            login: Address or user name.
            password: As typed.
            app: That asks, if any does.
            devices: Tokens that the client keeps; if one says that the account was signed in on it before, wrong
                passwords of strangers do not count.

        Raises:
            GatepostError: BAD_CREDENTIALS. USER_NOT_VALIDATED when the password was right, but of an account that an
                operator made unproven, or of a sign-up that is not proven yet; whether the address has an account
                besides makes no difference to the latter. RATE_LIMITED; OVERLOADED.
        """
        self._passwords.demand_room()
        kind, normalized = identifiers.login(login)
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, project.id, kind, normalized)
            waiting = None
            if project.sign_in_policy is not SignInPolicy.NONE:  # there, nobody's sign-up waits for proof
                now = self._clock.now()
                waiting = await accounts.fetch_registration_by_email(connection, project.id, normalized, now)
        account, stored = found or (None, None)
        device = self._devices.recognize(devices, account)
        guess = self._guess(of_account(account.id) if account else of_login(project.id, normalized), app, device)
        await self._guesses.check(guess)
        usable = stored if stored and (device or not stored.locked) else None
        right = await self._passwords.verify(password, usable.hash if usable else None)
        if not right or account is None or usable is None or account.state is AccountState.DISABLED:
            event = self._audit.event(
                "account.sign_in",
                outcome=Reason.BAD_CREDENTIALS.value,
                account=account,
                app=app,
                project=project.name,
                by_user=False,
            )
            await self._guesses.wrong(guess, event)
            if not right and await self._is_of_sign_up(project, password, waiting):
                raise GatepostError(Reason.USER_NOT_VALIDATED)
            raise GatepostError(Reason.BAD_CREDENTIALS)
        await self._guesses.right(guess, account, usable)
        if account.state is AccountState.PENDING:
            raise GatepostError(Reason.USER_NOT_VALIDATED)
        if renewed := await self._passwords.renew(password, usable.hash):
            async with self._database.acquire() as connection:
                await accounts.replace_password_hash(connection, account.id, usable.hash, renewed)
        return account

    async def _is_of_sign_up(self, project: Project, password: str, waiting: Registration | None) -> bool:
        """Say whether it is the password of a sign-up that is not proven yet.

        The same work whether or not somebody signs up with this address at present, and the same answer whether or not
        it has an account. It was a guess at the account's all the same, and has been counted: else whoever signs up
        with somebody's address would guess at his password without limit.
        """
        if project.sign_in_policy is SignInPolicy.NONE:
            return False
        return await self._passwords.verify(password, waiting.password_hash if waiting else None)

    def _guess(self, whom: str, app: App | None, device: str) -> Guess:
        if device:  # neither limit of where it comes from: strangers there must not keep it out
            return Guess(of_device(device), about=whom)
        windows = from_where(self._per_address, self._per_app, app)
        return Guess(whom, tuple(windows), address=of_address(current().client_address))

    async def _by_mail(self, entry: Entry, login: str) -> OpenChallenge:
        project = entry.project
        kind, normalized = identifiers.login(login)
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, project.id, kind, normalized)
            waiting = await accounts.fetch_registration_by_email(connection, project.id, normalized, self._clock.now())
        account = found[0] if found and found[0].state is not AccountState.DISABLED else None
        # By address, whichever identifier was typed: one live challenge a person.
        subject = subject_of(project.id, account.email.casefold() if account else normalized)
        await self._limiter.take(*self._mails.windows(subject, entry.app))
        if found is None and waiting is not None:
            # Reading this mail proves the address, but not that whoever registered it chose the password.
            data = challenge_data(waiting.account_id, entry, registration=True, keep_secrets=False)
            return await self._challenge(entry, data, project.recipient(waiting.email), subject, Purpose.OTP)
        if account is None:
            return await self._challenge(entry, challenge_data(_NOBODY, entry), None, subject, Purpose.OTP)
        data = challenge_data(account.id, entry, security_version=account.security_version)
        return await self._challenge(entry, data, account.recipient(), subject, Purpose.OTP)

    async def _challenge(
        self, entry: Entry, data: dict[str, Any], recipient: Recipient | None, subject: str, purpose: Purpose
    ) -> OpenChallenge:
        opened = await self._challenges.open(purpose, subject, data, self._otp_seconds, decoy=recipient is None)
        event = self._audit.event(
            "challenge.open",
            account_id=UUID(data["account_id"]) if recipient else None,
            app=entry.app,
            project=entry.project.name,
            by_user=False,
        )
        async with self._database.acquire() as connection:  # one statement, which commits by itself
            if recipient is None:
                await self._notices.post_decoy(connection, event)
            else:
                await self._notices.post(
                    connection,
                    _TEMPLATES[purpose],
                    recipient,
                    expires_at=opened.challenge.expires_at,
                    event=event,
                    code=opened.code,
                    minutes=max(1, self._otp_seconds // 60),
                )
        return opened.challenge


def subject_of(project_id: UUID, normalized: str) -> str:
    """Name whom a challenge or a limit is about, whether or not there is such an account."""
    return f"{project_id}:{normalized}"
