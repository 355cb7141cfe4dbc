"""Text messages by a provider's HTTP API. What a provider wants and says is its `Provider`; `twilio` is the first.

No such API knows idempotency keys: an answer that is lost on its way makes the next attempt a second text message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from notify_service.model import Message
from notify_service.transports.http import Answer, post
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to a provider.

    Args:
        url: Where to.
        form: The body's fields.
        headers: Credentials.
    """

    url: str
    form: Mapping[str, str]
    headers: Mapping[str, str]


class Provider(Protocol):
    """A provider's form of sending one text message."""

    def request(self, to: str, text: str) -> Request:
        """Return what to send, for a number in E.164."""

    def check(self, answer: Answer) -> None:
        """Return if the provider took the message.

        Raises:
            DeferredError: It did not, and trying again may help.
            RefusedError: It did not and never will.
        """


class SmsTransport:
    """Delivers text messages.

    Args:
        session: With its timeouts; closed by whoever made it.
        provider: Whose API.
        clock: The time.
        concurrency: Messages to hand over at once.
    """

    keeps_content = False

    def __init__(self, session: aiohttp.ClientSession, provider: Provider, clock: Clock, concurrency: int) -> None:
        self._session = session
        self._provider = provider
        self._clock = clock
        self.concurrency = concurrency

    async def deliver(self, message: Message) -> None:
        """Hand one text message over.

        Raises:
            DeferredError: The provider cannot be reached or used, or says to come back.
            RefusedError: The provider refuses the number for good.
        """
        request = self._provider.request(message.to, message.content.text.strip())
        now = self._clock.now()
        self._provider.check(await post(self._session, request.url, now, headers=request.headers, form=request.form))

    async def close(self) -> None:
        """Do nothing: the session is its maker's."""
