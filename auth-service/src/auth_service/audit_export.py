"""The audit trail as a file that others can check: JSON Lines, oldest first, the last of them a signature.

    {"id": 1, "time": "…", "action": "…", …}       an event
    {"export": {"events": 1, "since": null, …}}    what was asked for, and how many events there are
    {"jws": "header..signature"}                   over the SHA-256 of all bytes above (RFC 7515, appendix F)

`rpc` streams it; whoever reads it checks it against the published keys (`gatepost audit verify`). One page of events is
in memory at a time.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from auth_service.audit import Audit, describe, utc
from auth_service.signing import SigningKeys
from auth_service.store import audit as store
from runtime.clock import Clock
from runtime.postgres import Database

KIND = "gatepost-audit+jws"
_PAGE = 500
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: from `since` on and before `until`, of an action and a project; all, where nothing is said."""

    since: datetime | None = None
    until: datetime | None = None
    action: str = ""
    project: str = ""


class AuditExport:
    """The use case. Dependencies as named; see main.py."""

    def __init__(self, *, database: Database, signing: SigningKeys, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._signing = signing
        self._audit = audit
        self._clock = clock

    async def __call__(self, selection: Selection) -> AsyncIterator[bytes]:
        """Yield the file, whole lines at a time.

        Raises:
            GatepostError: UNAVAILABLE.
        """
        now = self._clock.now()
        until = selection.until or now
        async with self._database.acquire() as connection:
            await self._audit.record(connection, "audit.export", project=selection.project, by_user=False)
        hashed, count, last_id = sha256(), 0, 0
        while True:
            async with self._database.acquire() as connection:
                events = await store.fetch_range(
                    connection,
                    last_id,
                    selection.since or _BEGINNING,
                    until,
                    selection.action,
                    selection.project,
                    _PAGE,
                )
            lines = b"".join(_line(describe(event)) for event in events)
            hashed.update(lines)
            count += len(events)
            if len(events) < _PAGE:
                break
            last_id = events[-1].id
            yield lines
        summary = _line({"export": _summary(selection, until, now, count)})
        hashed.update(summary)
        yield lines + summary + _line({"jws": await self._signing.sign(hashed.digest(), KIND)})


def _summary(selection: Selection, until: datetime, now: datetime, count: int) -> dict[str, Any]:
    return {
        "events": count,
        "since": utc(selection.since) if selection.since else None,
        "until": utc(until),
        "action": selection.action or None,
        "project": selection.project or None,
        "exported_at": utc(now),
    }


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
