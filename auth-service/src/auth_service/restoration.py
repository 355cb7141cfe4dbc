"""A restored copy forgets nothing that was taken away after the backup: `python -m auth_service history|restored`.

`history` tells, a JSON document a line, what the installation that is replaced did since: the events of its audit trail
as `gatepost audit` shows them, then (`kept`) what became of those that the events concern. `restored` reads it in the
copy, before anything is served from there: ends every session, deletes again who was deleted, and takes away again what
was. Where only events are given, it takes the safe side: no password, the first role, no secret, no API key.
What an event means is listed here (`_STATES`, `_CONCERNED`, `Since.hear`): each act that takes something away.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from auth_service import history
from auth_service.audit import describe
from auth_service.history import Document
from auth_service.store import audit, kept, keys, signing_keys
from auth_service.store import restoration as store
from auth_service.store.audit import Event
from auth_service.store.kept import KeptAccount, KeptApp
from runtime.clock import Clock
from runtime.postgres import Connection

_BATCH = 1000
_CLOSED, _OPEN = "disabled", "active"
_STATES = {"account.disable": _CLOSED, "account.close": _CLOSED, "account.enable": _OPEN, "account.keep": _OPEN}
_CONCERNED: Mapping[str, Sequence[str]] = {  # the sets of `Since` that an account is put into
    "account.delete": ("deleted",),
    "role.change": ("roles",),
    "password.change": ("passwords",),
    "password.reset": ("passwords", "identities"),  # those of who had not proven his address
    "email.change": ("renamed",),
    "username.change": ("renamed",),
    "email.change_undo": ("passwords", "regained"),
}
K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=tuple[int, *tuple[Any, ...]])


@dataclass
class Since:
    """What was done since the backup, as far as it takes something away."""

    deleted: set[UUID] = field(default_factory=set)
    states: dict[UUID, tuple[int, str, datetime | None]] = field(default_factory=dict)  # by which event, closed when
    roles: set[UUID] = field(default_factory=set)
    passwords: set[UUID] = field(default_factory=set)
    identities: set[UUID] = field(default_factory=set)
    renamed: set[UUID] = field(default_factory=set)
    regained: set[UUID] = field(default_factory=set)
    deleted_apps: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    changed_apps: set[str] = field(default_factory=set)
    keys: bool = False
    emergency: bool = False
    grants: dict[tuple[UUID, str], tuple[int, bool]] = field(default_factory=dict)  # by which event
    changed_projects: set[str] = field(default_factory=set)
    events: int = 0
    # What became of those that the events concern, as far as it is told.
    kept_accounts: list[KeptAccount] = field(default_factory=list)
    kept_apps: list[KeptApp] = field(default_factory=list)
    kept_keys: list[UUID] = field(default_factory=list)
    disabled_projects: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        """Take an event in; of those that undo each other the one with the highest id counts."""
        self.events += 1
        if event.outcome != "success":
            return
        if event.account_id is not None:
            self._hear_of_account(event.action, event.account_id, event)
        match event.action:
            case "app.delete":
                self.deleted_apps.add(event.client_id)
            case "app.secret_revoke":
                self.secrets.add(event.client_id)
            case "app.change":
                self.changed_apps.add(event.client_id)
            case "api_key.revoke":
                self.keys = True
            case "key.revoke_all":
                self.emergency = True
            case "project.change":
                self.changed_projects.add(event.project)

    def _hear_of_account(self, action: str, account: UUID, event: Event) -> None:
        for concerned in _CONCERNED.get(action, ()):
            getattr(self, concerned).add(account)
        if action in _STATES:
            state = _STATES[action]
            closed = event.at if action == "account.close" else None
            _latest(self.states, account, (event.id, state, closed))
        elif action in {"grant.revoke", "grant.create"}:
            _latest(self.grants, (account, event.client_id), (event.id, action == "grant.create"))

    @property
    def accounts(self) -> set[UUID]:
        """The accounts that are to become again what they were."""
        touched = {*self.states, *self.roles, *self.passwords, *self.identities, *self.renamed, *self.regained}
        return touched - self.deleted

    @property
    def apps(self) -> set[str]:
        """Likewise the apps."""
        return (self.secrets | self.changed_apps) - self.deleted_apps


async def tell(connection: Connection, since: int, write: Callable[[Document], None]) -> None:
    """Tell what happened after the event `since`, in the caller's transaction, which sees one moment."""
    heard = Since()
    async for page in kept.events(connection, since):
        for event in page:
            heard.hear(event)
            write(describe(event))
    accounts, apps = sorted(heard.accounts), sorted(heard.apps)
    for first in range(0, len(accounts), _BATCH):
        for account in await kept.accounts(connection, accounts[first : first + _BATCH]):
            write(history.of_account(account))
    for app in await kept.apps(connection, apps):
        write(history.of_app(app))
    if heard.keys:
        write(history.of_keys(await kept.api_keys(connection)))
    if heard.changed_projects:
        write(history.of_projects(await kept.disabled_projects(connection, sorted(heard.changed_projects))))


