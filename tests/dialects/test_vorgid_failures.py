"""Every way in which VorgID says no, row by row of its contract, against the running stack."""

import asyncio
import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import CHALLENGE, VERIFIER, Answer, new_email, wrong
from dialects.redirect_client import REDIRECT_URL, Page, Site, site_maker
from dialects.vorgid_client import (
    AUTHORIZE,
    EDIT_EMAIL,
    EDIT_PERSONAL,
    EDIT_PHONE,
    SCOPES,
    USER,
    USER_EMAIL,
    Vorgid,
    sign,
)
from drawn import bomb, plain

from gatepost.auth.v1.apps_pb2 import AppType, CreateAppRequest, CreateAppResponse, UpdateAppRequest
from gateway.clients import Clients

AT_ONCE = 20
ROUTES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("GET", "get/personal", USER, {}),
    ("GET", "edit-email", EDIT_EMAIL, {"params": {"email": "a@example.com"}}),
    ("POST", "edit-email", EDIT_EMAIL, {"json": {"email": "a@example.com"}}),
    ("GET", "edit-phone", EDIT_PHONE, {"params": {"phone": "+442079460018"}}),
    ("POST", "edit-phone", EDIT_PHONE, {"data": {"phone": "+442079460018"}}),
    ("GET", "edit-name", EDIT_PERSONAL, {"params": {"name": "Jo"}}),
    ("POST", "edit-name", EDIT_PERSONAL, {"json": {"name": "Jo"}}),
    ("POST", "edit-photo", EDIT_PERSONAL, {"json": {"file": "x"}}),
)
each_route = pytest.mark.parametrize(
    ("method", "path", "scope", "sent"), ROUTES, ids=[f"{method} {path}" for method, path, _, _ in ROUTES]
)


@pytest.fixture(scope="module")
def vorgid(make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack) -> Vorgid:
    return Vorgid(make_site(*SCOPES), session, stack.url)


def assert_refused(answer: Answer, status: int, error: str, data: object) -> None:
    assert (answer.status, answer.body) == (status, {"error": error, "error_data": data})
    assert list(answer.body) == ["error", "error_data"]
    assert "X-Error" not in answer.headers


def assert_invalid(answer: Answer, name: str) -> None:
    assert_refused(answer, 400, "bad request", f"invalid '{name}' value")


def assert_no_grant(answer: Answer, error: str = "invalid_grant", status: int = 400) -> None:
    assert (answer.status, answer.body["error"]) == (status, error), answer
    assert list(answer.body) == ["error", "error_description"]
    assert answer.body["error_description"]
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


# Bearer missing, unknown, expired, revoked


