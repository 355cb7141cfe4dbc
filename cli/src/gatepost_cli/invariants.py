"""What holds of the three databases together whatever happened, and what violates it.

`restore` looks before it puts a copy in place, `gatepost doctor` in a running installation, tests everywhere. Within
one database constraints see to most; here is what spans two, and what no constraint says.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from gatepost_cli.backup.tables import Connection

Violation = dict[str, Any]
EXAMPLES = 5
_PAGE = 10_000
_ACCOUNTS = """
SELECT id, project_id, 'account' FROM accounts
UNION ALL SELECT account_id, NULL, 'note' FROM profile_removals ORDER BY 1, 3"""
_PROFILES = "SELECT user_id, project_id, 'profile' FROM profiles ORDER BY 1"
_WITHIN: Mapping[str, Mapping[str, str]] = {
    "auth": {
        "a session has no account": """
            SELECT s.id::text FROM sessions s WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = s.account_id)""",
        "an account has no identifier": """
            SELECT a.id::text FROM accounts a WHERE NOT EXISTS (SELECT FROM identifiers i WHERE i.account_id = a.id)""",
        "two accounts of a project go by one identifier": """
            SELECT min(account_id::text) FROM identifiers GROUP BY project_id, kind, normalized HAVING count(*) > 1""",
        "an identifier is of another project than its account": """
            SELECT i.account_id::text FROM identifiers i JOIN accounts a ON a.id = i.account_id
            WHERE a.project_id <> i.project_id""",
    },
    "users": {
        "a profile points to a picture that is not there": """
            SELECT f.user_id::text FROM profiles f CROSS JOIN LATERAL (VALUES (f.picture), (f.cover)) AS shown (id)
            WHERE shown.id <> ''
            AND NOT EXISTS (SELECT FROM pictures p WHERE p.id = shown.id AND p.state = 'used' AND p.user_id = f.user_id)
            """,
        "two profiles of a project have one number": """
            SELECT min(user_id::text) FROM profiles GROUP BY project_id, number HAVING count(*) > 1""",
        "a number is above the last that was given": """
            SELECT f.user_id::text FROM profiles f LEFT JOIN project_numbers n USING (project_id)
            WHERE n.last_number IS NULL OR f.number > n.last_number""",
    },
    "notify": {
        "two messages have one Message-ID": """
            SELECT min(id::text) FROM messages GROUP BY message_id HAVING count(*) > 1""",
    },
}


async def violations(connections: Mapping[str, Connection]) -> list[Violation]:
    """Return what is violated, how often, and some of those concerned. On connections that see one moment."""
    found = [
        violation
        for name, statements in _WITHIN.items()
        for what, statement in statements.items()
        if (violation := await _within(connections[name], what, statement)) is not None
    ]
    return found + await _between(connections["auth"], connections["users"])


async def _within(connection: Connection, what: str, statement: str) -> Violation | None:
    rows = await connection.fetch(
        f"SELECT count(*) OVER () AS count, at FROM ({statement}) AS found (at) LIMIT {EXAMPLES}"  # noqa: S608 constants
    )
    return _told(what, rows[0]["count"], [row["at"] for row in rows]) if rows else None


async def _between(auth: Connection, users: Connection) -> list[Violation]:
    """Go through accounts, notes and profiles in one order, a page of each at a time."""
    alone: dict[str, list[UUID]] = {
        "an account has no profile": [],
        "a profile has neither account nor note": [],
        "a profile is of another project than its account": [],
    }
    lonely, orphaned, elsewhere = alone.values()
    profiles = _rows(users, _PROFILES)
    profile = await anext(profiles, None)
    known: tuple[UUID, UUID | None] | None = None
    async for user_id, project_id, kind in _rows(auth, _ACCOUNTS):
        while profile is not None and profile[0] < user_id:
            if known is None or profile[0] != known[0]:
                orphaned.append(profile[0])
            profile = await anext(profiles, None)
        if kind == "account":
            if profile is None or profile[0] != user_id:
                lonely.append(user_id)
            elif profile[1] != project_id:
                elsewhere.append(user_id)
        known = user_id, project_id
    while profile is not None:
        if known is None or profile[0] != known[0]:
            orphaned.append(profile[0])
        profile = await anext(profiles, None)
    return [_told(what, len(ids), [str(each) for each in ids[:EXAMPLES]]) for what, ids in alone.items() if ids]


async def _rows(connection: Connection, statement: str) -> AsyncIterator[tuple[UUID, UUID, str]]:
    if connection.is_in_transaction():
        async for row in connection.cursor(statement, prefetch=_PAGE):
            yield tuple(row)
    else:
        async with connection.transaction():
            async for row in connection.cursor(statement, prefetch=_PAGE):
                yield tuple(row)


def _told(what: str, count: int, examples: list[str]) -> Violation:
    return {"what": what, "count": count, "examples": examples}
