"""Every page in four looks: axe-core finds nothing, nothing is wider than the screen, and a screenshot is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
from browser.visitor import Visitor
from conftest import GatepostStack
from playwright.async_api import Browser

PASSWORD = "tunnel-lantern-42"
REDIRECT_URL = "https://app.example/back"
LOOKS = [
    pytest.param((scheme, width), id=f"{scheme}-{width}") for scheme, width in product(("light", "dark"), (1280, 390))
]
OUTSIDE = (
    "/sign-in",
    "/sign-in?next=/api/oauth%3Fapp_id%3D{app_id}",
    "/sign-up",
    "/forgot-password",
    "/reset-password?token=" + "0" * 76,
    "/confirm-email?token=" + "0" * 64,
    "/undo-email-change?token=" + "0" * 64,
    "/keep-account?token=" + "0" * 64,
    "/api/oauth?app_id=1",
    "/nothing-here",
    "/docs",
    "/docs/ihopr",
    "/docs/sngine",
    "/outbox",
)
INSIDE = (
    "/account",
    "/account/profile",
    "/account/picture",
    "/account/email",
    "/account/password",
    "/account/phone",
    "/account/apps",
    "/account/sessions",
    "/account/data",
    "/account/delete",
    "/apps",
    "/apps/new",
    "/api/oauth?app_id={app_id}",
)


@pytest.fixture(scope="module")
def app_id(stack: GatepostStack) -> str:
    created = stack.cli(
        "app", "create", "Harbour", "--project", "default", "--redirect-url", REDIRECT_URL, "--scope", "birthdate"
    )
    return str(created["app_id"])


@pytest.fixture(params=LOOKS)
async def look(request: pytest.FixtureRequest, browser: Browser, stack: GatepostStack) -> AsyncIterator[Visitor]:
    scheme, width = request.param
    context = await browser.new_context(
        base_url=stack.url, locale="en-GB", color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    yield Visitor(await context.new_page(), stack)
    await context.close()


async def look_at(visitor: Visitor, path: str, keep: Path) -> None:
    await visitor.open(path)
    await visitor.check_accessibility()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    await visitor.page.screenshot(path=keep, full_page=True)


def name_of(path: str, request: pytest.FixtureRequest) -> str:
    look = request.node.callspec.id
    place, _, query = path.partition("?")
    asked = "-for-an-app" if "{app_id}" in query else "-refused" if query else ""
    return f"{place.strip('/').replace('/', '-')}{asked}-{look}"


async def test_pages_of_visitors(
    look: Visitor, app_id: str, request: pytest.FixtureRequest, screenshots: Callable[[str], Path]
) -> None:
    for path in OUTSIDE:
        await look_at(look, path.format(app_id=app_id), screenshots(name_of(path, request)))
    assert [each for each in look.complaints if "404" not in each] == []


async def test_pages_of_people_who_are_signed_in(
    look: Visitor, app_id: str, request: pytest.FixtureRequest, screenshots: Callable[[str], Path]
) -> None:
    email = f"eve-{uuid4().hex[:10]}@example.com"
    await asyncio.to_thread(
        look.stack.cli,
        *("user", "create", email, "--project", "default", "--password", PASSWORD),
        *("--first-name", "Evelyn", "--last-name", "Adler"),
    )
    await look.open("/sign-in?next=/account")
    await look.fill(email=email, password=PASSWORD)
    await look.press("Sign in")
    await look.open("/apps/new")
    await look.fill(name="Lighthouse", redirect_urls=REDIRECT_URL)
    await look.press("Create App")
    await look.check_accessibility()
    await look.page.screenshot(path=screenshots(f"apps-created-{request.node.callspec.id}"), full_page=True)
    own = await look.page.locator("code.copy").first.inner_text()
    for path in (*INSIDE, f"/apps/{own}", f"/apps/{own}/delete"):
        name = name_of(path.replace(own, "one"), request)
        await look_at(look, path.format(app_id=app_id), screenshots(name))
    assert look.complaints == []