@each_route
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer x"}, {"Authorization": f"bearer {'0' * 68}"}, {"Authorization": "Basic x"}],
)
async def test_a_missing_or_unknown_token(
    vorgid: Vorgid, method: str, path: str, scope: str, sent: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = await vorgid.call(method, path, headers=headers, **sent)
    assert_refused(answer, 401, "unauthorized", {})
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_two_tokens_at_once(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(USER)
    answer = await vorgid.call("GET", "get/personal", token, headers={"Authoriztion": f"bearer {token}"})
    assert_refused(answer, 401, "unauthorized", {})


async def test_neither_cookie_nor_query_prove_anybody(vorgid: Vorgid) -> None:
    person = await vorgid.site.person()
    browser = await vorgid.site.browser(person)
    token = (await vorgid.tokens(browser))["access_token"]
    cookie = {"Cookie": f"__Host-gatepost={browser.cookies['__Host-gatepost']}"}
    for path in ("get/personal", "edit-name"):
        params = {"access_token": token, "name": "Eve"}
        assert_refused(await vorgid.call("GET", path, params=params, headers=cookie), 401, "unauthorized", {})


async def test_a_token_of_another_form(vorgid: Vorgid) -> None:
    _, tokens = await vorgid.site.ihopr.signed_in(vorgid.app)
    assert_refused(await vorgid.call("GET", "get/personal", tokens["access_token"]), 401, "unauthorized", {})
    mine = await vorgid.tokens()
    assert_refused(await vorgid.call("GET", "get/personal", mine["refresh_token"]), 401, "unauthorized", {})
    assert (await vorgid.site.ihopr.call("GET", "user", token=mine["access_token"])).status == 401


async def test_a_token_of_a_disabled_account(vorgid: Vorgid, stack: GatepostStack) -> None:
    person, token = await vorgid.signed_in(USER)
    await asyncio.to_thread(stack.cli, "user", "disable", person.email, "--project", vorgid.app.project)
    assert_refused(await vorgid.call("GET", "get/personal", token), 401, "unauthorized", {})


# Scopes


@each_route
async def test_a_scope_that_is_missing_is_named(
    vorgid: Vorgid, method: str, path: str, scope: str, sent: dict[str, Any]
) -> None:
    others = [each for each in SCOPES if each != scope]
    _, token = await vorgid.signed_in(*others)
    answer = await vorgid.call(method, path, token, **sent)
    assert_refused(answer, 403, "forbidden", f"scope '{scope}' is required")


# E-mail address


@pytest.mark.parametrize("email", [None, "", "nobody", "a@b@c", "a b@example.com", "@example.com"])
async def test_an_address_that_is_missing_or_malformed(vorgid: Vorgid, email: str | None) -> None:
    _, token = await vorgid.signed_in(EDIT_EMAIL)
    params = {} if email is None else {"email": email}
    assert_invalid(await vorgid.call("GET", "edit-email", token, params=params), "email")


async def test_an_address_in_use_gets_the_usual_answer_and_is_never_moved_to(vorgid: Vorgid) -> None:
    holder = await vorgid.site.person()
    _, token = await vorgid.signed_in(EDIT_EMAIL, USER, USER_EMAIL)
    first = await vorgid.success("GET", "edit-email", token, params={"email": holder.email})
    assert list(first) == ["new_email", "hash_token"]
    await vorgid.site.ihopr.mailed(holder.email, "already_registered")
    assert not any(mail["code"] for mail in await vorgid.site.ihopr.mails(holder.email)), "a note, not a code"
    for code in ("123456", "000000"):
        params = {"email": holder.email, "sign": sign(code, first["hash_token"])}
        assert_invalid(await vorgid.call("GET", "edit-email", token, params=params), "sign")
    assert (await vorgid.success("GET", "get/personal", token))["email"] != holder.email


async def started(vorgid: Vorgid) -> tuple[str, str, str, str]:
    """Ask for a new address; return token, address, hash_token and the mailed code."""
    _, token = await vorgid.signed_in(EDIT_EMAIL)
    email = new_email()
    handle = (await vorgid.success("GET", "edit-email", token, params={"email": email}))["hash_token"]
    return token, email, handle, await vorgid.site.ihopr.mailed_code(email)


async def test_a_sign_that_cannot_be_read(vorgid: Vorgid) -> None:
    token, email, handle, code = await started(vorgid)
    no_colon = base64.b64encode(f"{code}{handle}".encode()).decode()
    for unreadable in ("!!!", "a", no_colon, base64.b64encode(b"\xff:\xff").decode(), f"{code}:{handle}", "0" * 5000):
        params = {"email": email, "sign": unreadable}
        assert_invalid(await vorgid.call("GET", "edit-email", token, params=params), "sign")
    done = await vorgid.success("GET", "edit-email", token, params={"email": email, "sign": sign(code, handle)})
    assert done["confirmed"] is True


async def test_a_sign_with_a_wrong_code_five_times(vorgid: Vorgid) -> None:
    token, email, handle, code = await started(vorgid)
    for _ in range(5):
        params = {"email": email, "sign": sign(wrong(code), handle)}
        assert_invalid(await vorgid.call("GET", "edit-email", token, params=params), "sign")
    params = {"email": email, "sign": sign(code, handle)}
    assert_invalid(await vorgid.call("GET", "edit-email", token, params=params), "sign")


async def test_a_sign_is_good_once_for_one_address_and_one_person(vorgid: Vorgid) -> None:
    token, email, handle, code = await started(vorgid)
    other_address = {"email": new_email(), "sign": sign(code, handle)}
    assert_invalid(await vorgid.call("GET", "edit-email", token, params=other_address), "sign")
    _, another = await vorgid.signed_in(EDIT_EMAIL)
    right = {"email": email, "sign": sign(code, handle)}
    assert_invalid(await vorgid.call("GET", "edit-email", another, params=right), "sign")
    assert (await vorgid.success("GET", "edit-email", token, params=right))["confirmed"] is True
    assert_invalid(await vorgid.call("GET", "edit-email", token, params=right), "sign")


async def test_a_sign_of_the_address_is_none_for_the_phone_number(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(EDIT_EMAIL, EDIT_PHONE)
    email = new_email()
    handle = (await vorgid.success("GET", "edit-email", token, params={"email": email}))["hash_token"]
    params = {"phone": "+442079460018", "sign": sign(await vorgid.site.ihopr.mailed_code(email), handle)}
    assert_invalid(await vorgid.call("GET", "edit-phone", token, params=params), "sign")


async def test_a_sign_used_by_twenty_at_once_works_once(vorgid: Vorgid) -> None:
    token, email, handle, code = await started(vorgid)
    params = {"email": email, "sign": sign(code, handle)}
    answers = await asyncio.gather(*(vorgid.call("GET", "edit-email", token, params=params) for _ in range(AT_ONCE)))
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.status for answer in answers} == {200, 400}


async def test_too_many_codes_asked_for(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(EDIT_EMAIL)
    answers = [await vorgid.call("GET", "edit-email", token, params={"email": new_email()}) for _ in range(11)]
    assert_refused(answers[-1], 429, "too many requests", {})
    assert int(answers[-1].headers["Retry-After"]) >= 1


# What changes something wants to be meant


@pytest.mark.parametrize("path", ["edit-email", "edit-phone", "edit-name"])
@pytest.mark.parametrize("header", ["Purpose", "Sec-Purpose"])
async def test_what_is_fetched_ahead_changes_nothing(vorgid: Vorgid, path: str, header: str) -> None:
    _, token = await vorgid.signed_in(*SCOPES)
    params = {"email": new_email(), "phone": "+442079460018", "name": "Eve"}
    for value in ("prefetch", "prefetch;prerender"):
        answer = await vorgid.call("GET", path, token, params=params, headers={header: value})
        assert_refused(answer, 400, "bad request", {})
    assert (await vorgid.success("GET", "get/personal", token))["name"] == "Ann Lee"


@pytest.mark.parametrize("path", ["edit-email", "edit-phone", "edit-name", "edit-photo", "get/personal"])
async def test_head_is_refused(vorgid: Vorgid, session: ClientSession, path: str) -> None:
    _, token = await vorgid.signed_in(*SCOPES)
    async with session.head(
        f"{vorgid.url}/v1/vorg-id/{path}?name=Eve", headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        assert answer.status == 405
    assert (await vorgid.success("GET", "get/personal", token))["name"] == "Ann Lee"


# Phone number


@pytest.mark.parametrize("phone", [None, "", "nobody", "12", "+1"])
async def test_a_number_that_is_missing_or_malformed(vorgid: Vorgid, phone: str | None) -> None:
    _, token = await vorgid.signed_in(EDIT_PHONE)
    params = {} if phone is None else {"phone": phone}
    assert_invalid(await vorgid.call("GET", "edit-phone", token, params=params), "phone")


async def test_a_number_signed_wrongly(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(EDIT_PHONE)
    phone = "+442079460199"
    handle = (await vorgid.success("GET", "edit-phone", token, params={"phone": phone}))["hash_token"]
    code = await vorgid.site.ihopr.mailed_code(phone)
    for signed in (sign(wrong(code), handle), sign(code, "0" * 70), "!!!"):
        params = {"phone": phone, "sign": signed}
        assert_invalid(await vorgid.call("GET", "edit-phone", token, params=params), "sign")


# Name and picture


@pytest.mark.parametrize("name", [None, "", " ", "x" * 101, "a\tb", "a\nb", "a\x7f", "a\0"])
async def test_a_name_that_cannot_be_taken(vorgid: Vorgid, name: str | None) -> None:
    _, token = await vorgid.signed_in(EDIT_PERSONAL)
    body = {} if name is None else {"name": name}
    assert_invalid(await vorgid.call("POST", "edit-name", token, json=body), "name")


def _jpeg() -> bytes:
    return plain(image_format="JPEG")


@pytest.mark.parametrize(
    "file",
    [
        None,
        "",
        "not base64!",
        base64.b64encode(b"no picture").decode(),
        base64.b64encode(_jpeg()).decode(),
        base64.b64encode(plain()[:60]).decode(),
        f"data:image/jpeg;base64,{base64.b64encode(_jpeg()).decode()}",
        ["x"],
    ],
    ids=["none", "empty", "no base64", "no picture", "jpeg", "cut off", "jpeg by its word", "a list"],
)
async def test_a_picture_that_cannot_be_taken(vorgid: Vorgid, file: object) -> None:
    _, token = await vorgid.signed_in(EDIT_PERSONAL)
    body = {} if file is None else {"file": file}
    assert_invalid(await vorgid.call("POST", "edit-photo", token, json=body), "file")


async def test_a_picture_of_too_many_pixels(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(EDIT_PERSONAL)
    body = {"file": base64.b64encode(bomb(40_000, 40_000)).decode()}
    assert_invalid(await vorgid.call("POST", "edit-photo", token, json=body), "file")


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1, 3 * 1024 * 1024])
async def test_a_picture_of_too_many_bytes(vorgid: Vorgid, size: int) -> None:
    _, token = await vorgid.signed_in(EDIT_PERSONAL)
    content = plain()
    file = base64.b64encode(content + b"\0" * (size - len(content))).decode()
    headers = {"Content-Type": "application/json"}
    body = BytesIO(f'{{"file":"{file}"}}'.encode())
    answer = await vorgid.call("POST", "edit-photo", token, data=body, headers=headers)
    assert_refused(answer, 413, "payload too large", "invalid 'file' value")


# Unknown paths and methods, and what a project has turned off


@pytest.mark.parametrize("path", ["nothing", "get", "edit-email/x", "login-safety"])
async def test_an_unknown_path(vorgid: Vorgid, path: str) -> None:
    assert_refused(await vorgid.call("GET", path), 404, "not found", {})


async def test_a_wrong_method(vorgid: Vorgid) -> None:
    answer = await vorgid.call("GET", "edit-photo")
    assert_refused(answer, 405, "method not allowed", {})
    assert answer.headers["Allow"] == "POST"


async def test_a_project_that_does_not_serve_this(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    client = Vorgid(make_site(USER), session, stack.url)
    _, token = await client.signed_in(USER)
    await asyncio.to_thread(stack.cli, "project", "update", client.app.project, "--dialect", "ihopr")
    await asyncio.sleep(2)
    assert_refused(await client.call("GET", "get/personal", token), 404, "not found", {})
    page = await (await client.site.browser()).get(f"{client.site.mount}{AUTHORIZE}", **client.asked(USER))
    assert_page(page, 404, "disabled by the admin")


# Authorize: a page as long as the way back cannot be trusted


def assert_page(page: Page, status: int, text: str) -> None:
    assert (page.status, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8"), page
    assert text in page.text.replace("&#39;", "'")
    assert "Location" not in page.headers


@pytest.mark.parametrize("client_id", ["999999999999999", "abc", "ä"])
async def test_an_unknown_app(vorgid: Vorgid, client_id: str) -> None:
    page = await (await vorgid.site.browser()).get(AUTHORIZE, **vorgid.asked(client_id=client_id))
    assert_page(page, 400, "doesn't exist or has been disabled")


async def test_a_disabled_app(vorgid: Vorgid, core: Clients) -> None:
    made = await core.apps.CreateApp(_new_app(vorgid))
    await core.apps.UpdateApp(UpdateAppRequest(client_id=made.app.client_id, disabled=True))
    page = await (await vorgid.site.browser()).get(AUTHORIZE, **vorgid.asked(client_id=made.app.client_id))
    assert_page(page, 400, "doesn't exist or has been disabled")


async def test_no_app(vorgid: Vorgid) -> None:
    page = await (await vorgid.site.browser()).get(AUTHORIZE, response_type="code", redirect_url=REDIRECT_URL)
    assert_page(page, 400, "incomplete")


@pytest.mark.parametrize(
    "redirect_url",
    ["", "https://evil.example/", f"{REDIRECT_URL}/", f"{REDIRECT_URL}?x=1", REDIRECT_URL.upper(), f"{REDIRECT_URL} "],
)
async def test_a_redirect_url_that_is_not_registered(vorgid: Vorgid, redirect_url: str) -> None:
    page = await (await vorgid.site.browser()).get(AUTHORIZE, **vorgid.asked(redirect_url=redirect_url))
    assert_page(page, 400, "has not registered the address")


async def test_two_redirect_urls_that_differ(vorgid: Vorgid) -> None:
    page = await (await vorgid.site.browser()).get(AUTHORIZE, **vorgid.asked(redirect_uri="https://evil.example/"))
    assert_page(page, 400, "has not registered the address")


async def test_a_parameter_twice_is_never_sent_back(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser()
    asked = f"client_id={vorgid.app.client_id}&redirect_url={REDIRECT_URL}&response_type=code&scopes={USER}"
    assert_page(await browser.get(f"{AUTHORIZE}?{asked}&state=a&state=b"), 400, "missing or wrong")


# Authorize: back to the app, once it can be trusted


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"scopes": ""}, "invalid_scope"),
        ({"scopes": "VorgID::user Funplace::user"}, "invalid_scope"),
        ({"scopes": "basic"}, "invalid_scope"),
        ({"state": "s" * 513}, "invalid_request"),
    ],
)
async def test_a_request_that_cannot_be_served_goes_back(vorgid: Vorgid, more: dict[str, str], error: str) -> None:
    browser = await vorgid.site.browser()
    back = await browser.get(f"{vorgid.site.mount}{AUTHORIZE}", **vorgid.asked(**{"state": "a b"} | more))
    assert back.status == 302
    assert back.location.startswith(f"{REDIRECT_URL}?error={error}&error_description=")
    assert back.parameters["state"] == more.get("state", "a b")


async def test_a_proof_key_that_cannot_be_one_goes_back(vorgid: Vorgid) -> None:
    back = await vorgid.allowed(None, code_challenge="short")
    assert back.parameters["error"] == "invalid_request"


async def test_a_public_app_without_a_proof_key_goes_back(vorgid: Vorgid, core: Clients) -> None:
    made = await core.apps.CreateApp(_new_app(vorgid, public=True))
    browser = await vorgid.site.browser()
    back = await browser.get(f"{vorgid.site.mount}{AUTHORIZE}", **vorgid.asked(USER, client_id=made.app.client_id))
    assert back.parameters["error"] == "invalid_request"
    assert "code_challenge" in back.parameters["error_description"]


@pytest.mark.parametrize("state", ["", "a b"])
async def test_a_refusal_goes_back(vorgid: Vorgid, state: str) -> None:
    browser = await vorgid.site.browser(await vorgid.site.person())
    target = f"{vorgid.site.mount}{AUTHORIZE}?{urlencode(vorgid.asked(**({'state': state} if state else {})))}"
    back = await browser.post(target, csrf=(await browser.get(target)).csrf, decision="deny")
    assert (back.status, back.parameters.get("error")) == (302, "access_denied")
    assert back.parameters.get("state", "") == state


async def test_a_decision_that_is_not_from_our_page_stays_here(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser(await vorgid.site.person())
    target = f"{vorgid.site.mount}{AUTHORIZE}?{urlencode(vorgid.asked())}"
    page = await browser.post(target, csrf="0" * 64, decision="allow")
    assert_page(page, 403, "Nothing has been changed")


# Token endpoint (RFC 6749 section 5.2)


@pytest.mark.parametrize(
    ("body", "error", "named"),
    [
        ({}, "invalid_request", "grant_type"),
        ({"grant_type": ""}, "invalid_request", "grant_type"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type", "grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request", "code"),
        ({"grant_type": "refresh_token"}, "invalid_request", "refresh_token"),
    ],
)
async def test_a_grant_that_is_incomplete_or_unknown(
    vorgid: Vorgid, body: dict[str, str], error: str, named: str
) -> None:
    answer = await vorgid.token_request(vorgid.basic, data=body)
    assert_no_grant(answer, error)
    assert named in answer.body["error_description"]


async def test_an_app_that_is_wrong_is_challenged_in_the_scheme_it_used(vorgid: Vorgid) -> None:
    body = {"grant_type": "authorization_code", "code": "0" * 32}
    wrong_secret = base64.b64encode(f"{vorgid.app.client_id}:wrong".encode()).decode()
    for headers in ({"Authorization": f"Basic {wrong_secret}"}, {"Basic": wrong_secret}, {"Basic": "!!!"}):
        answer = await vorgid.token_request(headers, data=body)
        assert_no_grant(answer, "invalid_client", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    for credentials in ({}, {"client_id": "999999999"}, vorgid.app.credentials | {"client_secret": "wrong"}):
        answer = await vorgid.token_request(data=body | credentials)
        assert_no_grant(answer, "invalid_client", 401)
        assert "WWW-Authenticate" not in answer.headers


async def test_a_header_and_a_body_that_name_different_apps(vorgid: Vorgid) -> None:
    body = {"grant_type": "authorization_code", "code": "0" * 32, "client_id": "999999999"}
    assert_no_grant(await vorgid.token_request(vorgid.basic, data=body), "invalid_request")
    both = vorgid.basic | {"Basic": vorgid.encoded}
    assert_no_grant(await vorgid.token_request(both, data=body), "invalid_request")


async def test_a_secret_in_the_query_is_not_looked_at(vorgid: Vorgid, session: ClientSession) -> None:
    body = {"grant_type": "authorization_code", "code": "0" * 32}
    async with session.post(f"{vorgid.url}/oauth2/token/", params=vorgid.app.credentials, data=body) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("code", ["0" * 32, "x", "ä", "0" * 5000])
async def test_an_unknown_code(vorgid: Vorgid, code: str) -> None:
    assert_no_grant(await vorgid.exchange(code))


async def test_a_used_code_is_refused_and_takes_its_tokens_along(vorgid: Vorgid) -> None:
    code = await vorgid.code()
    tokens = (await vorgid.exchange(code)).body
    assert_no_grant(await vorgid.exchange(code))
    assert_refused(await vorgid.call("GET", "get/personal", tokens["access_token"]), 401, "unauthorized", {})
    body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert_no_grant(await vorgid.token_request(vorgid.basic, data=body))


async def test_a_code_used_by_twenty_at_once_works_once(vorgid: Vorgid) -> None:
    code = await vorgid.code()
    answers = await asyncio.gather(*(vorgid.exchange(code) for _ in range(AT_ONCE)))
    winners = [answer for answer in answers if answer.status == 200]
    assert len(winners) == 1
    assert all(answer.body["error"] == "invalid_grant" for answer in answers if answer not in winners)
    assert (await vorgid.call("GET", "get/personal", winners[0].body["access_token"])).status == 401


async def test_a_code_of_another_app(vorgid: Vorgid, core: Clients) -> None:
    other = await core.apps.CreateApp(_new_app(vorgid))
    code = await vorgid.code()
    body = {"grant_type": "authorization_code", "code": code}
    assert_no_grant(await vorgid.token_request(data=body | _credentials(other)))
    assert (await vorgid.exchange(code)).status == 200


async def test_a_code_of_another_dialect(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser(await vorgid.site.person())
    back = await vorgid.site.allowed(browser, "/api/oauth", app_id=vorgid.app.client_id)
    assert_no_grant(await vorgid.exchange(back.parameters["auth_key"]))


@pytest.mark.parametrize("verifier", [{}, {"code_verifier": "w" * 43}])
async def test_a_verifier_that_is_missing_or_wrong_spends_the_code(vorgid: Vorgid, verifier: dict[str, str]) -> None:
    code = await vorgid.code(None, code_challenge=CHALLENGE)
    assert_no_grant(await vorgid.exchange(code, **verifier))
    assert_no_grant(await vorgid.exchange(code, code_verifier=VERIFIER))


async def test_a_code_sent_elsewhere(vorgid: Vorgid) -> None:
    assert_no_grant(await vorgid.exchange(await vorgid.code(), redirect_url="https://app.example/other"))


@pytest.mark.parametrize("token", ["x", "0" * 68, "ä"])
async def test_an_unknown_refresh_token(vorgid: Vorgid, token: str) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": token}
    answer = await vorgid.token_request(vorgid.basic, data=body)
    assert_no_grant(answer)
    assert "WWW-Authenticate" not in answer.headers


async def test_a_refresh_token_of_another_app_or_form(vorgid: Vorgid, core: Clients) -> None:
    other = await core.apps.CreateApp(_new_app(vorgid))
    tokens = await vorgid.tokens()
    body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert_no_grant(await vorgid.token_request(data=body | _credentials(other)))
    _, pair = await vorgid.site.ihopr.signed_in(vorgid.app)
    body["refresh_token"] = pair["refresh_token"]
    assert_no_grant(await vorgid.token_request(vorgid.basic, data=body))


# Time


@pytest.fixture(scope="module")
async def hasty_vorgid(hasty: GatepostStack, session: ClientSession) -> Vorgid:
    return Vorgid(await asyncio.to_thread(site_maker(hasty, session), *SCOPES), session, hasty.url)


async def test_codes_and_tokens_expire(hasty_vorgid: Vorgid) -> None:
    browser = await hasty_vorgid.site.browser(await hasty_vorgid.site.person())
    late = await hasty_vorgid.code(browser)
    await asyncio.sleep(1.5)
    assert_no_grant(await hasty_vorgid.exchange(late))
    path = f"{hasty_vorgid.site.mount}{AUTHORIZE}"
    code = (await browser.get(path, **hasty_vorgid.asked())).parameters["code"]
    tokens = (await hasty_vorgid.exchange(code)).body
    await asyncio.sleep(2.5)
    answer = await hasty_vorgid.call("GET", "get/personal", tokens["access_token"])
    assert_refused(answer, 401, "unauthorized", {})
    assert "expired" in answer.headers["WWW-Authenticate"]
    body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert_no_grant(await hasty_vorgid.token_request(hasty_vorgid.basic, data=body))


async def test_a_change_of_address_long_after_signing_in_wants_it_done_again(hasty_vorgid: Vorgid) -> None:
    browser = await hasty_vorgid.site.browser(await hasty_vorgid.site.person())
    code = await hasty_vorgid.code(browser)
    token = (await hasty_vorgid.exchange(code)).body["access_token"]
    answer = await hasty_vorgid.call("GET", "edit-email", token, params={"email": new_email()})
    said = "the sign-in is too old for this, the user must sign in again"
    assert_refused(answer, 403, "forbidden", said)


def _new_app(vorgid: Vorgid, *, public: bool = False) -> CreateAppRequest:
    return CreateAppRequest(
        id=str(uuid4()),
        project=vorgid.app.project,
        name="Another app",
        redirect_urls=[REDIRECT_URL],
        scopes=SCOPES,
        type=AppType.APP_TYPE_PUBLIC if public else AppType.APP_TYPE_CONFIDENTIAL,
    )


def _credentials(made: CreateAppResponse) -> dict[str, str]:
    return {"client_id": made.app.client_id, "client_secret": made.client_secret}
