"""Somebody at the hosted pages, by hand over HTTP: fills the form a page shows, reads the mail, follows one step."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from dialects.ihopr_client import App, Ihopr, new_email
from dialects.redirect_client import Browser, Page

PASSWORD = "tunnel-lantern-42"
SESSION = "__Host-gatepost"
_HEADING = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_ERROR = re.compile(r'<p class="error" id="(\w+)-error">')


class _Forms(HTMLParser):
    """Collects the forms of a page: where they go, and what they hold already."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given["action"], {}))
        elif tag == "input" and self.forms:
            self.forms[-1][1][given["name"]] = given.get("value", "")


def form(page: Page) -> tuple[str, dict[str, str]]:
    """Return where a page's first form goes, and what it holds."""
    parser = _Forms()
    parser.feed(page.text)
    assert parser.forms, page.text
    return parser.forms[0]


def heading(page: Page) -> str:
    """Return what a page says it is."""
    found = _HEADING.search(page.text)
    assert found, page
    return found[1]


def wrong_fields(page: Page) -> list[str]:
    """Return the fields that a page says are wrong."""
    return _ERROR.findall(page.text)


@dataclass(frozen=True)
class Door:
    """The pages of one project, and a browser that has never been there.

    Args:
        browser: The browser.
        app: An app of the project.
        ihopr: To read mail with.
    """

    browser: Browser
    app: App
    ihopr: Ihopr

    def at(self, path: str) -> str:
        """Return where a page of the project is."""
        return f"/t/{self.app.project}{path}"

    async def open(self, path: str, **query: str) -> Page:
        return await self.browser.get(self.at(path), **query)

    async def submit(self, page: Page, **fields: str) -> Page:
        """Fill a page's form and send it."""
        action, held = form(page)
        return await self.browser.post(action, **held | fields)

    async def follow(self, page: Page) -> Page:
        """Go where a page sends the browser, one step."""
        assert page.status == 303, page
        return await self.browser.get(page.location)

    async def sign_up(self, email: str = "", **more: str) -> tuple[str, Page]:
        """Fill the sign-up form; return the address and the answer."""
        email = email or new_email()
        fields: dict[str, str] = {"first_name": "Ann", "last_name": "Lee", "email": email, "password": PASSWORD}
        return email, await self.submit(await self.open("/sign-up"), **fields | more)

    async def sign_in(self, email: str, password: str = PASSWORD, **query: str) -> Page:
        """Fill the sign-in form; return the answer."""
        return await self.submit(await self.open("/sign-in", **query), email=email, password=password)

    async def mail(self, email: str, template: str) -> dict[str, Any]:
        """Return the newest mail of a kind to an address, once there is one."""
        return await self.ihopr.mailed(email, template)

    @property
    def session(self) -> str:
        """The session the browser holds, empty for none."""
        return self.browser.cookies.get(SESSION, "")

    async def is_in(self) -> bool:
        """Whether the browser is let through the door."""
        answer = await self.open("/sign-in")
        return answer.status == 303 and urlsplit(answer.location).path == self.at("/account")
