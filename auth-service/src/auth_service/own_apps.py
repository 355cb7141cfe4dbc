"""The app dashboard: what a user does with the apps that he has registered, on his access token.

The project is the token's, and so is the owner: an app of anybody else is not there.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from auth_service.apps import AppChanges, Apps, NewApp
from auth_service.model import Account, App, AppSecret, AppUsage, TokenForm
from auth_service.sessions import Sessions
from auth_service.store import apps as store
from auth_service.store import audit, projects
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

_MOST_SECRETS = 2  # one in use and its successor
_FEWEST_SECRETS = 1
_USAGE_DAYS = 14


class OwnApps:
    """The use cases. Dependencies as named; see main.py. Every one can raise TOKEN_INVALID and TOKEN_EXPIRED."""

    def __init__(self, *, database: Database, sessions: Sessions, apps: Apps, clock: Clock, apps_per_user: int) -> None:
        self._database = database
        self._sessions = sessions
        self._apps = apps
        self._clock = clock
        self._apps_per_user = apps_per_user

    async def list(self, access_token: str, form: TokenForm) -> tuple[list[App], bool]:
        """Return the user's apps, oldest first, and whether he may make more."""
        account = await self._owner(access_token, form)
        async with self._database.acquire() as connection:
            found = await store.fetch_of_owner(connection, account.id)
        return found, len(found) < self._apps_per_user and await self._may_create(account)

    async def create(self, access_token: str, form: TokenForm, new: NewApp) -> tuple[App, str]:
        """Make an app with one secret, and return both. See OwnAppService.CreateOwnApp for errors."""
        account = await self._owner(access_token, form)
        if not await self._may_create(account):
            raise GatepostError(Reason.SCOPE_MISSING, "users register no apps in this project")
        return await self._apps.create(account.project, new, owner=account, at_most=self._apps_per_user)

    async def get(self, access_token: str, form: TokenForm, client_id: str) -> tuple[App, Sequence[AppUsage]]:
        """Return an app and what it did of late, day by day.

        Raises:
            GatepostError: NOT_FOUND.
        """
        app = await self._apps.get(client_id, owner=await self._owner(access_token, form))
        midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._database.acquire() as connection:
            usage = await audit.fetch_usage(connection, app.client_id, midnight - timedelta(days=_USAGE_DAYS - 1))
        return app, usage

    async def update(self, access_token: str, form: TokenForm, client_id: str, changes: AppChanges) -> App:
        """Change an app.

        Raises:
            GatepostError: NOT_FOUND, INVALID_PARAMETER.
        """
        owner = await self._owner(access_token, form)
        return await self._apps.update(client_id, replace(changes, disabled=None), owner=owner)

    async def add_secret(self, access_token: str, form: TokenForm, client_id: str) -> tuple[AppSecret, str]:
        """Add a secret and return it with its value.

        Raises:
            GatepostError: NOT_FOUND; CONFLICT if there are two already.
        """
        owner = await self._owner(access_token, form)
        return await self._apps.add_secret(client_id, owner=owner, at_most=_MOST_SECRETS)

    async def revoke_secret(self, access_token: str, form: TokenForm, client_id: str, secret_id: UUID) -> None:
        """End a secret at once.

        Raises:
            GatepostError: NOT_FOUND; CONFLICT if it is the last.
        """
        owner = await self._owner(access_token, form)
        await self._apps.revoke_secret(client_id, secret_id, owner=owner, at_least=_FEWEST_SECRETS)

    async def delete(self, access_token: str, form: TokenForm, client_id: str) -> None:
        """Delete an app with its grants and sessions.

        Raises:
            GatepostError: NOT_FOUND.
        """
        await self._apps.delete(client_id, owner=await self._owner(access_token, form))

    async def _owner(self, access_token: str, form: TokenForm) -> Account:
        _, account = await self._sessions.authenticate(access_token, form)
        return account

    async def _may_create(self, account: Account) -> bool:
        async with self._database.acquire() as connection:
            project = await projects.fetch(connection, account.project_id)
        return project is not None and project.user_apps
