"""The audit trail in PostgreSQL: append-only by trigger."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth_service.model import AppUsage
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


async def fetch_usage(connection: Connection, client_id: str, since: datetime) -> list[AppUsage]:
    """Return what an app did since a time, by UTC day, oldest first; days without use are left out."""
    rows = await connection.fetch(
        "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, "
        "count(*) FILTER (WHERE action = 'session.create' AND outcome = 'success'), "
        "count(DISTINCT account_id) FILTER (WHERE action = 'session.create' AND outcome = 'success'), "
        "count(*) FILTER (WHERE outcome IN ('code_invalid', 'token_invalid', 'token_expired')) "
        "FROM audit_events WHERE client_id = $1 AND client_id <> '' AND at >= $2 "
        "AND action IN ('session.create', 'session.refresh') GROUP BY day ORDER BY day",
        client_id,
        since,
    )
    return [AppUsage(*row.values()) for row in rows]
