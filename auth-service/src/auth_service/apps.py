"""Apps: create, find, list, change, delete; their secrets are shown once and stored hashed.

An operator may do so with every app; `own_apps` names an owner, for whom the apps of others do not exist.
"""

import secrets
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from auth_service import app_rules
from auth_service.audit import Audit
from auth_service.keys import digest
from auth_service.model import Account, App, AppSecret, AppType, Project
from auth_service.store import accounts, apps, projects
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection, Database

_REPEAT = timedelta(minutes=10)  # how late the same call can come again
_SECRET_BYTES = 16  # 32 hex digits, as the oldest clients expect
_CLIENT_ID_SPAN = 9 * 10**14
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """An app to be made. See gatepost.auth.v1.App for the meaning of each field."""

    id: UUID
    name: str
    type: AppType
    redirect_urls: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    allow_plain_pkce: bool = False
    description: str = ""
    website: str = ""
    icon_picture: str = ""
    allow_query_secret: bool = False
    status_mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppChanges:
    """What to change of an app; None for what stays."""

    name: str | None = None
    disabled: bool | None = None
    redirect_urls: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    allow_plain_pkce: bool | None = None
    description: str | None = None
    website: str | None = None
    icon_picture: str | None = None
    allow_query_secret: bool | None = None
    status_mode: str | None = None


