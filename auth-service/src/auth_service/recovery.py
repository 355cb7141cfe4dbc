"""Password reset by a mailed code; or by a link that is mailed with it, where the gateway asks for itself.

An address without account gets a challenge too, which cannot be answered. Codes can be guessed at by whoever asked for
them, so there is an end to asking and answering; links are good whatever others do, and are counted by themselves.
"""

from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from auth_service import identifiers
from auth_service.audit import Audit
from auth_service.challenges import CODE_LENGTH, HANDLE_LENGTH, Challenges, Claim
from auth_service.clients import Clients
from auth_service.guesses import Guesses
from auth_service.known_devices import KnownDevices
from auth_service.limits import Limiter, Mails
from auth_service.model import Account, AccountState, Asking, Entry, OpenChallenge, Purpose
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.proof_of_work import ProofOfWork
from auth_service.reset_links import TOKEN_LENGTH, ResetLinks
from auth_service.sign_in import subject_of
from auth_service.store import accounts
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class _Permit:
    """Who may set a new password, while his account is as it was, and what it is checked against."""

    account_id: UUID
    security_version: int
    min_length: int
    names: Sequence[str]


class Recovery:
    """The use case. Dependencies as named; see main.py."""

    def __init__(
        self,
        *,
        database: Database,
        clients: Clients,
        passwords: Passwords,
        challenges: Challenges,
        notices: Notices,
        audit: Audit,
        limiter: Limiter,
        proofs: ProofOfWork,
        guesses: Guesses,
        devices: KnownDevices,
        links: ResetLinks,
        clock: Clock,
        mails: Mails,
        reset_seconds: int,
        link_seconds: int,
        public_url: str,
    ) -> None:
        self._database = database
        self._clients = clients
        self._passwords = passwords
        self._challenges = challenges
        self._notices = notices
        self._audit = audit
        self._limiter = limiter
        self._proofs = proofs
        self._guesses = guesses
        self._devices = devices
        self._links = links
        self._clock = clock
        self._mails = mails
        self._reset_seconds = reset_seconds
        self._link_seconds = link_seconds
        self._public_url = public_url.rstrip("/")

    async def start(self, asking: Asking, email: str) -> OpenChallenge:
        """Mail a reset code if there is somebody to mail it to. See SignInService.StartPasswordReset."""
        entry = await self._clients.enter(asking)
        if not email:
            raise missing("email")
        _, normalized = identifiers.email(email)
        await self._proofs.demand(entry.project.name, asking.proof, counted=True)
        subject = subject_of(entry.project.id, normalized)
        counted = "reset" if entry.app else "reset-link"
        await self._limiter.take(*self._mails.windows(f"{counted}:{subject}", entry.app))
        async with self._database.acquire() as connection:
            found = await accounts.fetch_by_identifier(connection, entry.project.id, "email", normalized)
        account = found[0] if found and found[0].state is not AccountState.DISABLED else None
        # What the new password is checked against is the same for a decoy: a refusal must not tell them apart.
        data = {
            "account_id": str(account.id if account else _NOBODY),
            "security_version": account.security_version if account else 0,
            "email": normalized,
            "min_length": entry.project.password_min_length,
            "names": entry.project.names,
            "project": entry.project.name,
            "client_id": entry.app.client_id if entry.app else "",
        }
        opened = await self._challenges.open(
            Purpose.RESET, subject, data, self._reset_seconds, decoy=account is None, by_subject=entry.app is None
        )
        seconds, expires_at = self._reset_seconds, opened.challenge.expires_at
        link: dict[str, Any] = {}
        if entry.app is None:
            seconds, expires_at = self._link_seconds, self._clock.now() + timedelta(seconds=self._link_seconds)
            link = {"link": self._link(entry, account, expires_at)}
        event = self._audit.event(
            "password.reset_start", account=account, app=entry.app, project=entry.project.name, by_user=False
        )
        async with self._database.acquire() as connection:  # one statement, which commits by itself
            if account is None:
                await self._notices.post_decoy(connection, event)
            else:
                await self._notices.post(
                    connection,
                    "reset_link" if link else "reset_code",
                    account.recipient(),
                    expires_at=expires_at,
                    event=event,
                    code=opened.code,
                    minutes=max(1, seconds // 60),
                    **link,
                )
        return opened.challenge

    async def complete(self, *, handle: str, code: str, password: str) -> str:
        """Set a new password against a reset challenge; or with the token of a mailed link for a handle, and no code.

        See SignInService.CompletePasswordReset. The new password is checked first, so that a weak one does not spend
        the challenge. Returns what the device is known by from now on: whoever is locked out by strangers would be so
        again before he has typed his new password.
        """
        if len(handle) == TOKEN_LENGTH and not code:
            return await self._follow(await self._account(handle), password)
        data = await self._challenges.peek(Purpose.RESET, handle)
        self._check(password, _permit(data), data["email"])
        return await self._answer(await self._challenges.claim(Purpose.RESET, handle, code), password)

    async def complete_by_email(self, *, project: str, email: str, code: str, password: str) -> str:
        """Set a new password where only the address is known, and the code, or the token of the link that was mailed.

        Returns what `complete` does.

        Raises:
            GatepostError: As `complete`; NOT_FOUND (project), DIALECT_DISABLED.
        """
        home = await self._clients.project(project)
        _, normalized = identifiers.login(email)
        if len(code) == TOKEN_LENGTH:
            account = await self._account(code)
            if account.project_id != home.id or identifiers.login(account.email)[1] != normalized:
                raise GatepostError(Reason.CHALLENGE_FAILED)
            return await self._follow(account, password)
        if len(code) == HANDLE_LENGTH + CODE_LENGTH:  # a link that was mailed by the release before
            handle, code = code[:HANDLE_LENGTH], code[HANDLE_LENGTH:]
            if (await self._challenges.peek(Purpose.RESET, handle))["email"] != normalized:
                raise GatepostError(Reason.CHALLENGE_FAILED)
            return await self.complete(handle=handle, code=code, password=password)
        subject = subject_of(home.id, normalized)
        data = await self._challenges.peek_of(Purpose.RESET, subject)
        self._check(password, _permit(data), data["email"])
        return await self._answer(await self._challenges.claim_of(Purpose.RESET, subject, code), password)

    async def _account(self, token: str) -> Account:
        account_id = await self._links.account_id(token)
        async with self._database.acquire() as connection:
            account = await accounts.fetch(connection, account_id)
        if account is None:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        self._links.check(token, account)
        return account

    async def _follow(self, account: Account, password: str) -> str:
        home = await self._clients.project(account.project)
        permit = _Permit(account.id, account.security_version, home.password_min_length, home.names)
        self._check(password, permit, account.email)
        return await self._set_password(permit, password)

    async def _answer(self, claim: Claim, password: str) -> str:
        try:
            return await self._set_password(_permit(claim.data), password)
        except (GatepostError, CancelledError) as error:
            if not isinstance(error, GatepostError) or error.reason is not Reason.CHALLENGE_FAILED:
                await self._challenges.release(claim)
            raise

    def _check(self, password: str, permit: _Permit, own: str) -> None:
        self._passwords.check_new(password, permit.min_length, (own,), permit.names)

    def _link(self, entry: Entry, account: Account | None, expires_at: datetime) -> str:
        home = "" if entry.project.name == "default" else f"/t/{entry.project.name}"  # whose page it is
        return f"{self._public_url}{home}/reset-password?token={self._links.issue(account, expires_at)}"

    async def _set_password(self, permit: _Permit, password: str) -> str:
        account_id = permit.account_id
        encoded = await self._passwords.hash(password)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            account = await accounts.fetch(connection, account_id)
            if account is None or account.state is AccountState.DISABLED:
                raise GatepostError(Reason.CHALLENGE_FAILED)
            if not await accounts.bump_security_version(connection, account_id, permit.security_version, now):
                raise GatepostError(Reason.CHALLENGE_FAILED)  # something sensitive changed since it was mailed
            self._check(password, permit, account.username)
            await accounts.put_password(connection, account_id, encoded, now)
            if not account.email_verified:
                # Whoever linked an identity did not prove the address; who reads its mail did.
                await accounts.drop_external(connection, account_id)
            if not account.email_verified or account.state is AccountState.PENDING:
                await accounts.verify_email(connection, account_id, now)
            await self._notices.post(connection, "password_changed", account.recipient(), time=now.isoformat())
            await self._audit.record(connection, "password.reset", account=account)
            await self._guesses.forget(account_id)
        return self._devices.issue(account_id, permit.security_version + 1)


def _permit(data: Mapping[str, Any]) -> _Permit:
    """Return what is stored with a challenge."""
    names = data.get("names", ())  # absent in those of the release before
    return _Permit(UUID(data["account_id"]), data["security_version"], data["min_length"], names)
