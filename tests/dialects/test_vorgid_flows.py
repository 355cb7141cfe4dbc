"""What apps do over VorgID, end to end: get tokens, read and change what they were allowed to."""

import asyncio
import base64
import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import CHALLENGE, VERIFIER, Ihopr, Person, new_email
from dialects.redirect_client import REDIRECT_URL, Site
from dialects.vorgid_client import (
    AUTHORIZE,
    EDIT_EMAIL,
    EDIT_PERSONAL,
    EDIT_PHONE,
    SCOPES,
    USER,
    USER_EMAIL,
    USER_PHONE,
    Vorgid,
    sign,
)
from drawn import plain

PNG = base64.b64encode(plain()).decode()


@pytest.fixture(scope="module")
def vorgid(make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack) -> Vorgid:
    return Vorgid(make_site(*SCOPES), session, stack.url)


# The way to the consent page and back


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser()
    target = f"{vorgid.site.mount}{AUTHORIZE}?{urlencode(vorgid.asked())}"
    sent = await browser.get(target)
    assert (sent.status, sent.location) == (302, f"{vorgid.site.mount}/sign-in?{urlencode({'next': target})}")
    arrived = await browser.sign_in(await vorgid.site.person(), target, vorgid.site.mount)
    assert arrived.location == target
    assert (await browser.get(target)).status == 200


async def test_an_app_of_another_project_than_the_hosts_is_asked_for_below_its_own(vorgid: Vorgid) -> None:
    sent = await (await vorgid.site.browser()).get(AUTHORIZE, **vorgid.asked())
    assert sent.location == f"{vorgid.site.mount}{AUTHORIZE}?{urlencode(vorgid.asked())}"


