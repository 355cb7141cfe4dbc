"""What the soak's people use: the iHopr dialect as JSON, and a browser for hosted pages. Anything unexpected raises.

Knows requests and answers only; what is asked when is decided in `people`.
"""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientTimeout, FormData, TCPConnector
from yarl import URL

from bench.stack import App

_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_SHOWN_LENGTH = 200
_UNAVAILABLE = 503
SECONDS = 30.0


class WrongAnswerError(Exception):
    """An answer that should have been another."""


class RefusedError(Exception):
    """There is too much to do (503): not wrong, but to be counted.

    Args:
        seconds: After which to come again.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"refused for {seconds:g} s")
        self.seconds = seconds


def _check_room(answer: ClientResponse) -> None:
    if answer.status == _UNAVAILABLE and "Retry-After" in answer.headers:
        raise RefusedError(float(answer.headers["Retry-After"]))


class Client:
    """Connections to one gateway, which many people share.

    Args:
        url: of the gateway.
        connections: at most.
    """

    def __init__(self, url: str, connections: int) -> None:
        self.url = url
        connector = TCPConnector(limit=connections)
        self.session = ClientSession(connector=connector, timeout=ClientTimeout(SECONDS))

    async def close(self) -> None:
        """Close every connection."""
        await self.session.close()

    async def json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = "", expected: int = 200
    ) -> dict[str, Any]:
        """Ask below `/api/v1` and return the answer.

        Raises:
            WrongAnswerError: another status than expected.
            RefusedError: there is too much to do.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers) as answer:
            _check_room(answer)
            if answer.status != expected:
                raise WrongAnswerError(f"{path}: {answer.status} {(await answer.text())[:_SHOWN_LENGTH]}")
            found: dict[str, Any] = await answer.json()
            return found

    async def for_app(self, path: str, app: App, **members: str) -> dict[str, Any]:
        """Post with an app's credentials."""
        return await self.json("POST", path, app.credentials() | members)


class Browser:
    """One person's browser at the pages of a project; redirects are looked at, not followed."""

    def __init__(self, client: Client, project: str) -> None:
        self._client = client
        self._mount = f"/t/{project}"
        self._cookies: dict[str, str] = {}

    async def page(self, path: str) -> str:
        """Return a page's text."""
        _, text = await self._ask("GET", path, 200)
        return text

    async def send(self, page: str, path: str, data: Mapping[str, str]) -> str:
        """Fill in the form of a page and return where that leads."""
        where, _ = await self._ask("POST", path, 303, data={"csrf": await self._csrf(page), **data})
        return where

    async def upload(self, page: str, path: str, name: str, content: bytes) -> str:
        """Send a file with the form of a page and return where that leads."""
        form = FormData(default_to_multipart=True)
        form.add_field("csrf", await self._csrf(page))
        form.add_field(name, content, filename="picture.jpg", content_type="image/jpeg")
        where, _ = await self._ask("POST", path, 303, data=form)
        return where

    async def picture(self, path: str) -> int:
        """Fetch a picture and return its size in bytes."""
        async with self._client.session.get(self._client.url + path) as answer:
            if answer.status != 200 or not answer.content_type.startswith("image/"):  # noqa: PLR2004 the usual status
                raise WrongAnswerError(f"picture: {answer.status} {answer.content_type}")
            return len(await answer.read())

    async def _csrf(self, page: str) -> str:
        found = _CSRF.search(await self.page(page))
        if found is None:
            raise WrongAnswerError(f"{page}: no form")
        return found[1]

    async def _ask(self, method: str, path: str, expected: int, data: Any = None) -> tuple[str, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        url = URL(self._client.url + self._mount + path, encoded=True)
        async with self._client.session.request(
            method, url, data=data, headers=headers, allow_redirects=False
        ) as answer:
            _check_room(answer)
            text = await answer.text()
            if answer.status != expected:
                raise WrongAnswerError(f"{method} {path}: {answer.status} {text[:_SHOWN_LENGTH]}")
            self._cookies |= {name: morsel.value for name, morsel in answer.cookies.items()}
            return answer.headers.get("Location", ""), text
