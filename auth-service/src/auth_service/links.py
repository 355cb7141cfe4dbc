"""The one Link engine: what a person can do by following a link that was mailed to him.

    issued -> used | ended (by a newer state of things) | expired

Issued and used inside the transaction of the fact that they belong to, so a link works once however often it is used at
the same time. Looking at one changes nothing. `addresses` and `closing` issue them; `link_use` acts on them.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from auth_service.keys import digest
from auth_service.model import Link, LinkPurpose
from auth_service.store import links as store
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection

_TOKEN_BYTES = 32  # 64 hex digits
_PATHS = {
    LinkPurpose.VERIFY_EMAIL: "/confirm-email",
    LinkPurpose.UNDO_EMAIL_CHANGE: "/undo-email-change",
    LinkPurpose.KEEP_ACCOUNT: "/keep-account",
}


class Links:
    """Issues, finds and uses links.

    Args:
        clock: For expiry times.
        public_url: Where people reach the gateway; what every link begins with.
    """

    def __init__(self, clock: Clock, public_url: str) -> None:
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    async def issue(
        self, connection: Connection, purpose: LinkPurpose, account_id: UUID, data: Mapping[str, str], seconds: int
    ) -> str:
        """Return the token of a new link, 64 lower-case hex digits, good once the transaction commits."""
        token = secrets.token_hex(_TOKEN_BYTES)
        now = self._clock.now()
        expires_at = now + timedelta(seconds=seconds)
        await store.insert(connection, digest(token), purpose, account_id, data, now, expires_at)
        return token

    def url(self, purpose: LinkPurpose, token: str) -> str:
        """Return the address of the page that a link leads to."""
        return f"{self._public_url}{_PATHS[purpose]}?token={token}"

    async def find(self, connection: Connection, token: str) -> Link:
        """Return a link that can be used, and leave it so.

        Raises:
            GatepostError: CHALLENGE_FAILED if it is unknown, used or expired.
        """
        return _good(await store.fetch(connection, digest(token), self._clock.now()))

    async def use(self, connection: Connection, token: str) -> Link:
        """Spend a link in the caller's transaction, which does what the link is for.

        Raises:
            GatepostError: CHALLENGE_FAILED if it is unknown, used or expired.
        """
        return _good(await store.use(connection, digest(token), self._clock.now()))


def _good(link: Link | None) -> Link:
    if link is None:
        raise GatepostError(Reason.CHALLENGE_FAILED)
    return link