async def test_the_consent_page_names_what_the_scopes_mean(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser(await vorgid.site.person())
    shown = await browser.get(f"{vorgid.site.mount}{AUTHORIZE}", **vorgid.asked(USER, USER_EMAIL, EDIT_PHONE))
    assert shown.shares == [
        "Name",
        "Profile picture",
        "Date of birth",
        "E-mail address",
        "Change your phone number",
    ]
    assert "form-action 'self' https://app.example;" in shown.headers["Content-Security-Policy"]


async def test_the_consent_page_says_for_how_long(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser(await vorgid.site.person())
    shown = await browser.get(f"{vorgid.site.mount}{AUTHORIZE}", **vorgid.asked())
    assert "until you take it back" in shown.text
    assert f'<a href="{vorgid.site.mount}/account/apps">' in shown.text
    assert "You will be asked again after 90 days." in shown.text


@pytest.mark.parametrize("state", ["", "s&=ü"])
async def test_a_code_and_the_state_come_back(vorgid: Vorgid, state: str) -> None:
    back = await vorgid.allowed(None, state=state)
    assert back.status == 302
    assert back.location.startswith(f"{REDIRECT_URL}?code=")
    assert re.fullmatch("[0-9a-f]{32}", back.parameters["code"])
    assert back.parameters.get("state", "") == state


async def test_the_standards_names_of_parameters_are_taken_too(vorgid: Vorgid) -> None:
    query = vorgid.asked()
    query["redirect_uri"] = query.pop("redirect_url")
    query["scope"] = query.pop("scopes")
    browser = await vorgid.site.browser(await vorgid.site.person())
    back = await vorgid.site.allowed(browser, AUTHORIZE, **query)
    assert back.parameters["code"]


async def test_each_of_several_redirect_urls_is_a_way_back(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    other = "https://app.example/other?x=1"
    client = Vorgid(make_site(USER, options=("--redirect-url", other)), session, stack.url)
    back = await client.allowed(None, USER, redirect_url=other)
    assert back.location.startswith(f"{other}&code=")


async def test_who_has_allowed_once_is_sent_on_without_a_page_until_more_is_asked(vorgid: Vorgid) -> None:
    browser = await vorgid.site.browser(await vorgid.site.person())
    await vorgid.code(browser, USER)
    path = f"{vorgid.site.mount}{AUTHORIZE}"
    assert (await browser.get(path, **vorgid.asked(USER))).parameters["code"]
    assert (await browser.get(path, **vorgid.asked(USER, USER_EMAIL))).shares


async def test_an_app_that_others_could_pass_for_is_asked_about_every_time(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    back = "http://127.0.0.1/back"
    app = Vorgid(make_site(*SCOPES, redirect_url=back, options=("--type", "public")), session, stack.url)
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    browser = await app.site.browser(await app.site.person(**proof))
    asked = {"redirect_url": back, **proof}
    for _ in range(2):
        shown = await browser.get(f"{app.site.mount}{AUTHORIZE}", **app.asked(USER, **asked))
        assert "You will be asked every time" in shown.text
        assert (await app.allowed(browser, USER, **asked)).parameters["code"]


# Tokens


@pytest.mark.parametrize("how", ["basic", "literal", "form", "json"])
async def test_a_code_is_exchanged_however_the_app_shows_itself(vorgid: Vorgid, how: str) -> None:
    body = {"grant_type": "authorization_code", "code": await vorgid.code(None, USER, USER_EMAIL)}
    body["redirect_url"] = REDIRECT_URL
    match how:
        case "basic":
            answer = await vorgid.token_request(vorgid.basic, data=body)
        case "literal":
            answer = await vorgid.token_request({"Basic": vorgid.encoded}, data=body)
        case "form":
            answer = await vorgid.token_request(data=body | vorgid.app.credentials)
        case _:
            answer = await vorgid.token_request(json=body | vorgid.app.credentials)
    assert answer.status == 200, answer
    assert answer.body == {
        "access_token": answer.body["access_token"],
        "token_type": "Bearer",
        "expires_in": pytest.approx(3600, abs=5),
        "refresh_token": answer.body["refresh_token"],
        "scope": f"{USER} {USER_EMAIL}",
    }
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


async def test_a_code_with_a_proof_key(vorgid: Vorgid) -> None:
    code = await vorgid.code(None, code_challenge=CHALLENGE, code_challenge_method="S256")
    assert (await vorgid.exchange(code, code_verifier=VERIFIER)).status == 200


async def test_tokens_are_refreshed(vorgid: Vorgid) -> None:
    tokens = await vorgid.tokens(None, USER)
    body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    fresh = await vorgid.token_request(vorgid.basic, data=body)
    assert (fresh.status, fresh.body["scope"]) == (200, USER)
    assert fresh.body["refresh_token"] != tokens["refresh_token"]
    assert await vorgid.success("GET", "get/personal", fresh.body["access_token"])


# Reading


async def test_personal_tells_what_the_scopes_cover(vorgid: Vorgid) -> None:
    person = await vorgid.site.person(mobile_number="+442079460018")
    browser = await vorgid.site.browser(person)
    told = {}
    for scopes in ((USER,), (USER, USER_EMAIL), (USER, USER_PHONE)):
        token = (await vorgid.tokens(browser, *scopes))["access_token"]
        told[scopes] = await vorgid.success("GET", "get/personal", token)
    plain_answer = told[USER,]
    assert list(plain_answer) == ["id", "name", "profile_img", "birthday"]
    assert isinstance(plain_answer["id"], int)
    assert (plain_answer["name"], plain_answer["birthday"]) == ("Ann Lee", None)
    assert told[USER, USER_EMAIL] == plain_answer | {"email": person.email}
    assert told[USER, USER_PHONE] == plain_answer | {"phone": "+442079460018", "phone_accepted": False}


async def test_a_project_may_want_ids_as_strings(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    client = Vorgid(make_site(USER), session, stack.url)
    await asyncio.to_thread(stack.cli, "project", "update", client.app.project, "--switch", "vorgid.id_as_string")
    await asyncio.sleep(2)
    _, token = await client.signed_in(USER)
    assert (await client.success("GET", "get/personal", token))["id"] == "1"


@pytest.mark.parametrize(
    ("header", "scheme"), [("Authorization", "Bearer"), ("Authorization", "bearer"), ("Authoriztion", "bearer")]
)
async def test_a_token_is_read_in_every_spelling_of_the_description(vorgid: Vorgid, header: str, scheme: str) -> None:
    _, token = await vorgid.signed_in(USER)
    answer = await vorgid.call("GET", "get/personal", headers={header: f"{scheme} {token}"})
    assert answer.status == 200


# E-mail address


async def changed_email(vorgid: Vorgid, method: str, how: str) -> tuple[Person, str, str]:
    person, token = await vorgid.signed_in(EDIT_EMAIL, USER, USER_EMAIL)
    email = new_email()
    first = await vorgid.success(method, "edit-email", token, **{how: {"email": email}})
    assert first == {"new_email": email, "hash_token": first["hash_token"]}
    code = await vorgid.site.ihopr.mailed_code(email)
    second = {"email": email, "sign": sign(code, first["hash_token"])}
    done = await vorgid.success(method, "edit-email", token, **{how: second})
    assert done == {"new_email": email, "hash_token": first["hash_token"], "confirmed": True}
    return person, token, email


@pytest.mark.parametrize(("method", "how"), [("GET", "params"), ("POST", "params"), ("POST", "data"), ("POST", "json")])
async def test_the_address_is_changed_in_two_steps(vorgid: Vorgid, method: str, how: str) -> None:
    person, token, email = await changed_email(vorgid, method, how)
    assert (await vorgid.success("GET", "get/personal", token))["email"] == email
    told = await vorgid.site.ihopr.mailed(person.email, "email_changed")
    assert told["link"], "the old address is told, with a way to undo it"


@pytest.mark.parametrize("spelling", ["url-safe", "unpadded", "blank for plus", "in lines"])
async def test_a_sign_is_read_in_every_spelling(vorgid: Vorgid, spelling: str) -> None:
    _, token = await vorgid.signed_in(EDIT_EMAIL)
    email = new_email()
    handle = (await vorgid.success("GET", "edit-email", token, params={"email": email}))["hash_token"]
    signed = sign(await vorgid.site.ihopr.mailed_code(email), handle)
    spelt = {
        "url-safe": signed.replace("+", "-").replace("/", "_"),
        "unpadded": signed.rstrip("="),
        "blank for plus": signed.replace("+", " "),
        "in lines": f"{signed[:76]}\r\n{signed[76:]}\n",
    }[spelling]
    done = await vorgid.success("GET", "edit-email", token, params={"email": email, "sign": spelt})
    assert done["confirmed"] is True


# Phone number


@pytest.mark.parametrize(("method", "how"), [("GET", "params"), ("POST", "json")])
async def test_the_phone_number_is_changed_in_two_steps(vorgid: Vorgid, ihopr: Ihopr, method: str, how: str) -> None:
    _, token = await vorgid.signed_in(EDIT_PHONE, USER, USER_PHONE)
    phone = "+442079460123" if method == "GET" else "+442079460124"
    first = await vorgid.success(method, "edit-phone", token, **{how: {"phone": phone}})
    assert first == {"new_phone": phone, "hash_token": first["hash_token"]}
    code = await ihopr.mailed_code(phone)
    second = {"phone": phone, "sign": sign(code, first["hash_token"])}
    done = await vorgid.success(method, "edit-phone", token, **{how: second})
    assert done == {"new_phone": phone, "hash_token": first["hash_token"], "confirmed": True}
    told = await vorgid.success("GET", "get/personal", token)
    assert (told["phone"], told["phone_accepted"]) == (phone, True)


async def test_a_plus_that_became_a_blank_in_the_query_is_read_as_one(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(EDIT_PHONE)
    started = await vorgid.success("GET", "edit-phone?phone=+442079460125", token)
    assert started["new_phone"] == "+442079460125"


# Name


@pytest.mark.parametrize(
    ("name", "told", "parts"),
    [
        ("Yaroslav", "Yaroslav", ("Yaroslav", "")),
        ("Peter Benjamin Parker", "Peter Benjamin Parker", ("Peter Benjamin", "Parker")),
        ("Ярослав Мудрий", "Ярослав Мудрий", ("Ярослав", "Мудрий")),
        (" Ann  Lee ", "Ann Lee", ("Ann", "Lee")),
        ("x" * 100, "x" * 100, ("x" * 100, "")),
    ],
)
async def test_the_name_is_changed_and_its_last_word_is_the_last_name(
    vorgid: Vorgid, name: str, told: str, parts: tuple[str, str]
) -> None:
    person, token = await vorgid.signed_in(EDIT_PERSONAL, USER)
    assert await vorgid.success("GET", "edit-name", token, params={"name": name}) == {"new_name": name}
    assert (await vorgid.success("GET", "get/personal", token))["name"] == told
    tokens = await vorgid.site.ihopr.signed_in_again(vorgid.app, person)
    assert (tokens["user"]["first_name"], tokens["user"]["last_name"]) == parts


async def test_the_name_is_changed_by_post_too(vorgid: Vorgid) -> None:
    _, token = await vorgid.signed_in(EDIT_PERSONAL)
    assert await vorgid.success("POST", "edit-name", token, json={"name": "Jo"}) == {"new_name": "Jo"}


# Picture


@pytest.mark.parametrize(
    "file",
    [
        PNG,
        f"data:image/png;base64,{PNG}",
        PNG.rstrip("="),
        PNG.replace("+", "-").replace("/", "_"),
        base64.encodebytes(plain()).decode(),
    ],
)
async def test_the_picture_is_changed_and_can_be_looked_at(vorgid: Vorgid, session: ClientSession, file: str) -> None:
    _, token = await vorgid.signed_in(EDIT_PERSONAL, USER)
    link = (await vorgid.success("POST", "edit-photo", token, json={"file": file}))["link"]
    assert (await vorgid.success("GET", "get/personal", token))["profile_img"] == link
    async with session.get(link) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_who_has_no_picture_is_shown_by_his_initials(vorgid: Vorgid, session: ClientSession) -> None:
    _, token = await vorgid.signed_in(USER)
    link = (await vorgid.success("GET", "get/personal", token))["profile_img"]
    assert link.startswith(vorgid.url)
    async with session.get(link) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
