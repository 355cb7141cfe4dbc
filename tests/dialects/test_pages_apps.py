"""The app dashboard over real HTTP: an app from creation to its end, the secret shown once, and other people's."""

import asyncio
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import drawn
import pytest
from dialects.own_pages import Visit, client_id_of, secret_of, visit_maker
from dialects.redirect_client import Site

from gatepost.auth.v1.apps_pb2 import GetAppRequest
from gateway.clients import Clients

REDIRECT = "https://tea.example/signed-in"


@pytest.fixture(scope="module")
def visit_somebody(make_site: Callable[..., Site]) -> Callable[..., Any]:
    return visit_maker(make_site)


@pytest.fixture(scope="module")
async def ann(visit_somebody: Callable[..., Any]) -> Visit:
    visit: Visit = await visit_somebody()
    return visit


@pytest.fixture(scope="module")
async def bob(ann: Visit, visit_somebody: Callable[..., Any]) -> Visit:
    visit: Visit = await visit_somebody(ann.site)
    return visit


async def test_nobody_has_an_app_at_first(bob: Visit) -> None:
    text = await bob.shown("/apps")
    assert "No app yet" in text
    assert "Create App" in text


async def test_developers_leads_to_the_dashboard(bob: Visit) -> None:
    page = await bob.get("/developers")
    bob.led_to(page, "/apps")


async def test_an_app_is_created_and_its_secret_shown_in_that_answer_alone(ann: Visit, core: Clients) -> None:
    fields = {
        "id": str(uuid4()),
        "name": "Tea & <House>",
        "website": "https://tea.example",
        "description": "Orders tea\r\nfor you",
        "redirect_urls": f"{REDIRECT}\r\n\r\n http://localhost:3000/back ",
        "origins": "https://tea.example",
        "scope_birthdate": "yes",
        "scope_user_email": "yes",
    }
    await ann.shown("/apps/new")
    page = await ann.upload("/apps/new", "/apps/new", {"icon": drawn.plain()}, **fields)
    assert page.status == 200
    assert page.headers["Cache-Control"] == "no-store"
    client_id, secret = client_id_of(page), secret_of(page)
    app = (await core.apps.GetApp(GetAppRequest(client_id=client_id))).app
    assert (app.name, app.website, app.description) == ("Tea & <House>", "https://tea.example", "Orders tea\nfor you")
    assert list(app.redirect_urls) == [REDIRECT, "http://localhost:3000/back"]
    assert set(app.scopes) - {"basic"} == {"birthdate", "VorgID::user::email"}
    assert not app.allow_query_secret
    assert app.icon_picture
    for path in ("/apps", f"/apps/{client_id}"):
        text = await ann.shown(path)
        assert "Tea & <House>" in text
        assert client_id in text
        assert f"/pictures/{app.icon_picture}/" in text
        assert secret not in text
    # The page is sent once more: no second app.
    again = await ann.upload("/apps/new", "/apps/new", {}, **fields)
    assert (again.status, client_id_of(again)) == (200, client_id)
    assert (await ann.shown("/apps")).count("Tea & <House>") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("description", "x" * 201),
        ("website", "javascript:alert(1)"),
        ("redirect_urls", "http://tea.example/"),
        ("redirect_urls", f"{REDIRECT}\nhttps://tea.example/#fragment"),
        ("origins", "https://tea.example/path"),
    ],
)
async def test_what_an_app_cannot_be_is_said_at_the_field(bob: Visit, field: str, value: str) -> None:
    fields = {"id": str(uuid4()), "name": "Refused", "scope_gender": "yes"} | {field: value}
    page = await bob.send("/apps/new", "/apps/new", **fields)
    assert page.status == 422
    assert f'id="{field}-error"' in page.text
    assert f'value="{fields["id"]}"' in page.text
    assert 'name="scope_gender" type="checkbox" value="yes" checked' in page.text
    assert "Refused" not in await bob.shown("/apps")


async def test_an_icon_that_is_no_picture_is_said_at_the_field(bob: Visit) -> None:
    page = await bob.upload("/apps/new", "/apps/new", {"icon": b"nothing"}, id=str(uuid4()), name="Refused")
    assert page.status == 422
    assert 'id="icon-error"' in page.text
    assert "Refused" not in await bob.shown("/apps")


async def test_settings_are_changed(ann: Visit, core: Clients) -> None:
    client_id, _ = await ann.create_app(scope_gender="yes", redirect_urls=REDIRECT)
    path = f"/apps/{client_id}"
    fields = {
        "name": "Coffee House",
        "description": "Orders coffee",
        "website": "https://coffee.example",
        "redirect_urls": "https://coffee.example/in",
        "origins": "",
        "scope_cover": "yes",
        "allow_query_secret": "yes",
        "status_mode": "strict",
    }
    ann.led_to(await ann.upload(path, path, {"icon": drawn.plain()}, **fields), f"{path}?done=saved")
    app = (await core.apps.GetApp(GetAppRequest(client_id=client_id))).app
    assert (app.name, list(app.redirect_urls), app.status_mode) == (
        "Coffee House",
        ["https://coffee.example/in"],
        "strict",
    )
    assert set(app.scopes) - {"basic"} == {"cover"}
    assert app.allow_query_secret
    text = await ann.shown(path, done="saved")
    assert 'name="scope_cover" type="checkbox" value="yes" checked' in text
    assert 'role="status">Saved.' in text
    # Without a new one the icon stays; it goes when asked to.
    ann.led_to(await ann.send(path, path, **fields), f"{path}?done=saved")
    assert (await core.apps.GetApp(GetAppRequest(client_id=client_id))).app.icon_picture == app.icon_picture
    ann.led_to(await ann.send(path, path, **fields, remove_icon="yes"), f"{path}?done=saved")
    assert not (await core.apps.GetApp(GetAppRequest(client_id=client_id))).app.icon_picture
    async with ann.browser.session.get(f"{ann.browser.url}/pictures/{app.icon_picture}/large") as answer:
        assert answer.status == 404


