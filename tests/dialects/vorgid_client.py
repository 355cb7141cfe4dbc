"""A client of VorgID, as an app's developer would write it."""

import base64
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from dialects.ihopr_client import Answer, App, Person
from dialects.redirect_client import REDIRECT_URL, Browser, Page, Site

USER, USER_EMAIL, USER_PHONE = "VorgID::user", "VorgID::user::email", "VorgID::user::phone"
EDIT_EMAIL, EDIT_PHONE, EDIT_PERSONAL = "VorgID::edit::email", "VorgID::edit::phone", "VorgID::edit::personal"
SCOPES = (USER, USER_EMAIL, USER_PHONE, EDIT_EMAIL, EDIT_PHONE, EDIT_PERSONAL)
AUTHORIZE = "/rrr/oauth2.0/authorize"


@dataclass(frozen=True)
class Vorgid:
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

    @property
    def basic(self) -> dict[str, str]:
        return {"Authorization": f"Basic {self.encoded}"}

    @property
    def encoded(self) -> str:
        return base64.b64encode(f"{self.app.client_id}:{self.app.client_secret}".encode()).decode()

    def asked(self, *scopes: str, **more: str) -> dict[str, str]:
        """Return the query of the first hop, as documented."""
        query = {"client_id": self.app.client_id, "redirect_url": REDIRECT_URL, "response_type": "code"}
        return query | {"scopes": " ".join(scopes or SCOPES), "form": "VorgID"} | more

    async def allowed(self, browser: Browser | None = None, *scopes: str, **more: str) -> Page:
        """Let a person say yes, somebody new by default; return where he is sent."""
        opened = browser or await self.site.browser(await self.site.person())
        return await self.site.allowed(opened, AUTHORIZE, **self.asked(*scopes, **more))

    async def code(self, browser: Browser | None = None, *scopes: str, **more: str) -> str:
        return (await self.allowed(browser, *scopes, **more)).parameters["code"]

    async def token_request(self, headers: dict[str, str] | None = None, **sent: Any) -> Answer:
        """Ask the token endpoint with a form (`data`) or JSON (`json`)."""
        async with self.session.post(f"{self.url}/oauth2/token/", headers=headers, **sent) as answer:
            return Answer(answer.status, await answer.json(), dict(answer.headers))

    async def exchange(self, code: str, **more: str) -> Answer:
        return await self.token_request(self.basic, data={"grant_type": "authorization_code", "code": code} | more)

    async def tokens(self, browser: Browser | None = None, *scopes: str) -> Any:
        """Go all the way; return the tokens."""
        answer = await self.exchange(await self.code(browser, *scopes))
        assert answer.status == 200, answer
        return answer.body

    async def signed_in(self, *scopes: str, **person: Any) -> tuple[Person, str]:
        """Make somebody, and an access token of his."""
        somebody = await self.site.person(**person)
        tokens = await self.tokens(await self.site.browser(somebody), *scopes)
        return somebody, str(tokens["access_token"])

    async def call(self, method: str, path: str, token: str = "", **sent: Any) -> Answer:
        """Call with a token, if one is given; what is sent is aiohttp's (`params`, `data`, `json`, `headers`)."""
        headers = {"Content-Type": "application/json"} if not {"data", "json"} & set(sent) else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        headers |= sent.pop("headers", {})
        url = f"{self.url}/v1/vorg-id/{path}"
        async with self.session.request(method, url, headers=headers, **sent) as answer:
            return Answer(answer.status, await answer.json(), dict(answer.headers))

    async def success(self, method: str, path: str, token: str, **sent: Any) -> Any:
        """Call, and return the data of a success."""
        answer = await self.call(method, path, token, **sent)
        assert (answer.status, answer.body.get("success")) == (200, "ok"), answer.body
        assert list(answer.body) == ["success", "data"]
        return answer.body["data"]


def sign(code: str, hash_token: str) -> str:
    """Put together what step two wants."""
    return base64.b64encode(f"{code}:{hash_token}".encode()).decode()
