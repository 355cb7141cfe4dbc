"""How sessions are opened and go on, in PostgreSQL: many in one statement, which is one commit for all of them.

Each item succeeds or fails by itself. With wait=False no statement waits for a row that somebody else is changing: such
items stay undone, neighbours are not held up, and two batches cannot lock each other out. Whoever needs his item done
asks again for it alone, with wait=True.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from auth_service.model import Account, Session
from auth_service.store import accounts, audit
from auth_service.store.arrays import items
from auth_service.store.audit import Event
from auth_service.store.keys import OLDEST_GOOD
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Opening:
    """A session to open.

    Args:
        session: As it will be.
        event: What is to be said of it.
        code_hash: Of the code that it is opened with; none if it is opened without an app.
        key_hash: Of its one token; none if its tokens are computed.
        grant_id: Of the grant that must be there still; none if it takes none.
    """

    session: Session
    event: Event
    code_hash: bytes | None = None
    key_hash: bytes | None = None
    grant_id: UUID | None = None


class Rotation(NamedTuple):
    """A session to move on from a generation to one that is made with a key."""

    session_id: UUID
    generation: int
    now: datetime
    expires_at: datetime
    key_id: int


class Touch(NamedTuple):
    """A session that is used and lives on, unless that was noted after `before`."""

    session_id: UUID
    now: datetime
    expires_at: datetime
    before: datetime


class Visit(NamedTuple):
    """A client of an account's, and since when to look for it, and for others of late."""

    account_id: UUID
    user_agent: str
    client_address: str
    since: datetime
    lately: datetime


class Ending(NamedTuple):
    """A session to end, for a reason."""

    session_id: UUID
    reason: str
    event: Event


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What an account's sessions say of a client.

    Args:
        any: Whether there were any from a known client.
        this: Whether there were any from this one.
        lately: How many clients there were of late.
    """

    any: bool
    this: bool
    lately: int


_OPENED = items(
    id="uuid",
    account_id="uuid",
    app_id="uuid",
    scopes="text",
    salt="bytea",
    security_version="int",
    code_hash="bytea",
    authenticated_at="timestamptz",
    created_at="timestamptz",
    expires_at="timestamptz",
    ends_at="timestamptz",
    form="text",
    key_hash="bytea",
    user_agent="text",
    client_address="text",
    grant_id="uuid",
    action="text",
    outcome="text",
    actor="text",
    project="text",
    client_id="text",
    request_id="text",
    key_id="int",
)
_OPEN = f"""WITH w AS MATERIALIZED (SELECT * FROM {_OPENED}),
live AS (
    SELECT w.id AS opening_id, {accounts.COLUMNS} FROM w JOIN accounts a ON a.id = w.account_id {accounts.JOINS}
    WHERE a.state = 'active' AND a.security_version = w.security_version AND w.key_id >= {OLDEST_GOOD}
    AND (w.grant_id IS NULL OR (SELECT true FROM grants g WHERE g.id = w.grant_id FOR SHARE %(waiting)s))
    FOR SHARE OF a %(waiting)s
), opened AS (
    INSERT INTO sessions (id, account_id, app_id, scopes, salt, generation, security_version, code_hash,
        authenticated_at, created_at, rotated_at, expires_at, ends_at, form, key_hash, last_used_at, user_agent,
        client_address, key_id)
    SELECT w.id, w.account_id, w.app_id, string_to_array(w.scopes, ' '), w.salt, 1, w.security_version, w.code_hash,
        w.authenticated_at, w.created_at, w.created_at, w.expires_at, w.ends_at, w.form, w.key_hash, w.created_at,
        w.user_agent, w.client_address, w.key_id
    FROM w JOIN live ON live.opening_id = w.id ON CONFLICT DO NOTHING RETURNING id
), appended AS (
    INSERT INTO audit_events ({audit.COLUMNS})
    SELECT w.created_at, w.action, w.outcome, w.actor, w.account_id, w.project, w.client_id, w.client_address,
        w.request_id
    FROM w JOIN opened ON opened.id = w.id
)
SELECT live.* FROM live JOIN opened ON opened.id = live.opening_id"""  # noqa: S608 constants
_ROTATE = f"""WITH live AS (
    SELECT s.id, w.rotated_at, w.expires_at, w.key_id
    FROM {items(id="uuid", generation="int", rotated_at="timestamptz", expires_at="timestamptz", key_id="int")}
    JOIN sessions s ON s.id = w.id AND s.generation = w.generation JOIN accounts a ON a.id = s.account_id
    WHERE s.revoked_at IS NULL AND a.state = 'active' AND a.security_version = s.security_version
    AND least(s.key_id, w.key_id) >= {OLDEST_GOOD}
    FOR NO KEY UPDATE OF s %(waiting)s
)
UPDATE sessions s
SET generation = s.generation + 1, rotated_at = live.rotated_at, expires_at = live.expires_at,
    last_used_at = live.rotated_at, key_id = live.key_id
