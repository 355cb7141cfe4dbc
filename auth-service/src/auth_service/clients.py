"""Who asks: authentication of apps (RFC 6749 section 2.3), and projects that the gateway asks for itself.

Every flow begins here. What is known of an app or project is told to the call at hand: how its clients want errors
marked, and whether it serves the dialect that the client speaks.
"""

import hmac
from collections.abc import Mapping, Sequence

from auth_service import pkce
from auth_service.batches import Batches
from auth_service.keys import digest
from auth_service.model import App, AppType, Asking, Entry, Project, TokenForm
from auth_service.store import projects
from auth_service.token_forms import OF_THE_GATEWAY
from runtime.context import current
from runtime.errors import GatepostError, Reason, invalid, missing
from runtime.postgres import Database


class Clients:
    """Finds and authenticates apps.

    Args:
        database: Where projects are.
        batches: Where apps are.
    """

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database = database
        self._batches = batches

    async def enter(self, asking: Asking) -> Entry:
        """Return who asks for a person: an app that proves itself, or, where a project is named, the gateway.

        Raises:
            GatepostError: As `authenticate`; MISSING_PARAMETER or INVALID_PARAMETER on the proof key; NOT_FOUND
                (project), INVALID_PARAMETER (form), DIALECT_DISABLED.
        """
        if asking.project:
            if asking.form not in OF_THE_GATEWAY:
                raise invalid("form", "The form must be one that is issued without an app.")
            return Entry(await self.project(asking.project), None, asking.form)
        app = await self.authenticate(asking.client_id, asking.client_secret)
        return Entry(app.project, app, TokenForm.PAIR, pkce.check(app, asking.challenge, asking.challenge_method))

    async def project(self, name: str) -> Project:
        """Return an enabled project that serves the client's dialect.

        Raises:
            GatepostError: NOT_FOUND; DIALECT_DISABLED.
        """
        async with self._database.acquire() as connection:
            project = await projects.fetch_by_name(connection, name)
        if project is None or project.disabled:
            raise GatepostError(Reason.NOT_FOUND, "no such project")
        check_dialect(project.dialects)
        return project

    async def find(self, client_id: str) -> App:
        """Return an enabled app of an enabled project that serves the client's dialect.

        Raises:
            GatepostError: CLIENT_UNKNOWN; DIALECT_DISABLED.
        """
        app = await self._batches.app(client_id)
        if app is not None:
            tell_status_mode(app.status_mode, app.project.status_modes)
        if app is None or app.disabled or app.project.disabled:
            raise GatepostError(Reason.CLIENT_UNKNOWN)
        check_dialect(app.project.dialects)
        return app

    async def authenticate(self, client_id: str, client_secret: str, *, secret_in_query: bool = False) -> App:
        """Return the app if it proves itself; a public app need not, its secret is not looked at.

        A secret that came in a query string proves nothing unless the app allows that.

        Raises:
            GatepostError: MISSING_PARAMETER, CLIENT_UNKNOWN, CLIENT_BAD_SECRET or DIALECT_DISABLED.
        """
        if not client_id:
            raise missing("client_id")
        app = await self.find(client_id)
        if app.type is AppType.CONFIDENTIAL:
            if not client_secret:
                raise missing("client_secret")
            if secret_in_query and not app.allow_query_secret:
                raise GatepostError(Reason.CLIENT_BAD_SECRET, "the secret does not belong in a query string")
            hashed = digest(client_secret)
            if not any([hmac.compare_digest(hashed, secret.hash) for secret in app.secrets]):  # noqa: C419 all, always
                raise GatepostError(Reason.CLIENT_BAD_SECRET)
        return app


def tell_status_mode(own: str, of_project: Mapping[str, str]) -> None:
    """Let every error of the call at hand say how it is to be marked.

    Args:
        own: The client's own wish; empty for none.
        of_project: The wishes of its project, by dialect. The gateway cannot know them before we say who asks.
    """
    mode = own or of_project.get(current().dialect, "")
    if mode:
        current().error_metadata["status_mode"] = mode


def check_dialect(dialects: Sequence[str]) -> None:
    """Refuse a dialect that a project does not serve; calls that speak none, of our own pages too, always may.

    Raises:
        GatepostError: DIALECT_DISABLED.
    """
    if dialects and current().dialect and current().dialect not in dialects:
        raise GatepostError(Reason.DIALECT_DISABLED, "the project does not serve this dialect")
