"""A client of Sngine's "Log in with", as an app's developer would write it."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from dialects.ihopr_client import Answer, App, Person
from dialects.redirect_client import Browser, Site


@dataclass(frozen=True)
class Sngine:
    """Calls one gateway, for one site.

    Args:
        site: Project, app and people.
        session: Open HTTP session.
        url: Base URL of the gateway.
    """

    site: Site
    session: ClientSession
    url: str

    @property
    def app(self) -> App:
        return self.site.app

    async def ask(self, verb: str, headers: dict[str, str] | None = None, /, **query: str) -> Answer:
        """Ask as the published samples do: all in the query."""
        async with self.session.get(f"{self.url}/api/{verb}", params=query, headers=headers) as answer:
            return Answer(answer.status, await answer.json(), dict(answer.headers))

    async def post(self, verb: str, headers: dict[str, str] | None = None, **sent: Any) -> Answer:
        """Send a form (`data`) or JSON (`json`)."""
        async with self.session.post(f"{self.url}/api/{verb}", headers=headers, **sent) as answer:
            return Answer(answer.status, await answer.json(), dict(answer.headers))

    async def auth_key(self, browser: Browser | None = None, **query: str) -> str:
        """Let a person say yes, somebody new by default; return the key his browser brings back."""
        opened = browser or await self.site.browser(await self.site.person())
        sent_back = await self.site.allowed(opened, "/api/oauth", app_id=self.app.client_id, **query)
        assert sent_back.status == 302, sent_back
        return sent_back.parameters["auth_key"]

    async def authorize(self, auth_key: str, **more: str) -> Answer:
        return await self.ask("authorize", **self.credentials, auth_key=auth_key, **more)

    async def token(self, browser: Browser | None = None) -> str:
        """Go all the way; return an access token."""
        answer = await self.authorize(await self.auth_key(browser))
        assert answer.status == 200, answer
        return str(answer.body["access_token"])

    async def user_info(self, token: str) -> dict[str, str]:
        answer = await self.ask("get_user_info", access_token=token)
        told: dict[str, str] = answer.body["user_info"]
        return told

    @property
    def credentials(self) -> dict[str, str]:
        return {"app_id": self.app.client_id, "app_secret": self.app.client_secret}

    async def signed_in(self) -> tuple[Person, str]:
        """Make somebody, and a token of his."""
        person = await self.site.person()
        return person, await self.token(await self.site.browser(person))