FROM live WHERE s.id = live.id RETURNING s.id, s.generation - 1"""  # noqa: S608 constants
_TOUCH = f"""WITH live AS (
    SELECT s.id, w.used_at, w.expires_at
    FROM {items(id="uuid", used_at="timestamptz", expires_at="timestamptz", before="timestamptz")}
    JOIN sessions s ON s.id = w.id WHERE s.revoked_at IS NULL AND coalesce(s.last_used_at, s.rotated_at) <= w.before
    FOR NO KEY UPDATE OF s SKIP LOCKED
)
UPDATE sessions s SET last_used_at = live.used_at, expires_at = greatest(s.expires_at, live.expires_at)
FROM live WHERE s.id = live.id"""  # noqa: S608 constants
_END = f"""WITH w AS MATERIALIZED (SELECT * FROM {items(id="uuid", reason="text", **audit.TYPES)}),
live AS (
    SELECT s.id FROM w JOIN sessions s ON s.id = w.id WHERE s.revoked_at IS NULL FOR NO KEY UPDATE OF s %(waiting)s
), ended AS (
    UPDATE sessions s SET revoked_at = w.at, revoke_reason = w.reason
    FROM w JOIN live ON live.id = w.id WHERE s.id = w.id RETURNING s.id
), appended AS (
    INSERT INTO audit_events ({audit.COLUMNS}) SELECT {audit.COLUMNS} FROM w JOIN ended USING (id)
)
SELECT id FROM ended"""  # noqa: S608 constants
_VISITS = items(account_id="uuid", user_agent="text", client_address="text", since="timestamptz", lately="timestamptz")
_ACQUAINTANCE = f"""SELECT seen.* FROM {_VISITS} CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS any_known,
        coalesce(bool_or(s.user_agent = w.user_agent AND s.client_address = w.client_address), false) AS this,
        count(DISTINCT (s.user_agent, s.client_address)) FILTER (WHERE s.created_at > w.lately) AS lately
    FROM sessions s WHERE s.account_id = w.account_id AND s.created_at > w.since
    AND (s.user_agent <> '' OR s.client_address <> '')
) seen ORDER BY w.n"""  # noqa: S608 constants


def _waiting(statement: str, *, wait: bool) -> str:
    return statement % {"waiting": "" if wait else "SKIP LOCKED"}


_OPENING = {wait: _waiting(_OPEN, wait=wait) for wait in (True, False)}
_ROTATION = {wait: _waiting(_ROTATE, wait=wait) for wait in (True, False)}
_ENDING = {wait: _waiting(_END, wait=wait) for wait in (True, False)}


async def open_many(connection: Connection, openings: Sequence[Opening], *, wait: bool) -> dict[UUID, Account]:
    """Add sessions with their events; return their accounts, by the session's id, of those that were added.

    One is not if its account is not active at its security version, its grant is gone, its code is spent, or the key it
    is made with revoked.
    """
    rows = await connection.fetch(_OPENING[wait], *zip(*map(_values, openings), strict=True))
    return {row["opening_id"]: accounts.from_record(row) for row in rows}


def _values(opening: Opening) -> tuple[object, ...]:
    session, event = opening.session, opening.event
    return (
        session.id,
        session.account_id,
        session.app_id,
        " ".join(session.scopes),  # no scope has a blank, see `app_rules`
        session.salt,
        session.security_version,
        opening.code_hash,
        session.authenticated_at,
        session.created_at,
        session.expires_at,
        session.ends_at,
        session.form,
        opening.key_hash,
        session.user_agent,
        session.client_address,
        opening.grant_id,
        event.action,
        event.outcome,
        event.actor,
        event.project,
        event.client_id,
        event.request_id,
        session.key_id,
    )


async def rotate_many(connection: Connection, rotations: Sequence[Rotation], *, wait: bool) -> set[tuple[UUID, int]]:
    """Move sessions to their next generations; return id and former generation of those that were live there.

    Args:
        connection: Any.
        rotations: No two of the same session and generation.
        wait: For rows that are being changed.
    """
    rows = await connection.fetch(_ROTATION[wait], *zip(*rotations, strict=True))
    return {(row[0], row[1]) for row in rows}


async def end_many(connection: Connection, endings: Sequence[Ending], *, wait: bool) -> set[UUID]:
    """End sessions and append what is to be said of that; return the ids of those that had not ended. No two of one."""
    values = [(ending.session_id, ending.reason, *ending.event.values()) for ending in endings]
    rows = await connection.fetch(_ENDING[wait], *zip(*values, strict=True))
    return {row[0] for row in rows}


async def touch_many(connection: Connection, touches: Sequence[Touch]) -> None:
    """Note that sessions are used and let them live on; one that is being changed just now is left for its next use."""
    await connection.execute(_TOUCH, *zip(*touches, strict=True))


async def acquaint_many(connection: Connection, visits: Sequence[Visit]) -> list[Acquaintance]:
    """Say what accounts' sessions know of clients, for each visit in order."""
    rows = await connection.fetch(_ACQUAINTANCE, *zip(*visits, strict=True))
    return [Acquaintance(*row) for row in rows]
