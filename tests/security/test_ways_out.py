"""Nobody is sent elsewhere, an app's address is taken as it was registered, and looking at a link does nothing."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from aiohttp import ClientSession
from dialects.ihopr_client import new_email
from dialects.own_pages import Visit
from dialects.pages_client import form
from dialects.redirect_client import REDIRECT_URL, Browser, Page
from dialects.vorgid_client import AUTHORIZE
from security.databases import Databases
from security.page_forms import confirm_email, keep_account, reset_password, undo_email_change
from security.world import World
from yarl import URL

from gateway.pages import PAGES
from gateway.web.paths import is_local
from gateway.web.session import SESSION

# Ways to write an address elsewhere that some browser or some check has fallen for.
ELSEWHERE = (
    *("https://evil.example", "http://evil.example/", "//evil.example", "///evil.example", "////evil.example"),
    *("/\\evil.example", "\\/evil.example", "\\\\evil.example", "/\\/evil.example", "/\\\\evil.example"),
    *("/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/ /evil"),
    *("\x00//evil.example", "/\x0b/evil.example", "/\u2028/evil.example", "/\u3000/evil.example", "/\u2215evil"),
    *("https:evil.example", "https:/evil.example", "https:///evil.example", "HTTPS://evil.example", "http:\\\\evil"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x"),
    *("ftp://evil.example", "mailto:a@evil.example", "blob:https://evil.example/x", "file:///etc/passwd"),
    *("evil.example", "evil.example/x", "@evil.example", ":80", "?next=//evil.example", "#//evil.example", "."),
    *("..//evil.example", "./\\evil.example", "/.//evil.example", "/..//evil.example", "/x//evil.example/y"),
    *("https://127.0.0.1@evil.example", "//127.0.0.1@evil.example/", "//evil.example:443", "//[::1]/", "//0x7f.1"),
    *(
        "/a\\b",
        "/\x7f/evil.example",
        "/é//evil.example",
        "/" + "a" * 2048,
        "//evil.example\\@127.0.0.1",
        "/%0d%0aX: y ",
    ),
)
# Of the registered `https://app.example/my_redirect_url.php`: near misses.
NOT_REGISTERED = (
    *("https://app.example/my_redirect_url.php/", "https://app.example/my_redirect_url.php?", f"{REDIRECT_URL}#"),
    *("https://app.example/my_redirect_url.php?x=y", "https://app.example/my_redirect_url.php/..", f"{REDIRECT_URL} "),
    *("https://app.example/", "https://app.example", "http://app.example/my_redirect_url.php", f" {REDIRECT_URL}"),
    *("https://APP.example/my_redirect_url.php", "HTTPS://app.example/my_redirect_url.php", f"{REDIRECT_URL}%00"),
    *("https://app.example:443/my_redirect_url.php", "https://app.example./my_redirect_url.php", "//app.example/x"),
    *("https://user@app.example/my_redirect_url.php", "https://app.example@evil.example/my_redirect_url.php"),
    *("https://app.example.evil.example/my_redirect_url.php", "https://evil.example/?https://app.example/"),
    *("https://app.example/my%5Fredirect_url.php", "https://app.example/./my_redirect_url.php", "/my_redirect_url.php"),
    *("https://app.example\\my_redirect_url.php", "https://app.example/my_redirect_url.php\\", "javascript:alert(1)"),
    *("https://app.example/MY_redirect_url.php", "https://app.example//my_redirect_url.php", "*", "https://*/"),
)


def stays(world: World, page: Page) -> bool:
    """Say whether a browser that is sent on is still here, however it reads the address."""
    read = page.location.replace("\\", "/").replace("\t", "").replace("\n", "").replace("\r", "")
    return urlsplit(urljoin(world.stack.url, read)).netloc == urlsplit(world.stack.url).netloc


@pytest.fixture(scope="module")
async def visit(world: World) -> Visit:
    return await world.visit()


@pytest.mark.parametrize("target", ELSEWHERE, ids=ascii)
def test_an_address_elsewhere_is_told_from_one_here(target: str) -> None:
    assert not is_local(target)


@pytest.mark.parametrize("target", ["/", "/account", "/t/p1/account?done=1&x=//y", "/a.b-c_d~e/%2F%2Fevil.example"])
def test_an_address_here_is_taken(target: str) -> None:
    assert is_local(target)


async def test_next_leads_nowhere_else_at_any_door(world: World) -> None:
    person = await world.site.person()
    visit = await world.visit()
    door = world.door()
    _, held = form(await door.open("/sign-in"))
    for target in ELSEWHERE:
        passed = await visit.get("/sign-in", next=target)
        refused = passed.status == 422  # a NUL is no text
        assert refused or (passed.status, passed.location) == (303, f"{world.site.mount}/account"), target
        out = await visit.browser.post(f"{world.site.mount}/sign-out?{urlencode({'next': target})}", csrf="0")
        assert out.status in {403, 422}
        shown = await door.open("/sign-in", next=target)
        assert 'name="next" value=""' in shown.text or 'name="next"' not in shown.text, target
    for target in ELSEWHERE[::7]:
        fields = {"email": person.email, "password": person.password, "next": target}
        browser = Browser(world.session, world.stack.url, dict(door.browser.cookies))
        done = await browser.post(f"{world.site.mount}/sign-in", csrf=held["csrf"], **fields)
        assert (done.status, done.location) == (303, f"{world.site.mount}/account"), target
        csrf = (await browser.get(f"{world.site.mount}/account")).csrf
        left = await browser.post(f"{world.site.mount}/sign-out", csrf=csrf, next=target)
        assert left.location == f"{world.site.mount}/sign-in?done=signed-out", target


@pytest.mark.parametrize(
    "path", ["//evil.example/account", "/\\evil.example/account", "/%5cevil.example", "/%2f%2fevil"]
)
async def test_a_path_that_looks_like_another_host_is_led_nowhere(world: World, path: str) -> None:
    browser = Browser(world.session, world.stack.url)
    for each in (path, f"{world.site.mount}{path}", f"{path}/../account"):
        page = await browser.get(each)
        assert "Location" not in page.headers or stays(world, page), each


@pytest.mark.parametrize("url", NOT_REGISTERED, ids=ascii)
async def test_an_app_is_answered_at_its_registered_address_only(world: World, visit: Visit, url: str) -> None:
    for name in ("redirect_url", "redirect_uri"):
        query = {key: value for key, value in world.vorgid.asked().items() if key != "redirect_url"} | {name: url}
        for more in ({}, {"response_type": "token"}, {"scopes": "nothing"}):
            page = await visit.get(AUTHORIZE, **query | more)
            assert (page.status, "Location" in page.headers) == (400, False), (name, more)
            assert "code=" not in page.text


async def test_sngine_sends_to_the_registered_address_whatever_it_is_asked(world: World) -> None:
    visit = await world.visit()
    for name in ("redirect_url", "redirect_uri", "return_to", "next"):
        query = {"app_id": world.app.client_id, name: "https://evil.example/"}
        back = await visit.site.allowed(visit.browser, "/api/oauth", **query) if name == "redirect_url" else None
        page = back or await visit.get("/api/oauth", **query)
        assert page.location.startswith(f"{REDIRECT_URL}?auth_key="), page


async def test_a_state_cannot_break_out_of_the_address_it_goes_back_in(world: World) -> None:
    visit = await world.visit()
    await world.vorgid_code(visit.browser)
    for state in ("a&code=stolen", "a#b", "a\r\nX-Evil: 1", "a b", "%0d%0a", "é&", "</script>", "a;b"):
        page = await visit.browser.get(f"{world.site.mount}{AUTHORIZE}?{urlencode(world.vorgid.asked(state=state))}")
        if page.status == 302:
            assert page.parameters["state"] == state
            assert page.location.count("code=") == 1
            assert quote(state, safe="") in page.location.replace("+", "%20")
        assert "X-Evil" not in page.headers


async def test_every_page_of_ones_own_has_the_way_out_and_hides_what_is_typed(world: World) -> None:
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    pages = [route.path for route in PAGES.routes if route.methods == "GET" and route.guard is SESSION]
    for path in pages:
        page = await visit.get(path.replace("{client_id}", client_id))
        if page.status == 200 and page.headers["Content-Type"].startswith("text/html"):
            assert f'action="{visit.site.mount}/sign-out"' in page.text, path
    doors = [await world.door().open(path) for path in ("/sign-in", "/sign-up")]
    for shown in [*doors, await visit.get("/account/password"), (await reset_page(world))]:
        fields = [tag for tag in re.findall(r"<input[^>]*>", shown.text) if "password" in tag]
        assert fields
        assert all('type="password"' in tag and "autocomplete=" in tag for tag in fields)


async def reset_page(world: World) -> Page:
    """Return the page that asks for a new password."""
    door = world.door()
    return await door.follow(await door.submit(await door.open("/forgot-password"), email=new_email()))


# A look acts not

LINKS = {
    "/confirm-email": confirm_email,
    "/undo-email-change": undo_email_change,
    "/keep-account": keep_account,
    "/reset-password": reset_password,
}


@pytest.mark.parametrize("path", LINKS)
async def test_a_mailed_link_acts_on_no_look_however_often(
    world: World, session: ClientSession, databases: Databases, path: str
) -> None:
    filled = await LINKS[path](world)
    token = filled.fields.get("token") or filled.fields["handle"] + filled.fields["code"]
    link = f"{world.stack.url}{world.site.mount}{path}?token={token}"
    before = await databases.lasting()
    looks: list[Callable[[], Awaitable[int]]] = [
        lambda: _look(session, "HEAD", link),
        lambda: _look(session, "GET", link),
        lambda: _look(session, "GET", link, {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"}),
        lambda: _look(session, "GET", link, {"User-Agent": "A mail server that looks for malice"}),
        lambda: _look(session, "GET", link.replace("?", "/?")),
        lambda: _look(session, "OPTIONS", link),
        lambda: _look(session, "POST", link),  # without the form
        lambda: _look(session, "PUT", link),
    ]
    for look in looks * 2:
        assert await look() < 500
    assert await databases.lasting() == before
    assert (await filled.send()).status == filled.status
    assert await databases.lasting() != before


async def _look(session: ClientSession, method: str, link: str, headers: dict[str, str] | None = None) -> int:
    url = URL(link, encoded=True)
    async with session.request(method, url, headers=headers, allow_redirects=False) as answer:
        await answer.read()
        return answer.status


async def test_nothing_is_changed_by_a_get_of_any_page(world: World, databases: Databases) -> None:
    """With whatever a form of the same address would take."""
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    before = await databases.lasting()
    fields = {"csrf": (await visit.get("/account")).csrf, "sure": "yes", "password": "harbour-violin-97", "name": "Eve"}
    for path in (
        "/account/delete",
        "/account/password",
        "/sign-out",
        f"/apps/{client_id}/delete",
        f"/apps/{client_id}",
    ):
        await visit.get(path, **fields)
    assert await databases.lasting() == before
