"""All that is kept here about a user, for him to download: no hash, no secret, nothing of anybody else."""

from datetime import datetime
from typing import Any

from auth_service.audit import Audit
from auth_service.model import Account, App, Grant, Link, Session, TokenForm
from auth_service.sessions import Sessions
from auth_service.store import accounts, apps, grants, links
from auth_service.store import audit as audit_store
from auth_service.store import sessions as session_store
from runtime.clock import Clock
from runtime.postgres import Database

_MOST_EVENTS = 1000
_LAST_EVENT = 2**63 - 1
Document = dict[str, Any]


class Export:
    """The use case. Dependencies as named; see main.py."""

    def __init__(self, *, database: Database, sessions: Sessions, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._sessions = sessions
        self._audit = audit
        self._clock = clock

    async def __call__(self, access_token: str, form: TokenForm) -> Document:
        """Return it as JSON values. See AccountService.ExportOwnAccount for errors."""
        _, account = await self._sessions.authenticate(access_token, form)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await self._audit.record(connection, "account.export", account=account)
            return {
                "account": _account(account),
                "identifiers": [
                    {"kind": each.kind, "value": each.value, "verified_at": _time(each.verified_at)}
                    for each in await accounts.fetch_identifiers(connection, account.id)
                ],
                "sessions": [_session(each) for each in await session_store.fetch_live(connection, account.id, now)],
                "grants": [_grant(each) for each in await grants.fetch_all(connection, account.id)],
                "apps": [_app(each) for each in await apps.fetch_of_owner(connection, account.id)],
                "links": [_link(each) for each in await links.fetch_all(connection, account.id, now)],
                "events": [
                    _event(each)
                    for each in await audit_store.fetch_page(connection, account.id, _LAST_EVENT, _MOST_EVENTS)
                ],
            }


def _account(account: Account) -> Document:
    return {
        "id": str(account.id),
        "project": account.project,
        "state": account.state.value,
        "role": account.role,
        "email": account.email,
        "email_verified": account.email_verified,
        "username": account.username,
        "language": account.language,
        "has_password": account.has_password,
        "created_at": _time(account.created_at),
        "updated_at": _time(account.updated_at),
    }


def _session(session: Session) -> Document:
    return {
        "id": str(session.id),
        "form": session.form.value,
        "app": session.app_name,
        "client_id": session.client_id,
        "scopes": list(session.scopes),
        "user_agent": session.user_agent,
        "client_address": session.client_address,
        "authenticated_at": _time(session.authenticated_at),
        "created_at": _time(session.created_at),
        "last_used_at": _time(session.last_used_at),
        "expires_at": _time(session.expires_at),
    }


def _grant(grant: Grant) -> Document:
    return {"client_id": grant.client_id, "scopes": list(grant.scopes), "granted_at": _time(grant.granted_at)}


def _app(app: App) -> Document:
    return {
        "client_id": app.client_id,
        "name": app.name,
        "description": app.description,
        "website": app.website,
        "redirect_urls": list(app.redirect_urls),
        "created_at": _time(app.created_at),
    }


def _link(link: Link) -> Document:
    return {
        "purpose": link.purpose.value,
        "email": link.data.get("email", ""),
        "created_at": _time(link.created_at),
        "expires_at": _time(link.expires_at),
    }


def _event(event: audit_store.Event) -> Document:
    return {
        "at": _time(event.at),
        "action": event.action,
        "outcome": event.outcome,
        "client_id": event.client_id,
        "address": event.address,
    }


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
