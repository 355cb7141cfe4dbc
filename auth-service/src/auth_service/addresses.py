"""The addresses of accounts: how one is proven, changed, and got back. Works in the caller's transaction.

The address before a change is told, with a link that goes back to it, and kept for its owner as long as the link lives.
The older of two such links wins: going back to an address ends the links made since, so that whoever moved an account
away from its owner cannot move it away again by a link of his own.
"""

from auth_service.audit import Audit
from auth_service.enrolment import email_taken
from auth_service.links import Links
from auth_service.model import Account, AccountState, Link, LinkPurpose
from auth_service.notices import Notices
from auth_service.store import account_writes, accounts
from auth_service.store import links as store
from auth_service.store.account_writes import NewIdentifier
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection


class Addresses:
    """Proves, moves and restores addresses.

    Args:
        links: What is mailed.
        notices: Mails it.
        audit: Records it.
        clock: For when an address was proven.
        confirm_seconds: How long a link proves an address.
        undo_seconds: How long a change can be undone.
    """

    def __init__(
        self,
        *,
        links: Links,
        notices: Notices,
        audit: Audit,
        clock: Clock,
        confirm_seconds: int,
        undo_seconds: int,
    ) -> None:
        self._links = links
        self._notices = notices
        self._audit = audit
        self._clock = clock
        self._confirm_seconds = confirm_seconds
        self._undo_seconds = undo_seconds

    async def ask_proof(self, connection: Connection, account: Account) -> None:
        """Mail a link that proves the account's present address."""
        token = await self._links.issue(
            connection, LinkPurpose.VERIFY_EMAIL, account.id, _data(account.email), self._confirm_seconds
        )
        url = self._links.url(LinkPurpose.VERIFY_EMAIL, token)
        await self._notices.post(connection, "confirm_email", account.recipient(), link=url)

    async def confirm(self, connection: Connection, account: Account) -> None:
        """Note that an account's address is proven; a pending account becomes active."""
        await accounts.verify_email(connection, account.id, self._clock.now())
        await self._audit.record(connection, "email.confirm", account=account)

    async def move(
        self, connection: Connection, account: Account, email: str, normalized: str, *, proven: bool, actor: str = ""
    ) -> None:
        """Give an account another address, and tell the one before. The caller ends the sessions.

        `actor` names who does it if not the user, as the audit trail does.

        Raises:
            GatepostError: EMAIL_TAKEN if it is, or is kept for, another account's; the transaction must not commit.
        """
        now = self._clock.now()
        new = NewIdentifier("email", email, normalized, now if proven else None)
        if not await account_writes.replace_identifier(connection, account, new):
            raise email_taken()
        if account.email and account.state is not AccountState.PENDING:  # else nobody has ever proven himself with it
            token = await self._links.issue(
                connection, LinkPurpose.UNDO_EMAIL_CHANGE, account.id, _data(account.email), self._undo_seconds
            )
            await self._notices.post(
                connection,
                "email_changed",
                account.recipient(),
                email=masked(email),
                time=now.isoformat(),
                link=self._links.url(LinkPurpose.UNDO_EMAIL_CHANGE, token),
            )
        await self._audit.record(connection, "email.change", account=account, actor=actor)

    async def restore(self, connection: Connection, link: Link, account: Account) -> None:
        """Go back to the address of a link; its sessions end, and its password, which may be another's by now.

        The account's row must be locked. An account that was closed meanwhile is kept, unless an operator has closed
        it too.

        Raises:
            GatepostError: EMAIL_TAKEN if it is another account's; the transaction must not commit.
        """
        now = self._clock.now()
        email, normalized = link.data["email"], link.data["normalized"]
        if not await account_writes.replace_identifier(
            connection, account, NewIdentifier("email", email, normalized, now)
        ):
            raise email_taken()
        if not await accounts.bump_security_version(connection, account.id, account.security_version, now):
            raise GatepostError(Reason.CONFLICT, retry_after_seconds=1)
        await accounts.drop_password(connection, account.id)
        # An operator who closes a closed account ends the link that would keep it.
        if account.closing_at is not None and not await store.is_ended(
            connection, account.id, LinkPurpose.KEEP_ACCOUNT
        ):
            await accounts.keep(connection, account.id, now)
            await store.end(connection, account.id, LinkPurpose.KEEP_ACCOUNT, now)
        await store.end(connection, account.id, LinkPurpose.UNDO_EMAIL_CHANGE, now, since=link.created_at)
        await self._audit.record(connection, "email.change_undo", account=account)


def masked(email: str) -> str:
    """Return an address as it may be shown to somebody who need not know it: `a…@example.org`."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}…@{domain}"


def _data(email: str) -> dict[str, str]:
    return {"email": email, "normalized": email.casefold()}
