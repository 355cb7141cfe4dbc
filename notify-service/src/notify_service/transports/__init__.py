"""Ways out. A transport hands one message over, or says why not and whether trying again can help."""

from datetime import timedelta
from typing import Protocol

from notify_service.model import Message


class Transport(Protocol):
    """Something that hands messages over."""

    keeps_content: bool
    """Whether a delivered message stays readable here (nobody else has it) or is forgotten (a mailbox has it)."""
    concurrency: int
    """Messages it can hand over at once."""

    async def deliver(self, message: Message) -> None:
        """Hand one message over; may be cancelled anywhere.

        Raises:
            DeferredError: It failed, and trying again may help.
            RefusedError: It was refused for good.
            NobodyError: There is nobody to hand it to.
        """

    async def close(self) -> None:
        """Let go of what it holds open."""


class PushService(Protocol):
    """Something that hands a push message to one device."""

    keeps_content: bool
    """As of a transport."""
    concurrency: int
    """As of a transport."""

    async def push(self, token: str, message: Message) -> None:
        """Hand a message to one device; may be cancelled anywhere.

        Args:
            token: Of the device.
            message: What to hand over.

        Raises:
            DeferredError: It failed, and trying again may help.
            RefusedError: The message was refused for good, whatever the device.
            GoneError: The service does not know the device, and never will again.
        """


class DeferredError(Exception):
    """A message was not handed over this time. The text is shown to people: no content, no credentials.

    Args:
        text: Why.
        retry_after: How long the other side asks us to wait; None if it does not say.
        one_device: The failure is of one device of a user and does not concern the others.
    """

    def __init__(self, text: str, *, retry_after: timedelta | None = None, one_device: bool = False) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.one_device = one_device


class RefusedError(Exception):
    """A message will never be handed over. The text is shown to people: no content, no credentials."""


class NobodyError(Exception):
    """There is nobody to hand the message to."""


class GoneError(Exception):
    """A device is gone. The text is shown to people: no content, no credentials."""