async def catch_up(connection: Connection, lines: Iterable[str], clock: Clock, closing_seconds: int) -> Document:
    """Take away from the copy what was taken away, in the caller's transaction; return what was done.

    Args:
        connection: Of the copy.
        lines: What `tell` wrote, or events alone; may be none.
        clock: For now.
        closing_seconds: How long an account is kept that its user closed.

    Raises:
        ValueError: A line is not what it should be.
    """
    now = clock.now()
    heard = await _hear(connection, lines)
    await store.number_events(connection)
    await audit.insert(connection, _restored(now))
    # What was made with them says nothing of what became of it since: links to reset a password, known devices. Whoever
    # serves the copy makes a new one.
    await keys.revoke_all(connection, now)
    ended = await store.end_sessions(connection, now)
    deleted = await store.delete_accounts(connection, sorted(heard.deleted), now)
    await store.put_accounts(connection, heard.kept_accounts, now)
    unsure = heard.accounts - {each.id for each in heard.kept_accounts}
    await store.drop_passwords(connection, sorted(heard.passwords & unsure))
    await store.drop_external(connection, sorted((heard.identities | heard.regained) & unsure))
    await store.first_roles(connection, sorted(heard.roles & unsure), now)
    for account_id in sorted(unsure & heard.states.keys()):
        _, state, closed = heard.states[account_id]
        closing_at = closed + timedelta(seconds=closing_seconds) if closed else None
        await store.put_state(connection, account_id, state, closing_at, now)
    # Whose address was taken from him and given back: in the copy it is somebody else's, who could ask for a password.
    # Links that ended with that would lead there again.
    await store.drop_links(connection, sorted(unsure & heard.regained))
    for account_id in sorted(unsure & heard.regained):
        await store.put_state(connection, account_id, _CLOSED, None, now)
    await store.delete_apps(connection, sorted(heard.deleted_apps))
    sure = {each.client_id for each in heard.kept_apps}
    without_secrets = [KeptApp(each, False, ()) for each in sorted(heard.secrets - sure)]
    await store.put_apps(connection, [*heard.kept_apps, *without_secrets])
    await store.disable_projects(connection, heard.disabled_projects)
    if heard.keys:
        await store.keep_keys(connection, heard.kept_keys)
    if heard.emergency:
        await signing_keys.revoke_all(connection, now)
    await store.delete_grants(connection, [pair for pair, (_, given) in heard.grants.items() if not given])
    return {
        "events": heard.events,
        "sessions_ended": ended,
        "accounts_deleted": deleted,
        "accounts_as_they_were": len(heard.kept_accounts),
        "passwords_dropped": len(heard.passwords & unsure),
        "roles_lowered": len(heard.roles & unsure),
        "accounts_to_look_at": [str(each) for each in sorted(unsure & (heard.regained | heard.renamed))],
        "apps_to_look_at": sorted(heard.apps - sure),
        "projects_to_look_at": sorted(heard.changed_projects),
        "api_keys_dropped": heard.keys and not heard.kept_keys,
        "signing_keys_revoked": heard.emergency,
    }


async def _hear(connection: Connection, lines: Iterable[str]) -> Since:
    """Read the lines; append the events that the copy does not have, and take in what they mean."""
    heard = Since()
    waiting: list[Event] = []
    for document in history.documents(lines):
        match document.get("kept"):
            case "account":
                heard.kept_accounts.append(history.account(document))
            case "app":
                heard.kept_apps.append(history.app(document))
            case "api_keys":
                heard.kept_keys = history.keys(document)
            case "projects":
                heard.disabled_projects = history.projects(document)
            case _:
                waiting.append(history.event(document))
        if len(waiting) == _BATCH:
            await _append(connection, waiting, heard)
            waiting = []
    await _append(connection, waiting, heard)
    return heard


async def _append(connection: Connection, events: list[Event], heard: Since) -> None:
    known = await store.known(connection, [event.id for event in events])
    news = sorted((event for event in events if known.get(event.id) != event.at), key=lambda event: event.id)
    for event in news:
        heard.hear(event)
    await store.append(connection, news)


def _latest(known: dict[K, V], key: K, heard: V) -> None:
    if key not in known or known[key][0] < heard[0]:
        known[key] = heard


def _restored(now: datetime) -> Event:
    return Event(0, now, "installation.restore", "success", "service:cli", None, "", "", "", "")
