"""The audit trail in PostgreSQL: append-only by trigger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth_service.model import AppUsage
from auth_service.store.arrays import items
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

    def values(self) -> tuple[object, ...]:
        """Return what is stored, in the order of COLUMNS."""
        return (
            self.at,
            self.action,
            self.outcome,
            self.actor,
            self.account_id,
            self.project,
            self.client_id,
            self.address,
            self.request_id,
        )


TYPES = {
    "at": "timestamptz",
    "action": "text",
    "outcome": "text",
    "actor": "text",
    "account_id": "uuid",
    "project": "text",
    "client_id": "text",
    "address": "text",
    "request_id": "text",
}
COLUMNS = ", ".join(TYPES)
_RANGE_SECONDS = 60.0
_INSERT_MANY = f"INSERT INTO audit_events ({COLUMNS}) SELECT {COLUMNS} FROM {items(**TYPES)} ORDER BY n"  # noqa: S608 constants


async def insert(connection: Connection, event: Event) -> None:
    """Append an event; its id is given by the database."""
    await connection.execute(
        f"INSERT INTO audit_events ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",  # noqa: S608 constants
        *event.values(),
    )


def appended(first: int, source: str) -> str:
    """Return SQL that appends an event for each row of a source, which may know the account if the event does not.

    Args:
        first: Number of the argument that `Event.values` begin with.
        source: Name of what was done in the same statement, with a column `account_id`.
    """
    at, action, outcome, actor, account, *rest = (f"${number}" for number in range(first, first + len(TYPES)))
    values = ", ".join((at, action, outcome, actor, f"coalesce({account}, {source}.account_id)", *rest))
    return f"INSERT INTO audit_events ({COLUMNS}) SELECT {values} FROM {source}"  # noqa: S608 names and numbers


async def insert_many(connection: Connection, events: Sequence[Event]) -> None:
    """Append events in one statement and commit."""
    await connection.execute(_INSERT_MANY, *map(list, zip(*(event.values() for event in events), strict=True)))


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


async def fetch_range(
    connection: Connection,
    after_id: int,
    since: datetime,
    until: datetime,
    action: str,
    project: str,
    limit: int,
) -> list[Event]:
    """Return events, oldest first, after an id, from one time on and before another; of an action or project if named.

    They are looked for from the id on, so where few are wanted of very many it takes long.
    """
    rows = await connection.fetch(
        f"SELECT id, {COLUMNS} FROM audit_events WHERE id > $1 AND at >= $2 AND at < $3 "  # noqa: S608 constants
        "AND ($4 = '' OR action = $4) AND ($5 = '' OR project = $5) ORDER BY id LIMIT $6",
        after_id,
        since,
        until,
        action,
        project,
        limit,
        timeout=_RANGE_SECONDS,
    )
    return [Event(*row) for row in rows]


async def fetch_usage(connection: Connection, client_id: str, since: datetime) -> list[AppUsage]:
    """Return what an app did since a time, by UTC day, oldest first; days without use are left out."""
    rows = await connection.fetch(
        "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, "
        "count(*) FILTER (WHERE action = 'session.create' AND outcome = 'success'), "
        "count(DISTINCT account_id) FILTER (WHERE action = 'session.create' AND outcome = 'success'), "
        "count(*) FILTER (WHERE outcome IN "
        "('code_invalid', 'token_invalid', 'token_expired', 'code_reuse', 'refresh_reuse')) "
        "FROM audit_events WHERE client_id = $1 AND client_id <> '' AND at >= $2 "
        "AND action IN ('session.create', 'session.refresh') GROUP BY day ORDER BY day",
        client_id,
        since,
    )
    return [AppUsage(*row.values()) for row in rows]