async def test_settings_that_cannot_be_are_said_at_the_field(ann: Visit) -> None:
    client_id, _ = await ann.create_app()
    path = f"/apps/{client_id}"
    page = await ann.send(path, path, name="Other", redirect_urls="ftp://tea.example")
    assert page.status == 422
    assert 'id="redirect_urls-error"' in page.text
    assert "ftp://tea.example" in page.text
    assert "<h1>Tea House</h1>" in await ann.shown(path)


async def test_secrets_are_rotated(ann: Visit) -> None:
    client_id, first = await ann.create_app()
    path = f"/apps/{client_id}"
    made = await ann.send(f"{path}/secrets", path)
    assert made.status == 200
    second = secret_of(made)
    assert second != first
    text = await ann.shown(path)
    assert f"…{first[-4:]}" in text
    assert f"…{second[-4:]}" in text
    assert second not in text
    # Two live beside each other; the page is sent once more.
    ann.led_to(await ann.send(f"{path}/secrets", path), f"{path}?done=secrets-full")
    secret_id = text.partition("/secrets/")[2].partition("/revoke")[0]
    ann.led_to(await ann.send(f"{path}/secrets/{secret_id}/revoke", path), f"{path}?done=secret-revoked")
    assert "/revoke" not in await ann.shown(path)
    assert (await ann.send(f"{path}/secrets/{secret_id}/revoke", path)).status == 404


async def test_an_app_is_deleted(ann: Visit, core: Clients) -> None:
    client_id, _ = await ann.create_app(name="Short lived")
    path = f"/apps/{client_id}"
    assert "Short lived" in await ann.shown(f"{path}/delete")
    ann.led_to(await ann.send(f"{path}/delete", f"{path}/delete"), "/apps?done=deleted")
    assert "Short lived" not in await ann.shown("/apps", done="deleted")
    assert (await ann.get(path)).status == 404


async def test_somebody_elses_app_is_not_there(ann: Visit, bob: Visit) -> None:
    client_id, _ = await ann.create_app()
    path = f"/apps/{client_id}"
    secret_id = "00000000-0000-4000-8000-000000000000"
    for shown in (path, f"{path}/delete"):
        assert (await bob.get(shown)).status == 404
    for sent in (path, f"{path}/secrets", f"{path}/secrets/{secret_id}/revoke", f"{path}/delete"):
        assert (await bob.send(sent, name="Mine now")).status == 404
    assert "<h1>Tea House</h1>" in await ann.shown(path)


@pytest.mark.parametrize("name", ["0", "nothing", "999999999999999", "%00", "12345678901234567890"])
async def test_an_app_that_is_not_there(bob: Visit, name: str) -> None:
    assert (await bob.get(f"/apps/{name}")).status == 404


async def test_the_page_has_what_a_developer_copies(ann: Visit) -> None:
    client_id, secret = await ann.create_app(redirect_urls=REDIRECT)
    text = await ann.shown(f"/apps/{client_id}")
    base = ann.browser.url
    assert f'href="{base}/api/oauth?app_id={client_id}"' in text
    for piece in (
        f"{base}/api/authorize",
        f"{base}/api/get_user_info",
        f"--data-urlencode app_id={client_id}",
        f"'app_id' => '{client_id}'",
        f'app_id: "{client_id}"',
        f'"app_id": "{client_id}"',
        "Authorization: Bearer",
        "GATEPOST_APP_SECRET",
    ):
        assert piece in text
    assert secret not in text


async def test_usage_is_shown_for_every_day(ann: Visit) -> None:
    client_id, secret = await ann.create_app(redirect_urls=REDIRECT)
    page = await ann.site.allowed(ann.browser, "/api/oauth", app_id=client_id)
    assert page.status == 302, page
    form = {"app_id": client_id, "app_secret": secret, "auth_key": page.parameters["auth_key"]}
    async with ann.browser.session.post(f"{ann.browser.url}/api/authorize", data=form) as answer:
        assert (await answer.json())["access_token"]
    text = unescape((await ann.get(f"/apps/{client_id}")).text)
    assert text.count("<time datetime=") == 14
    assert 'value="1"' in text.partition("<tbody>")[2].partition("</tr>")[0]
    assert "1 sign-in in the last 14 days" in await ann.shown("/apps")


async def test_the_python_snippet_signs_a_person_in(ann: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    client_id, secret = await ann.create_app(redirect_urls=REDIRECT)
    text = await ann.shown(f"/apps/{client_id}")
    code = text.partition('aria-label="Python"><code>')[2].partition("</code>")[0]
    monkeypatch.setenv("GATEPOST_APP_SECRET", secret)
    snippet: dict[str, Any] = {}
    exec(code, snippet)  # noqa: S102 what developers paste is run as they run it
    session: dict[str, str] = {}
    query = dict(parse_qsl(urlsplit(snippet["login_url"](session)).query))
    page = await ann.site.allowed(ann.browser, "/api/oauth", **query)
    who = await asyncio.to_thread(snippet["who_is_it"], session, page.parameters)
    assert (who["user_email"], who["user_firstname"]) == (ann.person.email, "Ann")