class Apps:
    """The use cases. Dependencies as named; see main.py. With an `owner`, only his apps are there."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def create(
        self, project: str, new: NewApp, *, owner: Account | None = None, at_most: int = 0
    ) -> tuple[App, str]:
        """Make an app with one secret, and return both. See AppService.CreateApp for arguments and errors.

        Raises:
            GatepostError: RATE_LIMITED besides, if the owner has `at_most` apps already.
        """
        async with self._database.transaction() as connection:
            home = await _project(connection, project)
            known = await apps.fetch(connection, new.id)
            if known is not None and (known.project.id, known.owner_id) != (home.id, owner.id if owner else None):
                raise GatepostError(Reason.ALREADY_EXISTS, "this id is another app's")
            if known is not None and self._clock.now() - known.created_at > _REPEAT:
                raise GatepostError(Reason.ALREADY_EXISTS, "this app was made long ago; add a secret to it instead")
            if known is None:
                if owner is not None:
                    await accounts.fetch(connection, owner.id, lock=True)  # he makes one after the other
                    if len(await apps.fetch_of_owner(connection, owner.id)) >= at_most:
                        raise GatepostError(Reason.RATE_LIMITED, "too many apps")
                app = await self._insert(connection, home, new, owner)
            else:  # the same call again: nobody saw the first secret
                await apps.delete_secrets(connection, new.id)
                app = replace(known, secrets=())
            secret, value = await self._add_secret(connection, app, owner)
        return replace(app, secrets=(secret,)), value

    async def get(self, client_id: str, *, owner: Account | None = None) -> App:
        """Return an app.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.acquire() as connection:
            return await _app(connection, client_id, owner)

    async def list(self, project: str, page_size: int, after: tuple[datetime, UUID] | None) -> list[App]:
        """Return a page of a project's apps, oldest first."""
        at, app_id = after or (_BEGINNING, UUID(int=0))
        async with self._database.acquire() as connection:
            home = await _project(connection, project)
            return await apps.fetch_page(connection, home.id, at, app_id, page_size)

    async def update(self, client_id: str, changes: AppChanges, *, owner: Account | None = None) -> App:
        """Change an app; of scopes that are taken away, neither grants nor sessions hold any longer.

        Raises:
            GatepostError: NOT_FOUND, INVALID_PARAMETER.
        """
        said = {each.name: getattr(changes, each.name) for each in fields(changes)}
        async with self._database.transaction() as connection:
            app = await _app(connection, client_id, owner, lock=True)
            changed = app_rules.checked(replace(app, **{name: v for name, v in said.items() if v is not None}))
            await apps.update(connection, changed)
            if set(app.scopes) - set(changed.scopes):
                await apps.shrink_scopes(connection, changed)
            await self._record(connection, "app.change", changed, owner)
        return changed

    async def add_secret(
        self, client_id: str, *, owner: Account | None = None, at_most: int | None = None
    ) -> tuple[AppSecret, str]:
        """Add a secret and return it with its value; those before keep working.

        Raises:
            GatepostError: NOT_FOUND; CONFLICT if there are `at_most` already.
        """
        async with self._database.transaction() as connection:
            app = await _app(connection, client_id, owner, lock=True)
            if at_most is not None and len(app.secrets) >= at_most:
                raise GatepostError(Reason.CONFLICT, f"an app has at most {at_most} secrets; revoke one first")
            return await self._add_secret(connection, app, owner)

    async def revoke_secret(
        self, client_id: str, secret_id: UUID, *, owner: Account | None = None, at_least: int = 0
    ) -> None:
        """End a secret at once.

        Raises:
            GatepostError: NOT_FOUND; CONFLICT if no more than `at_least` are there.
        """
        async with self._database.transaction() as connection:
            app = await _app(connection, client_id, owner, lock=True)
            if not await apps.delete_secret(connection, app.id, secret_id):
                raise GatepostError(Reason.NOT_FOUND, "no such secret")
            if len(app.secrets) <= at_least:
                raise GatepostError(Reason.CONFLICT, "this is the last secret; add another first")
            await self._record(connection, "app.secret_revoke", app, owner)

    async def delete(self, client_id: str, *, owner: Account | None = None) -> None:
        """Delete an app with its secrets, grants and sessions.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.transaction() as connection:
            app = await _app(connection, client_id, owner, lock=True)
            await apps.delete(connection, app.id)
            await self._record(connection, "app.delete", app, owner)

    async def origin_allowed(self, origin: str) -> bool:
        """Say whether an enabled public app lists a browser origin."""
        async with self._database.acquire() as connection:
            return await apps.origin_listed(connection, origin)

    async def _insert(self, connection: Connection, home: Project, new: NewApp, owner: Account | None) -> App:
        said = {each.name: getattr(new, each.name) for each in fields(new)}
        app = app_rules.checked(
            App(
                **said,
                project=home,
                client_id=_new_client_id(),
                disabled=False,
                created_at=self._clock.now(),
                owner_id=owner.id if owner else None,
            )
        )
        while not await apps.insert(connection, app):
            app = replace(app, client_id=_new_client_id())
        await self._record(connection, "app.create", app, owner)
        return app

    async def _add_secret(self, connection: Connection, app: App, owner: Account | None) -> tuple[AppSecret, str]:
        value = secrets.token_hex(_SECRET_BYTES)
        secret = AppSecret(uuid4(), digest(value), value[-4:], self._clock.now())
        await apps.insert_secret(connection, app.id, secret)
        await self._record(connection, "app.secret_create", app, owner)
        return secret, value

    async def _record(self, connection: Connection, action: str, app: App, owner: Account | None) -> None:
        await self._audit.record(connection, action, account=owner, app=app, by_user=owner is not None)


def _new_client_id() -> str:
    return str(10**14 + secrets.randbelow(_CLIENT_ID_SPAN))


async def _project(connection: Connection, name: str) -> Project:
    project = await projects.fetch_by_name(connection, name)
    if project is None:
        raise GatepostError(Reason.NOT_FOUND, f"there is no project {name!r}")
    return project


async def _app(connection: Connection, client_id: str, owner: Account | None, *, lock: bool = False) -> App:
    if lock:
        await apps.lock(connection, client_id)
    app = await apps.fetch_by_client_id(connection, client_id)
    if app is None or (owner is not None and app.owner_id != owner.id):
        raise GatepostError(Reason.NOT_FOUND, "no such app")
    return app
