"""Telling a person that somebody signed in as him with a client that was not seen before. Called by `sessions`.

A client is its network address and User-Agent. Sessions of which neither is known say nothing about anybody.
"""

from datetime import timedelta
from uuid import UUID

from auth_service.batches import Batches
from auth_service.model import Account, TokenForm
from auth_service.notices import Channel, Notices
from auth_service.store import session_writes
from auth_service.store.session_writes import Acquaintance, Visit
from runtime.agents import describe
from runtime.clock import Clock
from runtime.context import current
from runtime.postgres import Connection

USER_AGENT_LENGTH = 200  # as kept with a session
_MEMORY = timedelta(days=90)
_BY_MAIL = {TokenForm.SESSION_KEY, TokenForm.WEB}
# Clients of the last hour after which no more is said: whoever makes up a new one each time floods no mailbox.
_HOUR = timedelta(hours=1)
_MOST_LATELY = 5


class Arrivals:
    """Announces clients.

    Args:
        notices: Posts the announcement.
        batches: Knows who has been here.
        clock: For what was lately.
    """

    def __init__(self, notices: Notices, batches: Batches, clock: Clock) -> None:
        self._notices = notices
        self._batches = batches
        self._clock = clock

    async def announce(self, connection: Connection, account: Account, form: TokenForm) -> None:
        """Tell an account's devices of the client of the call at hand, unless it is known; call before it is stored.

        A session that no app stands behind is told by mail too. The first client of an account is nobody's news.
        """
        visit = self._visit(account.id)
        if visit is not None:
            [seen] = await session_writes.acquaint_many(connection, [visit])
            if _is_news(seen):
                await self.tell(connection, account, form)

    async def is_news(self, account_id: UUID) -> bool:
        """Say whether the client of the call at hand is one that `announce` would tell of; outside a transaction."""
        visit = self._visit(account_id)
        return visit is not None and _is_news(await self._batches.acquaintance(visit))

    async def tell(self, connection: Connection, account: Account, form: TokenForm) -> None:
        """Tell an account's devices of the client of the call at hand, which is news."""
        agent, now = client_of_call()[0], self._clock.now()
        ways = [(Channel.PUSH, account.recipient(str(account.id)))]
        if form in _BY_MAIL and account.email:
            ways.append((Channel.MAIL, account.recipient()))
        for channel, recipient in ways:
            await self._notices.post(
                connection, "new_sign_in", recipient, channel=channel, device=describe(agent), time=now.isoformat()
            )

    def _visit(self, account_id: UUID) -> Visit | None:
        agent, address = client_of_call()
        now = self._clock.now()
        return Visit(account_id, agent, address, now - _MEMORY, now - _HOUR) if agent or address else None


def _is_news(seen: Acquaintance) -> bool:
    return seen.any and not seen.this and seen.lately <= _MOST_LATELY


def client_of_call() -> tuple[str, str]:
    """Return User-Agent (shortened) and network address of the client of the call at hand; empty when unknown."""
    context = current()
    return context.user_agent[:USER_AGENT_LENGTH], context.client_address
