"""Everything once, by a client that is watched: each request of each dialect, each page, each form, right and wrong.

What was seen is in a `Recorder`; what is to be found in it, the tests say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import ClientSession
from budget.test_budget import CASES
from dialects.ihopr_client import new_email
from drawn import plain
from security.page_forms import FORMS
from security.recorder import Recorder
from security.world import World, place_of
from yarl import URL

from gateway.dialect import Route
from gateway.dialects import DIALECTS
from gateway.pages import PAGES
from gateway.web.session import SESSION

_BROWSER = {"Accept": "text/html"}
_ELSEWHERE = ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/nothing/at/all", "/favicon.ico")


@dataclass(frozen=True)
class Walked:
    """What came of it.

    Args:
        world: Where; its session is the watched one.
        seen: Secrets and answers.
        typed_wrong: An address that nobody has, and words typed where they do not belong.
    """

    world: World
    seen: Recorder
    typed_wrong: tuple[str, ...]


async def walk(world: World, seen: Recorder, session: ClientSession) -> Walked:
    """Do everything."""
    watched = replace(world, session=session)
    place = place_of(watched)
    for case in CASES:
        await (await case.prepare(place))()
    for prepare in FORMS.values():
        await (await prepare(watched)).send()
    await _pages(watched)
    for path in _ELSEWHERE:
        for headers in ({}, _BROWSER):
            async with session.get(world.stack.url + path, headers=headers, allow_redirects=False) as answer:
                await answer.read()
    wrong = await _typed_wrong(watched)
    await _gone_wrong(watched, seen)
    return Walked(watched, seen, wrong)


async def _pages(world: World) -> None:
    """Open every page, as somebody who is signed in and as somebody who is not."""
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    for route in PAGES.routes:
        if "GET" in route.methods and "{id}" not in route.path and "{color}" not in route.path:
            path = route.path.replace("{client_id}", client_id)
            await (visit if route.guard is SESSION else world.door()).browser.get(f"{world.site.mount}{path}")
    await visit.upload("/account/picture", "/account", {"picture": plain()})
    shown = (await visit.get("/account/picture")).text.partition('src="/pictures/')[2].partition('"')[0]
    for path in ("/assets/accent/aabbcc.css", f"/pictures/{shown}"):
        async with world.session.get(world.stack.url + path) as answer:
            assert await answer.read()


async def _typed_wrong(world: World) -> tuple[str, ...]:
    """Type an address that nobody has, and a password where an address belongs."""
    email, password = f"typed-wrong-{uuid4().hex}@example.com", f"typed-in-the-wrong-place-{uuid4().hex}"
    credentials = world.app.credentials
    await world.ihopr.post("login", credentials | {"email": email, "password": password})
    await world.ihopr.post("login", credentials | {"email": password, "password": password})
    await world.ihopr.post("send-reset-password-code", credentials | {"email": email})
    await world.shoop.post("auth/login", email=password, password=password)
    await world.ossn.authenticate(password, password)
    for app in (world.app, world.two_step_app, world.otp_app):
        await world.door(app).sign_in(password, password)
        await world.door(app).sign_in(email, password)
    visit = await world.visit()
    await visit.send("/account/email", email=password)
    await visit.send("/account/password", password="short", current_password=password)
    return email, password


async def _gone_wrong(world: World, seen: Recorder) -> None:
    """Send every endpoint values of its own that are nobody's, in the query and in the body."""
    visit = await world.visit()
    cookies = "; ".join(f"{name}={value}" for name, value in visit.browser.cookies.items())
    for mount, route, method in _endpoints(world):
        path = mount + re.sub(r"\{\w+\}", "0" * 32, route.path)
        given = dict(_made_up(route, seen))
        url = URL(world.stack.url + path)
        token = _planted(seen, "Authorization")
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"{cookies}; __Host-gatepost-visit={'0' * 64}"}
        ways: tuple[dict[str, Any], ...] = (
            {"url": url.with_query(given)},
            {"url": url, "data": urlencode(given), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"url": url, "json": given},
            {"url": url, "data": b'{"password": "' + _planted(seen, "broken").encode()},
        )
        for sent in ways[:1] if method in {"GET", "HEAD"} else ways:
            more = headers | sent.pop("headers", {})
            async with world.session.request(method, headers=more, allow_redirects=False, **sent) as answer:
                assert answer.status < 500, (method, path, await answer.text())


def _endpoints(world: World) -> Iterator[tuple[str, Route, str]]:
    for dialect in (*DIALECTS, PAGES):
        mount = world.site.mount if dialect.mountable else ""
        for route in dialect.routes:
            for method in route.methods.split():
                yield mount, route, method


def _made_up(route: Route, seen: Recorder) -> Iterator[tuple[str, str]]:
    """Yield a value for each of a route's fields; for those that are secret one to look for."""
    for each in fields(route.form) if route.form else ():
        if not each.repr:
            yield each.name, _planted(seen, each.name)
        elif "email" in each.name:
            yield each.name, new_email()
        else:
            yield each.name, "1"


def _planted(seen: Recorder, name: str) -> str:
    value = f"planted{uuid4().hex}"
    seen.keep(f"planted as {name}", value)
    return value


def route_of(path: str, method: str) -> str:
    """Return the route that a path belongs to: dialect, methods, path; empty for none."""
    bare = re.sub(r"^/t/[^/]+", "", path).rstrip("/") or "/"
    for dialect in (*DIALECTS, PAGES):
        for route in sorted(dialect.routes, key=lambda each: each.path.count("{")):
            if method in route.methods.split() and re.fullmatch(
                re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path)), bare
            ):
                return f"{dialect.name} {route.methods} {route.path}"
    return ""


def all_routes() -> set[str]:
    """Return every route in the same words."""
    return {
        f"{dialect.name} {route.methods} {route.path}" for dialect in (*DIALECTS, PAGES) for route in dialect.routes
    }
