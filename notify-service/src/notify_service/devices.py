"""Use cases of devices: register, list, unregister. Called by `rpc.devices`. Tokens go in here and never out."""

from uuid import UUID, uuid4

from notify_service.model import Device, DeviceKind
from notify_service.store import devices
from runtime.clock import Clock
from runtime.errors import invalid
from runtime.postgres import Database

MOST_PER_USER = 100
_LONGEST_TOKEN = 4096


class Devices:
    """Where push messages for users can be sent.

    Args:
        database: Where they are kept.
        clock: The time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def register(self, *, user_id: UUID, project_id: UUID, kind: DeviceKind, token: str) -> Device:
        """Register a device; a token known in the project moves to this user. A user's oldest beyond 100 are forgotten.

        Raises:
            GatepostError: INVALID_PARAMETER (token), UNAVAILABLE.
        """
        if not 1 <= len(token) <= _LONGEST_TOKEN or not token.isprintable():
            raise invalid("token", f"The token must be 1 to {_LONGEST_TOKEN} printable characters.")
        async with self._database.transaction() as connection:
            device = await devices.register(
                connection,
                device_id=uuid4(),
                project_id=project_id,
                user_id=user_id,
                kind=kind,
                token=token,
                now=self._clock.now(),
            )
            await devices.keep_latest(connection, user_id, MOST_PER_USER)
        return device

    async def list(self, user_id: UUID) -> list[Device]:
        """Read a user's devices, latest first, at most 100.

        Raises:
            GatepostError: UNAVAILABLE.
        """
        async with self._database.acquire() as connection:
            return await devices.latest(connection, user_id, MOST_PER_USER)

    async def unregister(self, *, user_id: UUID, device_id: UUID) -> None:
        """Forget a device of this user; no error if there is none.

        Raises:
            GatepostError: UNAVAILABLE.
        """
        async with self._database.acquire() as connection:
            await devices.delete(connection, user_id=user_id, device_id=device_id)
