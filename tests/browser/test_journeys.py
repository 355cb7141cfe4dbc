"""Whole journeys of people at a real browser, over the running stack; axe-core looks at the pages on the way."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from browser.app_site import AppSite, app_site
from browser.visitor import Visitor
from conftest import GatepostStack
from dialects.own_pages import age_sign_in
from PIL import Image

PASSWORD = "tunnel-lantern-42"
NEW_PASSWORD = "harbour-lantern-43"


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[AppSite]:
    async with app_site() as running:
        yield running


def somebody() -> str:
    return f"ann-{uuid4().hex[:10]}@example.com"


async def sign_up(visitor: Visitor, email: str, at: str = "") -> None:
    await visitor.open(f"{at}/sign-up")
    await visitor.check_accessibility()
    await visitor.fill(first_name="Ann", last_name="Walker", email=email, password=PASSWORD)
    await visitor.press("Create account")


def make_app(stack: GatepostStack, site: AppSite, *options: str) -> dict[str, str]:
    name = f"Harbour {uuid4().hex[:6]}"
    return stack.cli("app", "create", name, "--project", "default", "--redirect-url", site.redirect_url, *options)


async def test_from_sign_up_over_consent_to_an_auth_key(visitor: Visitor, site: AppSite, stack: GatepostStack) -> None:
    app = await asyncio.to_thread(make_app, stack, site, "--scope", "birthdate")
    email = somebody()
    await visitor.open(f"/api/oauth?app_id={app['app_id']}&state=s-1")
    assert await visitor.heading() == "Sign in"
    await visitor.page.get_by_role("link", name="Create an account").click()
    await visitor.check_accessibility()
    await visitor.fill(first_name="Ann", last_name="Walker", email=email, password=PASSWORD)
    await visitor.press("Create account")
    assert (await visitor.heading()).startswith("Continue to Harbour")
    await visitor.check_accessibility()
    assert "Date of birth" in await visitor.page.locator("main").inner_text()
    await visitor.press("Continue as Ann")
    assert await visitor.heading() == "Welcome back"
    arrival = site.arrivals[-1]
    assert arrival["state"] == "s-1"
    keys = {"app_id": app["app_id"], "app_secret": app["app_secret"], "auth_key": arrival["auth_key"]}
    async with ClientSession(stack.url) as client:
        async with client.post("/api/authorize", data=keys) as answer:
            token = (await answer.json())["access_token"]
        async with client.get("/api/get_user_info", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert (await answer.json())["user_info"]["user_email"] == email


async def test_a_repeated_visit_is_not_asked_again(visitor: Visitor, site: AppSite, stack: GatepostStack) -> None:
    app = await asyncio.to_thread(make_app, stack, site)
    await sign_up(visitor, somebody())
    await visitor.open(f"/api/oauth?app_id={app['app_id']}")
    await visitor.press("Continue as Ann")
    seen = len(site.arrivals)
    await visitor.open(f"/api/oauth?app_id={app['app_id']}")
    assert await visitor.heading() == "Welcome back"
    assert len(site.arrivals) == seen + 1


async def test_a_refusal_is_told_to_the_app(visitor: Visitor, site: AppSite, stack: GatepostStack) -> None:
    app = await asyncio.to_thread(make_app, stack, site)
    await sign_up(visitor, somebody())
    await visitor.open(f"/api/oauth?app_id={app['app_id']}&state=s-2")
    await visitor.press("Cancel")
    assert site.arrivals[-1] == {"error": "access_denied", "state": "s-2"}


async def test_signing_in_by_keyboard_alone(visitor: Visitor) -> None:
    email = somebody()
    await sign_up(visitor, email)
    await visitor.page.context.clear_cookies()
    await visitor.open("/account")
    keyboard = visitor.page.keyboard
    await visitor.page.locator('[name="email"]:focus').wait_for()  # the first field has the focus by itself
    await keyboard.type(email)
    await keyboard.press("Tab")
    await keyboard.type(PASSWORD)
    async with visitor.page.expect_navigation():
        await keyboard.press("Enter")
    assert await visitor.heading() == "Ann Walker"
    await visitor.page.locator("body").focus()
    await keyboard.press("Tab")
    focused = visitor.page.locator(":focus")
    assert await focused.inner_text() == "Skip to content"
    await keyboard.press("Enter")
    assert await visitor.page.evaluate("document.activeElement.id") == "main"


async def test_consent_by_keyboard_alone(visitor: Visitor, site: AppSite, stack: GatepostStack) -> None:
    app = await asyncio.to_thread(make_app, stack, site)
    await sign_up(visitor, somebody())
    await visitor.open(f"/api/oauth?app_id={app['app_id']}")
    keyboard = visitor.page.keyboard
    for _ in range(10):
        await keyboard.press("Tab")
        if (await visitor.page.locator(":focus").inner_text()).startswith("Continue as"):
            break
    async with visitor.page.expect_navigation():
        await keyboard.press("Enter")
    assert await visitor.heading() == "Welcome back"
    assert "auth_key" in site.arrivals[-1]


async def test_a_second_step_by_mail(visitor: Visitor, stack: GatepostStack) -> None:
    project = f"steps-{uuid4().hex[:8]}"
    await asyncio.to_thread(stack.cli, "project", "create", project, "--sign-in", "two-step")
    email = somebody()
    await sign_up(visitor, email, f"/t/{project}")
    await visitor.check_accessibility()
    await visitor.fill(code=(await visitor.mail(email, "sign_up_code"))["code"])
    await visitor.press("Continue")
    await visitor.page.context.clear_cookies()
    await visitor.open(f"/t/{project}/sign-in")
    await visitor.fill(email=email, password=PASSWORD)
    await visitor.press("Sign in")
    await visitor.fill(code="100000")
    await visitor.press("Continue")
    assert await visitor.page.get_by_role("alert").is_visible()
    await visitor.check_accessibility()
    await visitor.fill(code=(await visitor.mail(email, "two_step_code"))["code"])
    await visitor.press("Continue")
    assert await visitor.heading() == "Ann Walker"


async def test_a_password_is_reset_by_mail(visitor: Visitor) -> None:
    email = somebody()
    await sign_up(visitor, email)
    await visitor.page.context.clear_cookies()
    await visitor.open("/sign-in")
    await visitor.page.get_by_role("link", name="Forgot your password?").click()
    await visitor.check_accessibility()
    await visitor.fill(email=email)
    await visitor.page.locator("main button[type=submit]").click()
    await visitor.page.wait_for_load_state()
    await visitor.check_accessibility()
    mail = await visitor.mail(email, "reset_link")
    await visitor.open(mail["link"])
    await visitor.check_accessibility()
    await visitor.fill(password=NEW_PASSWORD)
    await visitor.page.locator("main button[type=submit]").first.click()
    await visitor.page.wait_for_load_state()
    await visitor.open("/sign-in")
    await visitor.fill(email=email, password=NEW_PASSWORD)
    await visitor.press("Sign in")
    assert await visitor.heading() == "Ann Walker"


async def test_an_address_is_confirmed_by_a_button_and_not_by_opening_the_link(visitor: Visitor) -> None:
    email = somebody()
    await sign_up(visitor, email)
    link = (await visitor.mail(email, "confirm_email"))["link"]
    await visitor.open(link)
    await visitor.open("/account")
    assert "not confirmed" in await visitor.page.locator("main").inner_text()
    await visitor.open(link)
    await visitor.check_accessibility()
    await visitor.press("Confirm address")
    await visitor.open("/account")
    assert "not confirmed" not in await visitor.page.locator("main").inner_text()


async def test_a_picture_is_set_and_shown(visitor: Visitor) -> None:
    await sign_up(visitor, somebody())
    await visitor.open("/account/picture")
    await visitor.check_accessibility()
    picture = BytesIO()
    Image.new("RGB", (300, 200), "teal").save(picture, "PNG")
    await visitor.page.locator("main input[type=file]").first.set_input_files(
        {"name": "me.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    async with visitor.page.expect_navigation():
        await visitor.page.locator("main form[enctype] button[type=submit]").first.click()
    await visitor.open("/account")
    width = await visitor.page.locator("main img.face").evaluate("image => image.naturalWidth")
    assert width in {100, 170, 300}


async def test_an_app_is_registered_and_its_secret_shown_once(visitor: Visitor, site: AppSite) -> None:
    await sign_up(visitor, somebody())
    await visitor.open("/apps")
    await visitor.check_accessibility()
    await visitor.page.get_by_role("link", name="Create App").click()
    await visitor.check_accessibility()
    await visitor.fill(name="Lighthouse", redirect_urls=site.redirect_url)
    await visitor.press("Create App")
    assert await visitor.heading() == "Lighthouse is ready"
    await visitor.check_accessibility()
    app_id, secret = await visitor.page.locator("code.copy").all_inner_texts()
    assert len(secret) == 32
    await visitor.page.get_by_role("link", name="I have stored the secret").click()
    await visitor.check_accessibility()
    assert secret not in await visitor.page.content()
    assert app_id in await visitor.page.locator("pre").first.inner_text()
    await visitor.page.get_by_role("link", name="Log in with").click()
    await visitor.press("Continue as Ann")
    assert "auth_key" in site.arrivals[-1]
    await visitor.open("/account/apps")
    assert "Lighthouse" in await visitor.page.locator("main").inner_text()
    await visitor.check_accessibility()


async def test_who_signed_in_long_ago_proves_himself_on_the_way_to_a_new_password(visitor: Visitor) -> None:
    email = somebody()
    await sign_up(visitor, email)
    cookies = {each["name"]: each["value"] for each in await visitor.page.context.cookies()}
    await visitor.open("/account/password")
    await age_sign_in(visitor.stack, cookies["__Host-gatepost"])
    await visitor.fill(current_password=PASSWORD, password=NEW_PASSWORD)
    await visitor.press("Save password")
    assert await visitor.heading() == "Sign in"
    await visitor.check_accessibility()
    assert "You signed in a while ago." in await visitor.page.locator("main").inner_text()
    assert await visitor.page.locator('main [name="email"]').input_value() == email
    await visitor.fill(password=PASSWORD)
    await visitor.press("Sign in")
    assert await visitor.heading() == "Password"
    await visitor.check_accessibility()
    await visitor.fill(current_password=PASSWORD, password=NEW_PASSWORD)
    await visitor.press("Save password")
    assert "Your password has been changed." in await visitor.page.locator("main").inner_text()


async def test_every_session_ends_at_once(visitor: Visitor) -> None:
    email = somebody()
    await sign_up(visitor, email)
    other = await visitor.page.context.browser.new_context(base_url=visitor.stack.url)  # type: ignore[union-attr]
    second = Visitor(await other.new_page(), visitor.stack)
    await second.open("/sign-in")
    await second.fill(email=email, password=PASSWORD)
    await second.press("Sign in")
    await second.open("/account/sessions")
    await second.check_accessibility()
    async with second.page.expect_navigation():
        await second.page.locator('form[action="/account/sessions/end"] button').click()
    await visitor.open("/account")
    assert await visitor.heading() == "Sign in"
    assert second.complaints == []
    await other.close()


@pytest.mark.parametrize("language", ["de", "es", "fr", "id", "uk"])
async def test_the_language_is_switched_by_a_link_and_kept(visitor: Visitor, language: str) -> None:
    await visitor.open("/sign-in")
    await visitor.page.locator(f'footer a[hreflang="{language}"]').click()
    assert await visitor.page.locator("html").get_attribute("lang") == language
    assert await visitor.heading() != "Sign in"
    await visitor.open("/sign-up")
    assert await visitor.page.locator("html").get_attribute("lang") == language


async def test_fields_have_what_password_managers_look_for(visitor: Visitor) -> None:
    wanted = {
        "/sign-in": {"email": "username", "password": "current-password"},
        "/sign-up": {
            "first_name": "given-name",
            "last_name": "family-name",
            "email": "email",
            "password": "new-password",
        },
        "/forgot-password": {"email": "email"},
    }
    for path, fields in wanted.items():
        await visitor.open(path)
        for name, value in fields.items():
            assert await visitor.page.locator(f'main [name="{name}"]').get_attribute("autocomplete") == value
