"""The audit trail in PostgreSQL: append-only by trigger."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Event:
    """A security-relevant act. See gatepost.auth.v1.AuditEvent."""

    id: int
    at: datetime
    action: str
    outcome: str
    actor: str
    account_id: UUID | None
    project: str
    client_id: str
    address: str
    request_id: str


async def insert(connection: Connection, event: Event) -> None:
    """Append an event; its id is given by the database."""
    await connection.execute(
        "INSERT INTO audit_events (at, action, outcome, actor, account_id, project, client_id, address, request_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        event.at,
        event.action,
        event.outcome,
        event.actor,
        event.account_id,
        event.project,
        event.client_id,
        event.address,
        event.request_id,
    )


async def fetch_page(connection: Connection, account_id: UUID | None, before_id: int, limit: int) -> list[Event]:
    """Return events, newest first, before an id; of one account if given."""
    rows = await connection.fetch(
        "SELECT id, at, action, outcome, actor, account_id, project, client_id, address, request_id FROM audit_events "
        "WHERE ($1::uuid IS NULL OR account_id = $1) AND id < $2 ORDER BY id DESC LIMIT $3",
        account_id,
        before_id,
        limit,
    )
    return [Event(*row.values()) for row in rows]
