"""A person at his account pages and at the app dashboard, by hand: forms filled in as the page shows them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from io import BytesIO
from typing import Any
from uuid import uuid4

import asyncpg
from aiohttp import FormData
from conftest import GatepostStack, until_it_shows
from dialects.ihopr_client import Ihopr, Person
from dialects.redirect_client import Browser, Page, Site

from gatepost_cli.stack import load

_SECRET = re.compile(r'<code class="copy">([0-9a-f]{32})</code>')
_CLIENT_ID = re.compile(r"/apps/([0-9]{5,15})")


@dataclass
class Visit:
    """A person's browser below his project's prefix."""

    site: Site
    person: Person
    browser: Browser

    @property
    def ihopr(self) -> Ihopr:
        return self.site.ihopr

    async def get(self, path: str, **query: str) -> Page:
        """Open a page."""
        return await self.browser.get(f"{self.site.mount}{path}", **query)

    async def shown(self, path: str, **query: str) -> str:
        """Open a page that must be there, and return its text."""
        page = await self.get(path, **query)
        assert page.status == 200, (path, page)
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert page.headers["Cache-Control"] == "no-store"
        return unescape(page.text)

    async def send(self, path: str, page: str = "/account", **fields: str) -> Page:
        """Send a form that `page` shows."""
        csrf = (await self.get(page)).csrf
        return await self.browser.post(f"{self.site.mount}{path}", csrf=csrf, **fields)

    async def upload(self, path: str, page: str, files: dict[str, bytes], **fields: str) -> Page:
        """Send a form with files."""
        form = FormData(default_to_multipart=True)
        for name, value in {"csrf": (await self.get(page)).csrf, **fields}.items():
            form.add_field(name, value)
        for name, content in files.items():
            form.add_field(name, BytesIO(content), filename="picture.png", content_type="image/png")
        cookies = "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())
        async with self.browser.session.post(
            f"{self.browser.url}{self.site.mount}{path}", data=form, headers={"Cookie": cookies}, allow_redirects=False
        ) as answer:
            return Page(answer.status, await answer.text(), dict(answer.headers))

    async def age_sign_in(self) -> None:
        """Let it be an hour since the person signed in in this browser."""
        await age_sign_in(self.site.stack, self.browser.cookies["__Host-gatepost"])

    def led_to(self, page: Page, path: str) -> None:
        """Check that a form was taken, and where it led."""
        assert (page.status, page.headers.get("Location")) == (303, f"{self.site.mount}{path}"), page

    async def mailed_link(self, path: str, email: str = "") -> str:
        """Return the token of a link that was mailed, once it is there."""
        mail = await self.ihopr.awaited(email or self.person.email, lambda each: f"{path}?token=" in each["link"])
        return str(mail["link"].rpartition("=")[2])

    async def follow(self, path: str, token: str) -> None:
        """Follow a mailed link and press its button."""
        page = await self.get(path, token=token)
        done = await self.browser.post(f"{self.site.mount}{path}", csrf=page.csrf, token=token)
        assert done.status in {200, 303}, done

    async def create_app(self, **fields: str) -> tuple[str, str]:
        """Create an app; return its id and secret."""
        page = await self.upload("/apps/new", "/apps/new", {}, **{"name": "Tea House", "id": str(uuid4())} | fields)
        assert page.status == 200, page
        return client_id_of(page), secret_of(page)


async def age_sign_in(stack: GatepostStack, token: str) -> None:
    """Let the sign-in behind a browser's session be an hour old."""
    connection = await asyncpg.connect(load(stack.data_dir).dsns["auth"])
    try:
        aged = "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' WHERE key_hash = $1"
        assert await connection.execute(aged, sha256(token.encode()).digest()) == "UPDATE 1"
    finally:
        await connection.close()
    await until_it_shows()


def secret_of(page: Page) -> str:
    """Return the secret a page shows."""
    found = _SECRET.search(page.text)
    assert found, page.text
    return found[1]


def client_id_of(page: Page) -> str:
    """Return the id of the app a page is about."""
    found = _CLIENT_ID.search(page.text)
    assert found, page.text
    return found[1]


def visit_maker(make_site: Callable[..., Site]) -> Callable[..., Any]:
    """Return a function that signs somebody new in at a site: a site of his own unless one is given."""

    async def make(site: Site | None = None, **more: Any) -> Visit:
        there = site or make_site()
        person = await there.person(**more)
        return Visit(there, person, await there.browser(person))

    return make
