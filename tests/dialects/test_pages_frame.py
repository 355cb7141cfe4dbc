"""What holds for every hosted page: no script, our forms only, six languages, errors as pages, pictures and styles."""

import re
from collections.abc import Callable

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App
from dialects.local_gateway import local_gateway
from dialects.pages_client import Door, form, heading
from drawn import plain
from yarl import URL

from gatepost.users.v1.pictures_pb2 import CreatePictureRequest, PictureKind
from gateway.clients import Clients
from gateway.pages import PAGES
from gateway.web.locale import LANGUAGES
from gateway.web.style import STYLE_URL

DOORS = ["/sign-in", "/sign-up", "/forgot-password", "/confirm-email?done=yes", "/nowhere-at-all", "/sign-in/nothing"]
POSTS = sorted({route.path for route in PAGES.routes if route.methods == "POST"})
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def door(make_door: Callable[[App], Door], app: App) -> Door:
    return make_door(app)


async def test_a_way_back_of_many_parameters_is_no_fault_of_ours(session: ClientSession, stack: GatepostStack) -> None:
    async with session.get(f"{stack.url}/sign-in", params={"next": "/account?" + "&a" * 200}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", DOORS)
async def test_no_page_runs_anything_or_loads_from_elsewhere(
    session: ClientSession, stack: GatepostStack, path: str
) -> None:
    async with session.get(f"{stack.url}{path}", headers=BROWSER) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|src=\"http|href=\"http", page)
    assert page.count("<h1>") == 1


