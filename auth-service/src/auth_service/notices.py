"""Notices to people: written to the outbox in the transaction of the fact they announce, relayed to notify-service.

`Notices.post` is called inside use cases' transactions; `Relay.step` is a background loop. A notice for nobody is a
decoy row, so that an unknown address costs the same.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Any
from uuid import uuid4

from google.protobuf.json_format import ParseDict

from auth_service.model import Recipient
from auth_service.store import outbox
from auth_service.store.audit import Event
from gatepost.notify.v1 import messages_pb2, messages_pb2_grpc
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import AWAY, GatepostError, Reason
from runtime.logs import get_logger
from runtime.postgres import Connection, Database

_BATCH = 20
_COMMIT_SECONDS = 0.02
_FINAL = {Reason.INVALID_PARAMETER, Reason.MISSING_PARAMETER, Reason.ALREADY_EXISTS}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@unique
class Channel(StrEnum):
    """How a notice travels, as the contract names it."""

    MAIL = "CHANNEL_MAIL"
    SMS = "CHANNEL_SMS"
    PUSH = "CHANNEL_PUSH"


class Notices:
    """Posts notices.

    Args:
        clock: For due times.
        nudge: Wakes the relay. Called when a notice is written, a moment before its transaction commits; a relay that
            looks too early looks again within its interval.
    """

    def __init__(self, clock: Clock, nudge: Callable[[], None]) -> None:
        self._clock = clock
        self._nudge = nudge

    async def post(
        self,
        connection: Connection,
        template: str,
        recipient: Recipient,
        *,
        channel: Channel = Channel.MAIL,
        expires_at: datetime | None = None,
        event: Event | None = None,
        **data: str | int,
    ) -> None:
        """Post a notice, delivered if the transaction commits.

        Args:
            connection: Of the transaction that makes the fact.
            template: One of notify-service's.
            recipient: Whose language it is written in; the call's while his is not known.
            channel: How it travels.
            expires_at: When it is worth nothing any more.
            event: What is to be said of it; appended in the same statement, which needs no transaction then.
            data: As the template names it, without the project.
        """
        look = {
            "language": recipient.language or language_of_call(),
            "brand": recipient.brand,
            "accentColor": recipient.accent_color,
        }
        message: dict[str, Any] = {
            "channel": channel.value,
            "template": template,
            "to": recipient.to,
            "project": recipient.project,
            "data": data,
            **{name: value for name, value in look.items() if value},
        }
        if expires_at is not None:
            message["expireTime"] = expires_at.isoformat()
        await outbox.insert(connection, uuid4(), message, self._clock.now(), event)
        asyncio.get_running_loop().call_later(_COMMIT_SECONDS, self._nudge)

    async def post_decoy(self, connection: Connection, event: Event | None = None) -> None:
        """Do the work of posting, to nobody."""
        await outbox.insert(connection, uuid4(), None, self._clock.now(), event)


class Relay:
    """Hands notices to notify-service, which takes each once however often it is handed over.

    Args:
        database: Where the outbox is.
        messages: notify-service.
        clock: For due times.
    """

    def __init__(self, database: Database, messages: "messages_pb2_grpc.MessageServiceAsyncStub", clock: Clock) -> None:
        self._database = database
        self._messages = messages
        self._clock = clock

    async def step(self) -> bool:
        """Relay a batch of due notices; True if there may be more."""
        async with self._database.transaction() as connection:
            notices = await outbox.fetch_due(connection, self._clock.now(), _BATCH)
            taken = []
            for notice in notices:
                try:
                    if notice.message is not None:
                        await self._messages.SendMessage(_request(notice.message, str(notice.id)))
                except GatepostError as error:
                    await self._refused(connection, notice, error)
                    if error.reason in AWAY:
                        break  # nor would it take the others; they stay due
                else:
                    taken.append(notice.id)
            await outbox.delete(connection, taken)
        return len(taken) == _BATCH

    async def _refused(self, connection: Connection, notice: outbox.Notice, error: GatepostError) -> None:
        if error.reason in _FINAL:
            get_logger().error("notice refused", notice=str(notice.id), reason=error.reason.value)
            await outbox.fail(connection, notice.id, error.reason.value)
        else:
            get_logger().warning("notice deferred", notice=str(notice.id), reason=error.reason.value)
            wait = min(60.0, 0.5 * 2 ** min(notice.attempts, 10))
            await outbox.postpone(connection, notice.id, self._clock.now() + timedelta(seconds=wait))


def _request(message: dict[str, Any], message_id: str) -> messages_pb2.SendMessageRequest:
    request = messages_pb2.SendMessageRequest(id=message_id, channel=messages_pb2.CHANNEL_MAIL)
    return ParseDict(message, request)


def language_of_call() -> str:
    """Return the language that the person of the call at hand prefers; empty when unknown or no BCP 47 tag."""
    language = current().language
    return language if _LANGUAGE.fullmatch(language) else ""
