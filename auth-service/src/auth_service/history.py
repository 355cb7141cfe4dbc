"""The lines that say what an installation did since a backup: written and read by `restoration`, which see. Pure.

A line is a JSON object: an event as `gatepost audit` shows it, or, where it says `kept`, what became of an account, an
app, the API keys or projects. Whoever has lost the installation may have a file of events alone.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auth_service.store.audit import Event
from auth_service.store.kept import KeptAccount, KeptApp, KeptLink

Document = dict[str, Any]
_HIGHEST_ID = 2**63 - 1
_OF_AN_EXPORT = {"export", "jws"}  # the last two lines of `gatepost audit export`


def documents(lines: Iterable[str]) -> Iterator[Document]:
    """Yield what the lines say, without the end of an exported trail.

    Raises:
        ValueError: One is no JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ValueError(f"line {number} of the history is no JSON object")  # noqa: TRY004 it is the value
        if document.keys().isdisjoint(_OF_AN_EXPORT):
            yield document


def event(document: Document) -> Event:
    """Return the event that a line tells.

    Raises:
        ValueError: It tells none.
    """
    with _read("no event: id, time, action, outcome and user_id are needed"):
        ident = int(document["id"])
        if not 0 < ident <= _HIGHEST_ID:
            raise ValueError
        return Event(
            id=ident,
            at=_time(document["time"]),
            action=_text(document["action"]),
            outcome=_text(document["outcome"]),
            actor=_text(document.get("actor", "")),
            account_id=UUID(document["user_id"]) if document.get("user_id") else None,
            project=_text(document.get("project", "")),
            client_id=_text(document.get("client_id", "")),
            address=_text(document.get("address", "")),
            request_id=_text(document.get("request_id", "")),
        )


def of_account(kept: KeptAccount) -> Document:
    """Return the line that says what an account is."""
    return {
        "kept": "account",
        "user_id": str(kept.id),
        "role": kept.role,
        "state": kept.state,
        "closing_at": _told(kept.closing_at),
        "password_hash": kept.password_hash,
        "identifiers": [[*name, _told(at)] for *name, at in kept.identifiers],
        "links": [
            [each.hash.hex(), each.purpose, dict(each.data), each.created_at.isoformat(), each.expires_at.isoformat()]
            for each in kept.links
        ],
    }


def account(document: Document) -> KeptAccount:
    """Return what a line says of an account.

    Raises:
        ValueError: It says nothing of one.
    """
    with _read("none of an account"):
        return KeptAccount(
            id=UUID(document["user_id"]),
            role=_text(document["role"]),
            state=_text(document["state"]),
            closing_at=_optional(document["closing_at"]),
            password_hash=None if document["password_hash"] is None else _text(document["password_hash"]),
            identifiers=tuple(
                (_text(kind), _text(normalized), _text(value), _optional(at))
                for kind, normalized, value, at in document["identifiers"]
            ),
            links=tuple(
                KeptLink(bytes.fromhex(hashed), _text(purpose), _texts(data), _time(created), _time(expires))
                for hashed, purpose, data, created, expires in document["links"]
            ),
        )


def of_app(kept: KeptApp) -> Document:
    """Return the line that says what an app is."""
    return {
        "kept": "app",
        "client_id": kept.client_id,
        "disabled": kept.disabled,
        "secrets": [str(each) for each in kept.secrets],
    }


def app(document: Document) -> KeptApp:
    """Return what a line says of an app.

    Raises:
        ValueError: It says nothing of one.
    """
    with _read("none of an app"):
        return KeptApp(_text(document["client_id"]), bool(document["disabled"]), tuple(map(UUID, document["secrets"])))


def of_keys(ids: Sequence[UUID]) -> Document:
    """Return the line that says which API keys there are."""
    return {"kept": "api_keys", "ids": [str(each) for each in ids]}


def keys(document: Document) -> list[UUID]:
    """Return the ids of the API keys that a line says there are.

    Raises:
        ValueError: It says nothing of them.
    """
    with _read("none of the API keys"):
        return list(map(UUID, document["ids"]))


def of_projects(disabled: Sequence[str]) -> Document:
    """Return the line that says which projects are disabled, of those that were changed."""
    return {"kept": "projects", "disabled": list(disabled)}


def projects(document: Document) -> list[str]:
    """Return the names of the projects that a line says are disabled.

    Raises:
        ValueError: It says nothing of them.
    """
    with _read("none of the projects"):
        return list(map(_text, document["disabled"]))


@contextmanager
def _read(what: str) -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise ValueError(f"a line of the history is {what}") from None


def _text(value: Any) -> str:
    """Return a text that PostgreSQL takes."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode()  # refuses half of a surrogate pair
    return value


def _texts(document: Document) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in document.items()}


def _time(text: str) -> datetime:
    """Return a time; it is UTC where it does not say what it is."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def _optional(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _told(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
