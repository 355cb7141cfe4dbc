"""The transport of an installation that sends nothing: a message counts as delivered and stays readable here."""

from notify_service.model import Message


class OutboxTransport:
    """Delivers by leaving the message where it is."""

    keeps_content = True
    concurrency = 8

    async def deliver(self, message: Message) -> None:
        """Do nothing: being listed is being delivered."""

    async def push(self, token: str, message: Message) -> None:
        """Do nothing, for every device."""

    async def close(self) -> None:
        """Do nothing: nothing is open."""
