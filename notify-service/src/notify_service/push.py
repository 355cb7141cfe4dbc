"""Push: one message to every device of its user, each device once. The transport of channel `push`.

What became of a device is recorded before the next one's turn. After a crash a message goes on where it was; only the
device whose answer was not recorded yet may get it again, with the same collapse id, which replaces the first.
"""

from uuid import UUID

from notify_service.model import Message, PushOutcome, Target
from notify_service.recording import recorded
from notify_service.store import pushes
from notify_service.transports import DeferredError, GoneError, NobodyError, PushService
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.postgres import Connection, Database


class PushTransport:
    """Delivers to all devices of a user.

    Args:
        database: Where devices are kept, and what they got.
        service: The way to one device.
        clock: The time.
    """

    def __init__(self, database: Database, service: PushService, clock: Clock) -> None:
        self._database = database
        self._service = service
        self._clock = clock
        self.keeps_content = service.keeps_content
        self.concurrency = service.concurrency

    async def deliver(self, message: Message) -> None:
        """Hand a message to each device that does not have it; those gone for good are forgotten.

        Raises:
            DeferredError: Some devices still wait for it, and trying again may help.
            RefusedError: The message was refused for good.
            NobodyError: The user has no device that takes it.
        """
        async with self._database.acquire() as connection:
            targets = await pushes.outstanding(connection, message.id, UUID(message.to))
        failure: DeferredError | None = None
        for target in targets:
            try:
                await self._hand_over(message, target)
            except DeferredError as exc:
                failure = exc
                if not exc.one_device:
                    break  # nor would the service take it for the others
        if failure is not None:
            raise failure
        async with self._database.acquire() as connection:
            if not await pushes.reached(connection, message.id):
                raise NobodyError

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    async def _hand_over(self, message: Message, target: Target) -> None:
        try:
            await self._service.push(target.token, message)
        except GoneError as exc:
            get_logger().info("device forgotten", device=str(target.device_id), error=str(exc))
            outcome = PushOutcome.GONE
        else:
            outcome = PushOutcome.SENT

        async def write(connection: Connection) -> None:
            await pushes.record(connection, message.id, target.device_id, outcome, self._clock.now())
            if outcome is PushOutcome.GONE:
                await pushes.forget_device(connection, target)

        await recorded(self._database, self._clock, write)