@pytest.mark.parametrize("path", POSTS)
async def test_a_form_that_is_not_ours_changes_nothing(door: Door, path: str) -> None:
    await door.sign_up()
    answer = await door.browser.post(door.at(re.sub(r"\{\w+\}", "x", path)), csrf="0" * 64)
    assert answer.status == 403
    assert "Nothing has been changed." in answer.text
    assert await door.is_in()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_form_sent_by_another_site_is_refused_though_it_is_right(
    door: Door, session: ClientSession, stack: GatepostStack, headers: dict[str, str]
) -> None:
    email, _ = await door.sign_up()
    action, held = form(await door.open("/sign-in", prompt="login"))
    cookies = "; ".join(f"{name}={value}" for name, value in door.browser.cookies.items())
    fields = held | {"email": email, "password": "tunnel-lantern-42"}
    async with session.post(stack.url + action, data=fields, headers={"Cookie": cookies, **headers}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_page_is_in_the_language_that_is_asked_for(door: Door, language: str) -> None:
    page = await door.open("/sign-in", lang=language, next="/docs")
    assert f'<html lang="{language}">' in page.text
    assert f'hreflang="{language}" aria-current="true"' in page.text
    switched = re.findall(r'href="([^"]+)" lang="(\w+)"', page.text)
    assert [tag for _, tag in switched] == list(LANGUAGES)
    assert all(address.endswith(f"sign-in?next=%2Fdocs&amp;lang={tag}") for address, tag in switched)
    assert f'<html lang="{language}">' in (await door.open("/sign-up")).text


@pytest.mark.parametrize("path", ["//evil.example/sign-in", "/\\evil.example/", "/\\/evil.example/"])
async def test_an_address_that_looks_like_another_sites_is_not_linked_to(
    session: ClientSession, stack: GatepostStack, path: str
) -> None:
    async with session.get(URL(f"{stack.url}{path}", encoded=True), headers=BROWSER) as answer:
        switched = re.findall(r'href="([^"]+)" lang="', await answer.text())
    assert len(switched) == len(LANGUAGES)
    assert all(address.startswith("/evil.example/") for address in switched)


async def test_a_browsers_language_decides_otherwise(session: ClientSession, stack: GatepostStack) -> None:
    async with session.get(f"{stack.url}/sign-in", headers={"Accept-Language": "fr-CA, en;q=0.5"}) as answer:
        assert answer.headers["Content-Language"] == "fr"
        assert "Mot de passe oublié" in await answer.text()


async def test_mail_comes_in_the_language_of_the_page(make_door: Callable[[App], Door], two_step_app: App) -> None:
    door = make_door(two_step_app)
    await door.open("/sign-up", lang="de")
    email, _ = await door.sign_up()
    assert "Ihre Adresse" in (await door.mail(email, "sign_up_code"))["subject"]


async def test_what_needs_a_session_asks_for_it_and_comes_back(door: Door) -> None:
    answer = await door.open("/account/sessions")
    assert answer.status == 303
    assert answer.location == door.at(f"/sign-in?next=%2Ft%2F{door.app.project}%2Faccount%2Fsessions")


async def test_a_dead_session_is_taken_from_the_browser(door: Door) -> None:
    door.browser.cookies["__Host-gatepost"] = "0" * 64
    answer = await door.open("/account")
    assert (answer.status, door.browser.cookies["__Host-gatepost"]) == (303, "")


async def test_a_wrong_method_is_told_so_on_a_page(door: Door) -> None:
    page = await door.open("/sign-out")
    assert page.status == 405
    assert page.headers["Allow"] == "POST"
    assert heading(page)


async def test_too_many_tries_are_told_when_to_come_back(make_stack: Callable[..., GatepostStack]) -> None:
    stack = make_stack(GATEPOST_SIGN_IN_FAILURES_PER_ADDRESS="1")
    stack.up()
    answers = []
    async with ClientSession(stack.url) as client:
        for _ in range(3):
            async with client.get("/sign-in") as shown:
                cookie = shown.headers["Set-Cookie"].partition(";")[0]
                held = dict(re.findall(r'name="(csrf)" value="(\w+)"', await shown.text()))
            fields = held | {"email": "ann@example.com", "password": "not-the-password"}
            async with client.post("/sign-in", data=fields, headers={"Cookie": cookie}) as answer:
                answers.append((answer.status, answer.headers.get("Retry-After", ""), await answer.text()))
    status, wait, page = answers[-1]
    assert status == 429
    assert int(wait) > 0
    assert "Too many tries" in page


async def test_without_the_core_a_page_says_that_it_will_be_back() -> None:
    async with local_gateway() as gateway, gateway.client.get("/sign-in") as answer:
        assert (answer.status, answer.content_type) == (503, "text/html")
        assert int(answer.headers["Retry-After"]) > 0
        assert "We will be right back" in await answer.text()


async def test_the_stylesheet_is_kept_for_ever_under_its_version(session: ClientSession, stack: GatepostStack) -> None:
    async with session.get(f"{stack.url}{STYLE_URL}") as answer:
        assert (answer.status, answer.content_type) == (200, "text/css")
        assert "immutable" in answer.headers["Cache-Control"]
    async with session.get(f"{stack.url}/assets/gatepost.css?v=old") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["red.css", "12345.css", "AABBCC.css", "aabbcc", "aabbcc.css}body{x", "%2e%2e.css"])
async def test_only_colours_are_colours(session: ClientSession, stack: GatepostStack, name: str) -> None:
    async with session.get(f"{stack.url}/assets/accent/{name}") as answer:
        assert answer.status == 404


async def test_a_picture_is_kept_for_ever_and_can_do_nothing(
    session: ClientSession, stack: GatepostStack, core: Clients
) -> None:
    made = await core.pictures.CreatePicture(
        CreatePictureRequest(kind=PictureKind.PICTURE_KIND_ICON, content=plain(300, 300))
    )
    url = f"{stack.url}/pictures/{made.id}/large"
    async with session.get(url) as answer:
        assert answer.status == 200
        assert (await answer.read())[:4] in {b"\x89PNG", b"\xff\xd8\xff\xe0"}
        assert answer.content_type in {"image/png", "image/jpeg"}
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        tag = answer.headers["ETag"]
    async with session.get(url, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


@pytest.mark.parametrize("path", ["x/large", f"{'0' * 32}/large", f"{'0' * 32}/huge", f"{'A' * 32}/large"])
async def test_a_picture_that_is_not_there(session: ClientSession, stack: GatepostStack, path: str) -> None:
    async with session.get(f"{stack.url}/pictures/{path}") as answer:
        assert answer.status == 404
        assert answer.headers["Cache-Control"] == "no-store"
