"""Authentication of apps (RFC 6749 section 2.3): every flow begins here."""

import hmac

from auth_service.keys import digest
from auth_service.model import App, AppType
from auth_service.store import apps
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database


class Clients:
    """Finds and authenticates apps.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, client_id: str) -> App:
        """Return an enabled app of an enabled project.

        Raises:
            GatepostError: CLIENT_UNKNOWN otherwise.
        """
        async with self._database.acquire() as connection:
            app = await apps.fetch_by_client_id(connection, client_id)
        if app is None or app.disabled or app.project.disabled:
            raise GatepostError(Reason.CLIENT_UNKNOWN)
        return app

    async def authenticate(self, client_id: str, client_secret: str) -> App:
        """Return the app if it proves itself; a public app need not, its secret is not looked at.

        Raises:
            GatepostError: MISSING_PARAMETER, CLIENT_UNKNOWN or CLIENT_BAD_SECRET.
        """
        if not client_id:
            raise missing("client_id")
        app = await self.find(client_id)
        if app.type is AppType.CONFIDENTIAL:
            if not client_secret:
                raise missing("client_secret")
            hashed = digest(client_secret)
            if not any([hmac.compare_digest(hashed, secret.hash) for secret in app.secrets]):  # noqa: C419 all, always
                raise GatepostError(Reason.CLIENT_BAD_SECRET)
        return app
