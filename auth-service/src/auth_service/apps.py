"""Apps and API keys: create, find, list, change; their secrets are shown once and stored hashed."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from auth_service import app_rules
from auth_service.audit import Audit
from auth_service.keys import digest
from auth_service.model import ApiKey, App, AppSecret, AppType, Project
from auth_service.store import apps, projects
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Connection, Database

KEY_SCOPES = ("user:authenticate", "user:read", "user:create", "user:edit", "user:delete", "act_as")
_DEFAULT_KEY_SCOPES = KEY_SCOPES[:2]
_REPEAT = timedelta(minutes=10)  # how late the same call can come again
_SECRET_BYTES = 16  # 32 hex digits, as the oldest clients expect
_API_KEY_BYTES = 32  # 64 hex digits
_CLIENT_ID_SPAN = 9 * 10**14
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Apps:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def create(
        self,
        *,
        app_id: UUID,
        project: str,
        name: str,
        app_type: AppType,
        redirect_urls: Sequence[str],
        scopes: Sequence[str],
        origins: Sequence[str],
        allow_plain_pkce: bool,
    ) -> tuple[App, str]:
        """Make an app with one secret, and return both. See AppService.CreateApp for arguments and errors."""
        async with self._database.transaction() as connection:
            home = await _project(connection, project)
            known = await apps.fetch(connection, app_id)
            if known is not None and known.project.id != home.id:
                raise GatepostError(Reason.ALREADY_EXISTS, "this id is another project's app")
            if known is not None and self._clock.now() - known.created_at > _REPEAT:
                raise GatepostError(Reason.ALREADY_EXISTS, "this app was made long ago; add a secret to it instead")
            if known is None:
                app = app_rules.checked(
                    App(
                        id=app_id,
                        project=home,
                        client_id=_new_client_id(),
                        name=name,
                        type=app_type,
                        redirect_urls=tuple(redirect_urls),
                        scopes=tuple(scopes),
                        origins=tuple(origins),
                        allow_plain_pkce=allow_plain_pkce,
                        disabled=False,
                        created_at=self._clock.now(),
                    )
                )
                while not await apps.insert(connection, app):
                    app = replace(app, client_id=_new_client_id())
                await self._audit.record(connection, "app.create", app=app, by_user=False)
            else:  # the same call again: nobody saw the first secret
                await apps.delete_secrets(connection, app_id)
                app = replace(known, secrets=())
            secret, value = await self._add_secret(connection, app)
        return replace(app, secrets=(secret,)), value

    async def get(self, client_id: str) -> App:
        """Return an app.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.acquire() as connection:
            return await _app(connection, client_id)

    async def list(self, project: str, page_size: int, after: tuple[datetime, UUID] | None) -> list[App]:
        """Return a page of a project's apps, oldest first."""
        at, app_id = after or (_BEGINNING, UUID(int=0))
        async with self._database.acquire() as connection:
            home = await _project(connection, project)
            return await apps.fetch_page(connection, home.id, at, app_id, page_size)

    async def update(
        self,
        client_id: str,
        *,
        name: str | None,
        disabled: bool | None,
        allow_plain_pkce: bool | None,
        redirect_urls: Sequence[str],
        origins: Sequence[str],
        scopes: Sequence[str],
    ) -> App:
        """Change an app; None and empty lists leave things as they are.

        Raises:
            GatepostError: NOT_FOUND, INVALID_PARAMETER.
        """
        async with self._database.transaction() as connection:
            app = await _app(connection, client_id)
            app = app_rules.checked(
                replace(
                    app,
                    name=app.name if name is None else name,
                    disabled=app.disabled if disabled is None else disabled,
                    allow_plain_pkce=app.allow_plain_pkce if allow_plain_pkce is None else allow_plain_pkce,
                    redirect_urls=tuple(redirect_urls) or app.redirect_urls,
                    origins=tuple(origins) or app.origins,
                    scopes=tuple(scopes) or app.scopes,
                )
            )
            await apps.update(connection, app)
            await self._audit.record(connection, "app.change", app=app, by_user=False)
        return app

    async def add_secret(self, client_id: str) -> tuple[AppSecret, str]:
        """Add a secret and return it with its value; those before keep working.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.transaction() as connection:
            return await self._add_secret(connection, await _app(connection, client_id))

    async def revoke_secret(self, client_id: str, secret_id: UUID) -> None:
        """End a secret at once.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.transaction() as connection:
            app = await _app(connection, client_id)
            if not await apps.delete_secret(connection, app.id, secret_id):
                raise GatepostError(Reason.NOT_FOUND, "no such secret")
            await self._audit.record(connection, "app.secret_revoke", app=app, by_user=False)

    async def origin_allowed(self, origin: str) -> bool:
        """Say whether an enabled public app lists a browser origin."""
        async with self._database.acquire() as connection:
            return await apps.origin_listed(connection, origin)

    async def create_key(self, *, key_id: UUID, project: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
        """Make an API key and return it with its value.

        Raises:
            GatepostError: NOT_FOUND (project), ALREADY_EXISTS (its id), INVALID_PARAMETER (scope).
        """
        if not set(scopes) <= set(KEY_SCOPES):
            raise invalid("scopes", f"The scopes of a key are {', '.join(KEY_SCOPES)}.")
        value = secrets.token_hex(_API_KEY_BYTES)
        async with self._database.transaction() as connection:
            home = await _project(connection, project)
            granted = tuple(dict.fromkeys(scopes)) or _DEFAULT_KEY_SCOPES
            key = ApiKey(key_id, home.name, granted, value[-4:], self._clock.now())
            if not await apps.put_key(connection, key, home.id, digest(value)):
                raise GatepostError(Reason.ALREADY_EXISTS, "this id is another project's key")
            await self._audit.record(connection, "api_key.create", project=home.name, by_user=False)
        return key, value

    async def list_keys(self, project: str) -> Sequence[ApiKey]:
        """Return a project's API keys, oldest first.

        Raises:
            GatepostError: NOT_FOUND (project).
        """
        async with self._database.acquire() as connection:
            return await apps.fetch_keys(connection, (await _project(connection, project)).id)

    async def revoke_key(self, key_id: UUID) -> None:
        """End an API key at once.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.transaction() as connection:
            if not await apps.delete_key(connection, key_id):
                raise GatepostError(Reason.NOT_FOUND, "no such key")
            await self._audit.record(connection, "api_key.revoke", by_user=False)

    async def _add_secret(self, connection: Connection, app: App) -> tuple[AppSecret, str]:
        value = secrets.token_hex(_SECRET_BYTES)
        secret = AppSecret(uuid4(), digest(value), value[-4:], self._clock.now())
        await apps.insert_secret(connection, app.id, secret)
        await self._audit.record(connection, "app.secret_create", app=app, by_user=False)
        return secret, value


def _new_client_id() -> str:
    return str(10**14 + secrets.randbelow(_CLIENT_ID_SPAN))


async def _project(connection: Connection, name: str) -> Project:
    project = await projects.fetch_by_name(connection, name)
    if project is None:
        raise GatepostError(Reason.NOT_FOUND, f"there is no project {name!r}")
    return project


async def _app(connection: Connection, client_id: str) -> App:
    app = await apps.fetch_by_client_id(connection, client_id)
    if app is None:
        raise GatepostError(Reason.NOT_FOUND, "no such app")
    return app
