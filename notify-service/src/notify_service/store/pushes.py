"""SQL of a push message's way to the devices of its user, with their tokens. Called by `push` alone."""

from datetime import datetime
from uuid import UUID

from notify_service.model import PushOutcome, Target
from runtime.postgres import Connection


async def outstanding(connection: Connection, message_id: UUID, user_id: UUID) -> list[Target]:
    """Read the user's devices that are not done with the message, latest first."""
    rows = await connection.fetch(
        """SELECT d.id, d.registered_at, d.token FROM devices d
           WHERE d.user_id = $2
               AND NOT EXISTS (SELECT 1 FROM push_outcomes o WHERE o.message_id = $1 AND o.device_id = d.id)
           ORDER BY d.registered_at DESC, d.id DESC""",
        message_id,
        user_id,
    )
    return [Target(row["id"], row["registered_at"], row["token"]) for row in rows]


async def record(
    connection: Connection, message_id: UUID, device_id: UUID, outcome: PushOutcome, now: datetime
) -> None:
    """Record that a device is done with the message; what was recorded first stays."""
    await connection.execute(
        """INSERT INTO push_outcomes (message_id, device_id, outcome, recorded_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING""",
        message_id,
        device_id,
        outcome,
        now,
    )


async def forget_device(connection: Connection, gone: Target) -> None:
    """Forget a device that the push service no longer knows, unless it was registered again meanwhile."""
    await connection.execute(
        "DELETE FROM devices WHERE id = $1 AND registered_at = $2", gone.device_id, gone.registered_at
    )


async def reached(connection: Connection, message_id: UUID) -> bool:
    """Say whether any device got the message."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM push_outcomes WHERE message_id = $1 AND outcome = 'sent')", message_id
    )
    return found
