"""What happens when somebody follows a mailed link (nothing), and when he presses the button there (once)."""

from auth_service.addresses import Addresses
from auth_service.closing import Closing
from auth_service.links import Links
from auth_service.model import Account, AccountState, Asking, Link, LinkPurpose, TokenForm
from auth_service.recovery import Recovery
from auth_service.store import accounts
from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger
from runtime.postgres import Database


class LinkUse:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(
        self, *, database: Database, links: Links, addresses: Addresses, closing: Closing, recovery: Recovery
    ) -> None:
        self._database = database
        self._links = links
        self._addresses = addresses
        self._closing = closing
        self._recovery = recovery

    async def look(self, token: str) -> Link:
        """Say what a link would do, and change nothing. See LinkService.GetLink for errors."""
        async with self._database.acquire() as connection:
            link = await self._links.find(connection, token)
            _check(link, await accounts.fetch(connection, link.account_id))
        return link

    async def use(self, token: str) -> Link:
        """Do what a link is for. See LinkService.UseLink for errors."""
        async with self._database.transaction() as connection:
            found = await self._links.find(connection, token)
            # The account's row first: two links of one account are used one after the other.
            account = _check(found, await accounts.fetch(connection, found.account_id, lock=True))
            link = await self._links.use(connection, token)
            match link.purpose:
                case LinkPurpose.VERIFY_EMAIL:
                    await self._addresses.confirm(connection, account)
                case LinkPurpose.UNDO_EMAIL_CHANGE:
                    await self._addresses.restore(connection, link, account)
                case LinkPurpose.KEEP_ACCOUNT:
                    await self._closing.keep(connection, account)
        if link.purpose is LinkPurpose.UNDO_EMAIL_CHANGE:
            await self._start_reset(link)
        return link

    async def _start_reset(self, link: Link) -> None:
        """Ask for a new password. The old one opens nothing already; this mail can be asked for again."""
        try:
            await self._recovery.start(Asking(project=link.project, form=TokenForm.WEB), link.data["email"])
        except GatepostError as error:
            get_logger().warning("reset after undo not started", reason=error.reason.value)


def _check(link: Link, account: Account | None) -> Account:
    """Return the account of a link that has something to act on.

    Raises:
        GatepostError: CHALLENGE_FAILED; the address is another by now, say.
    """
    if account is None or not _applies(link, account):
        raise GatepostError(Reason.CHALLENGE_FAILED)
    return account


def _applies(link: Link, account: Account) -> bool:
    if link.purpose is LinkPurpose.VERIFY_EMAIL:
        return account.email.casefold() == link.data["normalized"] and account.state is not AccountState.DISABLED
    if link.purpose is LinkPurpose.KEEP_ACCOUNT:
        return account.closing_at is not None
    return True  # a change is undone also of a closed account: perhaps it was not its owner who closed it
