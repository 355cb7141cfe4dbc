"""What an installation that is replaced by a copy knows: read by `restoration`, which puts it into the copy."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth_service.store import audit
from auth_service.store.audit import Event
from runtime.postgres import Connection

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class KeptLink:
    """A mailed link that can be used now."""

    hash: bytes
    purpose: str
    data: Mapping[str, str]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """What an account is now. `identifiers` are kind, normalized, value and when proven."""

    id: UUID
    role: str
    state: str
    closing_at: datetime | None
    password_hash: str | None
    identifiers: tuple[tuple[str, str, str, datetime | None], ...]
    links: tuple[KeptLink, ...]


@dataclass(frozen=True, slots=True)
class KeptApp:
    """What an app is now."""

    client_id: str
    disabled: bool
    secrets: tuple[UUID, ...]


async def events(connection: Connection, since: int) -> AsyncIterator[Sequence[Event]]:
    """Yield the events with an id above `since`, oldest first, some at a time. In a transaction, so that it is one."""
    while True:
        rows = await connection.fetch(
            f"SELECT id, {audit.COLUMNS} FROM audit_events WHERE id > $1 ORDER BY id LIMIT $2",  # noqa: S608 constants
            since,
            _PAGE,
        )
        if not rows:
            return
        yield [Event(*row.values()) for row in rows]
        since = rows[-1]["id"]


async def accounts(connection: Connection, ids: Sequence[UUID]) -> list[KeptAccount]:
    """Return those of the accounts that there are."""
    rows = await connection.fetch(
        "SELECT a.id, a.role, a.state, a.closing_at, c.hash FROM accounts a "
        "LEFT JOIN credentials c ON c.account_id = a.id AND c.kind = 'password' WHERE a.id = ANY($1)",
        ids,
    )
    names = await connection.fetch(
        "SELECT account_id, kind, normalized, value, verified_at FROM identifiers WHERE account_id = ANY($1)", ids
    )
    of: dict[UUID, list[tuple[str, str, str, datetime | None]]] = {}
    for name in names:
        of.setdefault(name["account_id"], []).append(tuple(name)[1:])
    links: dict[UUID, list[KeptLink]] = {}
    for link in await connection.fetch(
        "SELECT account_id, hash, purpose, data, created_at, expires_at FROM links "
        "WHERE account_id = ANY($1) AND used_at IS NULL",
        ids,
    ):
        kept = KeptLink(link["hash"], link["purpose"], json.loads(link["data"]), link["created_at"], link["expires_at"])
        links.setdefault(link["account_id"], []).append(kept)
    return [
        KeptAccount(
            id=row["id"],
            role=row["role"],
            state=row["state"],
            closing_at=row["closing_at"],
            password_hash=row["hash"],
            identifiers=tuple(of.get(row["id"], ())),
            links=tuple(links.get(row["id"], ())),
        )
        for row in rows
    ]


async def apps(connection: Connection, client_ids: Sequence[str]) -> list[KeptApp]:
    """Return those of the apps that there are."""
    rows = await connection.fetch(
        "SELECT client_id, disabled, ARRAY(SELECT s.id FROM app_secrets s WHERE s.app_id = a.id) FROM apps a "
        "WHERE client_id = ANY($1)",
        client_ids,
    )
    return [KeptApp(row[0], row[1], tuple(row[2])) for row in rows]


async def api_keys(connection: Connection) -> list[UUID]:
    """Return the ids of all API keys."""
    return [row["id"] for row in await connection.fetch("SELECT id FROM api_keys")]


async def disabled_projects(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return those of the projects that are disabled."""
    rows = await connection.fetch("SELECT name FROM projects WHERE disabled AND name = ANY($1)", names)
    return [row["name"] for row in rows]
