"""Use cases of messages: take, read, list, try again. Called by `rpc.messages`; delivery itself is `delivery`."""

from collections.abc import Callable
from uuid import UUID

from notify_service import fields
from notify_service.addresses import normalise, phone_number
from notify_service.mail import mint_message_id
from notify_service.model import Channel, Draft, Message, Status
from notify_service.store import messages
from notify_service.templates import Templates
from runtime import paging
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Database

MOST_PER_PAGE = 100
_RECIPIENTS = {
    Channel.MAIL: "mail address",
    Channel.SMS: "phone number in E.164",
    Channel.PUSH: "UUID of an account",
}


class Outbox:
    """Messages, from being taken to being looked at.

    Args:
        database: Where they are kept.
        templates: Render them.
        clock: The time.
        domain: Right side of every Message-ID.
        nudge: Tells a channel's delivery that there is work.
    """

    def __init__(
        self, database: Database, templates: Templates, clock: Clock, domain: str, nudge: Callable[[Channel], None]
    ) -> None:
        self._database = database
        self._templates = templates
        self._clock = clock
        self._domain = domain
        self._nudge = nudge

    async def take(self, draft: Draft) -> Message:
        """Check and render a message and store it durably; the same id again returns what was stored the first time.

        Raises:
            GatepostError: INVALID_PARAMETER (to, project, template, channel, language, values, brand, accent_color),
                UNAVAILABLE.
        """
        now = self._clock.now()
        to = _recipient(draft.channel, draft.to)
        if draft.project:
            _check_project(draft.project)
        brand = draft.brand or draft.project
        data = {"project": brand, **draft.data} if brand else draft.data
        content = self._templates.render(
            draft.template, draft.channel, draft.language, data, brand=brand, accent_color=draft.accent_color
        )
        new = Message(
            id=draft.id,
            channel=draft.channel,
            to=to,
            template=draft.template,
            project=draft.project or str(data.get("project", "")),
            content=content,
            status=Status.PENDING,
            attempts=0,
            last_error="",
            message_id=mint_message_id(draft.id, self._domain),
            created_at=now,
            next_attempt_at=now,
            expires_at=draft.expires_at,
            sent_at=None,
        )
        async with self._database.acquire() as connection:
            inserted = await messages.insert(connection, new)
            known = None if inserted else await messages.get(connection, new.id)
        self._nudge(draft.channel)
        return known or new

    async def get(self, message_id: UUID) -> Message:
        """Read one message.

        Raises:
            GatepostError: NOT_FOUND, UNAVAILABLE.
        """
        async with self._database.acquire() as connection:
            found = await messages.get(connection, message_id)
        if found is None:
            raise GatepostError(Reason.NOT_FOUND, "There is no such message.")
        return found

    async def page(
        self, *, to: str, status: Status | None, page_size: int, page_token: str
    ) -> tuple[list[Message], str]:
        """Read a page of messages, newest first, and the token of the next page (empty on the last).

        Args:
            to: Only to this address, compared without case; empty for all.
            status: Only in this status; None for all.
            page_size: 1 to 100; 0 means 100.
            page_token: From the page before; empty for the first.

        Raises:
            GatepostError: INVALID_PARAMETER (to, page_size, page_token), UNAVAILABLE.
        """
        if "\0" in to:
            raise invalid("to", "The address has a NUL in it.")
        if not 0 <= page_size <= MOST_PER_PAGE:
            raise invalid("page_size", f"A page holds 1 to {MOST_PER_PAGE} messages.")
        size = page_size or MOST_PER_PAGE
        before = paging.decode(page_token)
        async with self._database.acquire() as connection:
            found = await messages.newest(connection, to=to or None, status=status, before=before, limit=size + 1)
        if len(found) <= size:
            return found, ""
        last = found[size - 1]
        return found[:size], paging.encode((last.created_at, last.id))

    async def retry(self, message_id: UUID) -> Message:
        """Put a dead message back in the queue, due at once.

        Raises:
            GatepostError: NOT_FOUND, CONFLICT (not dead), UNAVAILABLE.
        """
        async with self._database.transaction() as connection:
            requeued = await messages.requeue(connection, message_id, self._clock.now())
            known = requeued or await messages.get(connection, message_id)
        if known is None:
            raise GatepostError(Reason.NOT_FOUND, "There is no such message.")
        if requeued is None:
            raise GatepostError(Reason.CONFLICT, "The message is not dead.")
        self._nudge(requeued.channel)
        return requeued


def _check_project(name: str) -> None:
    try:
        fields.text(name)
    except ValueError as exc:
        raise invalid("project", f"The project {exc}.") from None


def _recipient(channel: Channel, to: str) -> str:
    """Normalise a recipient as its channel has it."""
    try:
        match channel:
            case Channel.MAIL:
                return normalise(to)
            case Channel.SMS:
                return phone_number(to)
            case Channel.PUSH:
                return str(UUID(to))
    except ValueError:
        raise invalid("to", f"The recipient is no {_RECIPIENTS[channel]}.") from None
