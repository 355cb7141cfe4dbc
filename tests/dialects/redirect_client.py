"""A browser by hand, for dialects that send people to a consent page: cookies, forms, and where it is sent in the end.

Redirects are never followed: a test looks at each.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person, app_maker
from yarl import URL

REDIRECT_URL = "https://app.example/my_redirect_url.php"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_SHOWN = re.compile(r'name="shown" value="([^"]+)"')
_LINE = re.compile(r"<li>([^<]+)</li>")


@dataclass(frozen=True)
class Page:
    """What a browser got: a page, or where it is sent."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def location(self) -> str:
        return self.headers["Location"]

    @property
    def parameters(self) -> dict[str, str]:
        """What the address it is sent to carries."""
        return dict(parse_qsl(urlsplit(self.location).query))

    @property
    def csrf(self) -> str:
        found = _CSRF.search(self.text)
        assert found, self.text
        return found[1]

    @property
    def shown(self) -> str:
        """The scopes a consent page is about."""
        found = _SHOWN.search(self.text)
        assert found, self.text
        return unescape(found[1])

    @property
    def shares(self) -> list[str]:
        """What a consent page lists."""
        listed = self.text.partition('<ul class="sends">')[2].partition("</ul>")[0]
        return [unescape(line) for line in _LINE.findall(listed)]


@dataclass
class Browser:
    """One person's browser."""

    session: ClientSession
    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **query: str) -> Page:
        """Open a page."""
        return await self._ask("GET", f"{path}?{urlencode(query)}" if query else path)

    async def post(self, path: str, **fields: str) -> Page:
        """Send a form."""
        return await self._ask("POST", path, fields)

    async def sign_in(self, person: Person, target: str, mount: str) -> Page:
        """Sign in below a project's prefix, on the way to `target`; return what follows."""
        shown = await self.get(f"{mount}/sign-in", next=target)
        fields = {"csrf": shown.csrf, "next": target, "email": person.email, "password": person.password}
        return await self.post(f"{mount}/sign-in", **fields)

    async def _ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> Page:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        async with self.session.request(
            method, URL(self.url + path, encoded=True), data=fields, headers=headers, allow_redirects=False
        ) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
            return Page(answer.status, await answer.text(), dict(answer.headers))


@dataclass(frozen=True)
class Site:
    """One project with an app of a redirect dialect, and a person in it."""

    app: App
    stack: GatepostStack
    ihopr: Ihopr
    session: ClientSession

    @property
    def mount(self) -> str:
        return f"/t/{self.app.project}"

    async def person(self, **more: Any) -> Person:
        """Make somebody."""
        return (await self.ihopr.signup(self.app, **more))[0]

    async def browser(self, person: Person | None = None) -> Browser:
        """Open a browser, in which the person is signed in."""
        opened = Browser(self.session, self.stack.url)
        if person is not None:
            answer = await opened.sign_in(person, "", self.mount)
            assert (answer.status, answer.location) == (303, f"{self.mount}/account"), answer
        return opened

    async def allowed(self, browser: Browser, path: str, **query: str) -> Page:
        """Say yes on the consent page; return where that leads."""
        shown = await browser.get(f"{self.mount}{path}", **query)
        assert shown.status == 200, shown
        target = f"{self.mount}{path}?{urlencode(query)}"
        return await browser.post(target, csrf=shown.csrf, shown=shown.shown, decision="allow")


def site_maker(stack: GatepostStack, session: ClientSession) -> Callable[..., Site]:
    """Return a function that makes a project and an app: scopes, and options of `app create`."""

    def make(*scopes: str, redirect_url: str = REDIRECT_URL, options: tuple[str, ...] = ()) -> Site:
        named = tuple(part for scope in scopes for part in ("--scope", scope))
        urls = ("--redirect-url", redirect_url) if redirect_url else ()
        app = app_maker(stack)("none", app_options=(*urls, *named, *options))
        return Site(app, stack, Ihopr(session, stack.url), session)

    return make
