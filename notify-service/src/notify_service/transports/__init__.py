"""Ways out. A transport hands one message over, or says why not and whether trying again can help."""

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
        """

    async def close(self) -> None:
        """Let go of what it holds open."""


class DeferredError(Exception):
    """A message was not handed over this time. The text is shown to people: no content, no credentials."""


class RefusedError(Exception):
    """A message will never be handed over. The text is shown to people: no content, no credentials."""
