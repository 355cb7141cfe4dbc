"""The account pages over real HTTP: every form's happy path, its refusals, and what belongs to somebody else."""

import json
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import drawn
import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, App, Ihopr, Person, new_email, wrong
from dialects.own_pages import Visit, visit_maker
from dialects.pages_client import form
from dialects.redirect_client import Page, Site

from gatepost.auth.v1.accounts_pb2 import AccountRef
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.tokens_pb2 import ListSessionsRequest
from gatepost.notify.v1.devices_pb2 import RegisterDeviceRequest
from gateway.clients import Clients
from gateway.pages import PAGES
from gateway.web.session import SESSION

NEW_PASSWORD = "harbour-violin-97"
OWN = [route for route in PAGES.routes if route.guard is SESSION]


@pytest.fixture(scope="module")
def visit_somebody(make_site: Callable[..., Site]) -> Callable[..., Any]:
    return visit_maker(make_site)


@pytest.fixture
async def ann(visit_somebody: Callable[..., Any]) -> Visit:
    visit: Visit = await visit_somebody()
    return visit


async def user_id_of(core: Clients, visit: Visit) -> str:
    """Return the UUID of a visit's person."""
    token = visit.browser.cookies["__Host-gatepost"]
    return (await core.authenticate(token, TokenForm.TOKEN_FORM_WEB)).account.user_id


# Everything


@pytest.mark.parametrize("route", OWN, ids=lambda route: f"{route.methods} {route.path}")
async def test_without_a_session_a_page_of_ones_own_leads_to_sign_in(make_site: Any, shared: Site, route: Any) -> None:
    browser = await shared.browser()
    path = route.path.replace("{", "").replace("}", "")
    page = await (browser.get(path) if route.methods == "GET" else browser.post(path, csrf="0"))
    assert page.status == 303
    assert page.location.startswith("/sign-in?next=%2Fa")


@pytest.fixture(scope="module")
def shared(make_site: Callable[..., Site]) -> Site:
    site: Site = make_site()
    return site


@pytest.mark.parametrize(
    "route", [each for each in OWN if each.methods == "POST"], ids=lambda route: f"{route.methods} {route.path}"
)
async def test_a_form_without_its_token_changes_nothing(visit_shared: Visit, route: Any) -> None:
    path = route.path.replace("{", "").replace("}", "")
    page = await visit_shared.browser.post(f"{visit_shared.site.mount}{path}", csrf="0" * 64)
    assert page.status == 403


@pytest.fixture(scope="module")
async def visit_shared(shared: Site, visit_somebody: Callable[..., Any]) -> Visit:
    visit: Visit = await visit_somebody(shared)
    return visit


async def test_a_session_counts_for_its_own_project_only(ann: Visit) -> None:
    assert (await ann.get("/account")).status == 200
    page = await ann.browser.get("/account")
    assert (page.status, page.location) == (303, "/sign-in?next=%2Faccount")


@pytest.mark.parametrize("language", ["de", "es", "fr", "id", "uk"])
async def test_pages_speak_the_language_that_is_asked_for(
    shared: Site, visit_somebody: Callable[..., Any], language: str
) -> None:
    visit: Visit = await visit_somebody(shared)
    for path in ("/account", "/account/profile", "/account/sessions", "/apps", "/apps/new"):
        page = await visit.get(path, lang=language)
        assert page.status == 200
        assert f'<html lang="{language}">' in page.text
        assert "Sign out" not in page.text


# Overview


async def test_the_overview_says_who_one_is(ann: Visit) -> None:
    text = await ann.shown("/account")
    assert "<h1>Ann Lee</h1>" in text
    assert ann.person.email in text


async def test_an_address_that_is_not_proven_can_be(ann: Visit) -> None:
    assert "not confirmed" in await ann.shown("/account")
    ann.led_to(await ann.send("/account/prove-email"), "/account?done=proof-sent")
    assert "We sent you a message" in await ann.shown("/account", done="proof-sent")
    token = await ann.mailed_link("/confirm-email")
    await ann.follow("/confirm-email", token)
    assert "not confirmed" not in await ann.shown("/account")


# Profile


async def test_the_profile_is_changed_and_shown(ann: Visit) -> None:
    await ann.shown("/account/profile")
    fields = {
        "first_name": "Ánn",
        "last_name": "O'Lee <b>",
        "gender": "female",
        "birth_date": "1990-12-31",
        "biography": "One line\r\nand another",
        "website": "https://ann.example/?a=1&b=2",
        "relationship": "married",
        "language": "uk",
        "location_id": "101",
    }
    ann.led_to(await ann.send("/account/profile", **fields), "/account/profile?done=saved")
    text = await ann.shown("/account/profile", done="saved")
    assert 'role="status">Saved.' in text
    for name in ("first_name", "last_name", "birth_date", "website"):
        assert f'value="{fields[name]}"' in text
    assert "One line\nand another</textarea>" in text
    for chosen in ("female", "married", "uk", "101"):
        assert f'<option value="{chosen}" selected>' in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_name", "x" * 101),
        ("birth_date", "1990-13-31"),
        ("website", "javascript:alert(1)"),
        ("gender", "sometimes"),
        ("location_id", "999999999"),
        ("location_id", "-1"),
        ("language", "not a tag"),
    ],
)
async def test_what_a_profile_cannot_hold_is_said_at_the_field(visit_shared: Visit, field: str, value: str) -> None:
    page = await visit_shared.send("/account/profile", **{"first_name": "Bea", field: value})
    assert page.status == 422
    assert f'id="{field}-error"' in page.text
    assert "Please check the marked fields." in page.text
    assert "Bea" not in await visit_shared.shown("/account")


async def test_what_was_changed_elsewhere_meanwhile_is_not_overwritten_unasked(ann: Visit) -> None:
    before = await ann.get("/account/profile")
    etag = before.text.partition('name="etag" value="')[2].partition('"')[0]
    ann.led_to(await ann.send("/account/profile", first_name="One", etag=etag), "/account/profile?done=saved")
    again = await ann.send("/account/profile", first_name="Two", etag=etag)
    assert again.status == 409
    assert 'value="Two"' in again.text
    assert "<h1>One</h1>" in await ann.shown("/account")
    newer = again.text.partition('name="etag" value="')[2].partition('"')[0]
    ann.led_to(await ann.send("/account/profile", first_name="Two", etag=newer), "/account/profile?done=saved")


async def test_a_user_name_is_chosen_and_nobody_elses(ann: Visit, visit_somebody: Callable[..., Any]) -> None:
    name = f"ann{uuid4().hex[:8]}"
    ann.led_to(await ann.send("/account/profile/username", username=name), "/account/profile?done=saved")
    assert f"@{name}" in await ann.shown("/account")
    bob: Visit = await visit_somebody(ann.site)
    page = await bob.send("/account/profile/username", username=name.upper())
    assert page.status == 409
    assert "This user name is taken." in page.text
    page = await bob.send("/account/profile/username", username="b b")
    assert page.status == 422
    assert "Use 5 to 64 letters and digits." in page.text


# Pictures


@pytest.mark.parametrize("kind", ["picture", "cover"])
async def test_a_picture_is_uploaded_seen_and_removed(ann: Visit, kind: str) -> None:
    page = await ann.upload(f"/account/{kind}", "/account/picture", {kind: drawn.photo()})
    ann.led_to(page, "/account/picture?done=saved")
    text = await ann.shown("/account/picture")
    address = text.partition('src="/pictures/')[2].partition('"')[0]
    async with ann.browser.session.get(f"{ann.browser.url}/pictures/{address}") as answer:
        content = await answer.read()
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "immutable" in answer.headers["Cache-Control"]
    assert drawn.opened(content).width
    assert drawn.SECRET_PLACE not in content
    ann.led_to(await ann.send(f"/account/{kind}/remove"), "/account/picture?done=removed")
    assert "/pictures/" not in await ann.shown("/account/picture")
    async with ann.browser.session.get(f"{ann.browser.url}/pictures/{address}") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n", b"x" * (2 * 1024 * 1024 + 1)])
async def test_what_is_no_picture_is_said_at_the_field(visit_shared: Visit, content: bytes) -> None:
    page = await visit_shared.upload("/account/picture", "/account/picture", {"picture": content})
    assert page.status == 422
    assert 'id="picture-error"' in page.text


# E-mail


async def test_the_address_moves_with_the_code_that_went_to_the_new_one(ann: Visit) -> None:
    email = new_email()
    assert ann.person.email in await ann.shown("/account/email")
    ann.led_to(await ann.send("/account/email", email=email), "/account/email/code")
    assert email in await ann.shown("/account/email/code")
    code = await ann.ihopr.mailed_code(email)
    refused = await ann.send("/account/email/code", code=wrong(code))
    assert refused.status == 400
    assert 'id="code-error"' in refused.text
    ann.led_to(await ann.send("/account/email/code", code=code), "/account?done=email")
    assert email in await ann.shown("/account", done="email")
    # Spent, and the page that asks for it is gone.
    ann.led_to(await ann.get("/account/email/code"), "/account/email")


async def test_an_address_in_use_gets_the_same_answer(ann: Visit, visit_somebody: Callable[..., Any]) -> None:
    bob: Visit = await visit_somebody(ann.site)
    ann.led_to(await ann.send("/account/email", email=bob.person.email), "/account/email/code")
    page = await ann.send("/account/email/code", code="123456")
    assert page.status == 400
    assert ann.person.email in await ann.shown("/account")


async def test_an_address_that_is_none_is_said_at_the_field(visit_shared: Visit) -> None:
    for email in ("", "nobody", "a@b@c"):
        page = await visit_shared.send("/account/email", email=email)
        assert page.status == 422
        assert 'id="email-error"' in page.text


# Phone


async def test_a_number_is_set_with_the_code_that_went_there(ann: Visit) -> None:
    number = f"+49170{uuid4().int % 10_000_000:07}"
    ann.led_to(await ann.send("/account/phone", phone=number), "/account/phone/code")
    code = await ann.ihopr.mailed_code(number)
    assert (await ann.send("/account/phone/code", code=wrong(code))).status == 400
    ann.led_to(await ann.send("/account/phone/code", code=code), "/account/profile?done=phone")
    text = await ann.shown("/account/profile", done="phone")
    assert number in text
    assert "Your phone number has been changed." in text


async def test_a_number_that_is_none_is_said_at_the_field(visit_shared: Visit) -> None:
    page = await visit_shared.send("/account/phone", phone="0170 12")
    assert page.status == 422
    assert 'id="phone-error"' in page.text


# Password


async def test_a_new_password_ends_the_other_sessions(ann: Visit) -> None:
    other = await ann.site.browser(ann.person)
    assert (await other.get(f"{ann.site.mount}/account")).status == 200
    sent = await ann.send("/account/password", password=NEW_PASSWORD, current_password=PASSWORD)
    ann.led_to(sent, "/account?done=password")
    assert "Your password has been changed." in await ann.shown("/account", done="password")
    assert (await other.get(f"{ann.site.mount}/account")).status == 303


@pytest.mark.parametrize("password", ["", "short", "password123", "x" * 257])
async def test_a_weak_password_is_said_at_the_field(visit_shared: Visit, password: str) -> None:
    page = await visit_shared.send("/account/password", password=password, current_password=PASSWORD)
    assert page.status == 422
    assert 'id="password-error"' in page.text
    assert not password or f'value="{password}"' not in page.text


async def test_a_new_password_wants_the_present_one_however_lately_one_signed_in(ann: Visit) -> None:
    fields = {"password": NEW_PASSWORD}
    asked = await ann.send("/account/password", **fields)
    assert asked.status == 422
    assert 'id="current_password-error"' in asked.text
    refused = await ann.send("/account/password", **fields, current_password="not my password")
    assert refused.status == 403
    assert "That is not your current password." in unescape(refused.text)
    ann.led_to(await ann.send("/account/password", **fields, current_password=PASSWORD), "/account?done=password")


async def test_who_has_no_password_sets_one_without(visit_otp: Visit) -> None:
    assert "current_password" not in await visit_otp.shown("/account/password")
    visit_otp.led_to(await visit_otp.send("/account/password", password=NEW_PASSWORD), "/account?done=password")
    assert 'name="current_password"' in await visit_otp.shown("/account/password")


# What wants a fresh sign-in

CHANGES = {
    "/account/password": {"password": NEW_PASSWORD, "current_password": PASSWORD},
    "/account/email": {"email": "moved@example.com"},
    "/account/phone": {"phone": "+491701234567"},
    "/account/delete": {"sure": "yes"},
}


def led_to_prove_himself(visit: Visit, page: Page, path: str) -> None:
    """Check that somebody is asked to sign in once more, and comes back."""
    visit.led_to(page, f"/sign-in?{urlencode({'next': visit.site.mount + path, 'prompt': 'again'})}")


@pytest.mark.parametrize("path", CHANGES)
async def test_who_signed_in_a_while_ago_signs_in_again_before_he_sees_the_form(ann: Visit, path: str) -> None:
    await ann.age_sign_in()
    led_to_prove_himself(ann, await ann.get(path), path)


@pytest.mark.parametrize(("path", "fields"), CHANGES.items(), ids=CHANGES)
async def test_a_form_that_lay_open_too_long_leads_to_sign_in_and_changes_nothing(
    ann: Visit, path: str, fields: dict[str, str]
) -> None:
    csrf = (await ann.get(path)).csrf
    await ann.age_sign_in()
    led_to_prove_himself(ann, await ann.browser.post(f"{ann.site.mount}{path}", csrf=csrf, **fields), path)
    assert (await ann.get("/account")).status == 200
    assert (await ann.site.browser(ann.person)).cookies["__Host-gatepost"]


async def test_ending_sessions_wants_a_fresh_sign_in(ann: Visit) -> None:
    other = await ann.site.browser(ann.person)
    page = await ann.get("/account/sessions")
    await ann.age_sign_in()
    for path in ("/account/sessions/end", *(f"/account/sessions/{each}/end" for each in sessions_of(page.text))):
        sent = await ann.browser.post(f"{ann.site.mount}{path}", csrf=page.csrf)
        led_to_prove_himself(ann, sent, "/account/sessions")
    assert (await other.get(f"{ann.site.mount}/account")).status == 200
    assert (await ann.get("/account/sessions")).status == 200


async def test_a_fresh_proof_is_a_sign_in_with_a_new_session(ann: Visit) -> None:
    await ann.age_sign_in()
    before = ann.browser.cookies["__Host-gatepost"]
    asked = await ann.browser.get((await ann.get("/account/email")).location)
    assert "You signed in a while ago." in unescape(asked.text)
    action, held = form(asked)
    assert held["email"] == ann.person.email
    ann.led_to(await ann.browser.post(action, **held | {"password": PASSWORD}), "/account/email")
    assert (await ann.get("/account/email")).status == 200
    other = await ann.site.browser()
    other.cookies["__Host-gatepost"] = before
    assert (await other.get(f"{ann.site.mount}/account")).status == 303


async def test_a_fresh_proof_is_a_mailed_code_where_there_are_no_passwords(visit_otp: Visit) -> None:
    await visit_otp.age_sign_in()
    page = await visit_otp.get("/account/email")
    led_to_prove_himself(visit_otp, page, "/account/email")
    visit_otp.led_to(await prove_by_mail(visit_otp, await visit_otp.browser.get(page.location)), "/account/email")
    assert (await visit_otp.get("/account/email")).status == 200


async def test_a_fresh_proof_has_the_second_step_of_its_project(
    stack: GatepostStack, session: ClientSession, two_step_app: App
) -> None:
    door = Site(two_step_app, stack, Ihopr(session, stack.url), session)
    visit = Visit(door, Person(new_email(), PASSWORD), await door.browser())
    stack.cli("user", "create", visit.person.email, "--project", two_step_app.project, "--password", PASSWORD)
    visit.led_to(await prove_by_mail(visit, await visit.get("/sign-in"), password=PASSWORD), "/account")
    await visit.age_sign_in()
    asked = await visit.browser.get((await visit.get("/account/delete")).location)
    visit.led_to(await prove_by_mail(visit, asked, password=PASSWORD), "/account/delete")
    assert (await visit.get("/account/delete")).status == 200


async def prove_by_mail(visit: Visit, shown: Page, **fields: str) -> Page:
    """Sign in on the sign-in page, the code that is mailed included; return where that leads."""
    known = len(await visit.ihopr.mails(visit.person.email))
    action, held = form(shown)
    sent = await visit.browser.post(action, **held | {"email": visit.person.email} | fields)
    action, held = form(await visit.browser.get(sent.location))
    code = await visit.ihopr.mailed_code(visit.person.email, after=known)
    return await visit.browser.post(action, **held | {"code": code})


@pytest.fixture
async def visit_otp(stack: GatepostStack, session: ClientSession, otp_app: App) -> Visit:
    """Somebody without a password."""
    door = Site(otp_app, stack, Ihopr(session, stack.url), session)
    visit = Visit(door, Person(new_email(), ""), await door.browser())
    stack.cli("user", "create", visit.person.email, "--project", otp_app.project)
    visit.led_to(await prove_by_mail(visit, await visit.get("/sign-in")), "/account")
    return visit


# Connected apps


async def granted(site: Site, visit: Visit) -> None:
    await site.allowed(visit.browser, "/api/oauth", app_id=site.app.client_id)


async def test_connected_apps_say_what_they_receive_and_can_be_ended(
    make_site: Callable[..., Site], visit_somebody: Callable[..., Any]
) -> None:
    site = make_site("birthdate", "gender")
    ann: Visit = await visit_somebody(site)
    assert "No app is connected." in await ann.shown("/account/apps")
    await granted(site, ann)
    text = await ann.shown("/account/apps")
    assert "App of the tests" in text
    assert "<li>Date of birth</li>" in text
    grant = text.partition("/account/apps/")[2].partition("/revoke")[0]
    bob: Visit = await visit_somebody(site)
    assert (await bob.send(f"/account/apps/{grant}/revoke")).status == 404
    ann.led_to(await ann.send(f"/account/apps/{grant}/revoke"), "/account/apps?done=revoked")
    assert "No app is connected." in await ann.shown("/account/apps")
    assert (await ann.send(f"/account/apps/{grant}/revoke")).status == 404


@pytest.mark.parametrize("name", ["nothing", "00000000-0000-4000-8000-000000000000", "%00", "..%2f"])
async def test_a_grant_a_session_and_a_device_that_are_not_there(visit_shared: Visit, name: str) -> None:
    assert (await visit_shared.send(f"/account/apps/{name}/revoke")).status == 404
    assert (await visit_shared.send(f"/account/sessions/{name}/end")).status == 404


# Sessions and devices


def sessions_of(text: str) -> list[str]:
    """Return the ids of the sessions a page lists beside the one that shows it."""
    return [part.partition("/end")[0] for part in text.split("/account/sessions/")[1:] if part[8:9] == "-"]


async def test_sessions_are_listed_and_one_can_be_ended(ann: Visit) -> None:
    other = await ann.site.browser(ann.person)
    text = await ann.shown("/account/sessions")
    assert "127.0.0.1" in text
    assert text.count("this one") == 1 + text.count("this one too")
    others = sessions_of(text)
    assert all(str(UUID(each)) == each for each in others)
    for each in others:
        ann.led_to(await ann.send(f"/account/sessions/{each}/end"), "/account/sessions?done=ended")
    assert (await other.get(f"{ann.site.mount}/account")).status == 303
    assert (await ann.get("/account")).status == 200


async def test_somebody_elses_session_is_not_there(ann: Visit, visit_somebody: Callable[..., Any]) -> None:
    bob: Visit = await visit_somebody(ann.site)
    other = await bob.site.browser(bob.person)
    (session,) = sessions_of(await bob.shown("/account/sessions"))[:1]
    assert (await ann.send(f"/account/sessions/{session}/end")).status == 404
    assert (await other.get(f"{bob.site.mount}/account")).status == 200


async def test_ending_this_one_is_signing_out(ann: Visit) -> None:
    row = (await ann.shown("/account/sessions")).partition("this one</span>")[2].partition("</tr>")[0]
    assert f'action="{ann.site.mount}/sign-out"' in row


async def test_all_sessions_are_ended_at_once(ann: Visit, core: Clients) -> None:
    user_id = await user_id_of(core, ann)
    other = await ann.site.browser(ann.person)
    page = await ann.send("/account/sessions/end")
    assert page.status == 303
    assert (await other.get(f"{ann.site.mount}/account")).status == 303
    answer = await core.tokens.ListSessions(ListSessionsRequest(account=AccountRef(user_id=user_id)))
    assert not answer.sessions


async def test_devices_are_listed_and_only_ones_own_can_be_forgotten(
    ann: Visit, core: Clients, visit_somebody: Callable[..., Any]
) -> None:
    user_id = await user_id_of(core, ann)
    project_id = (await core.profile(user_id)).project_id
    request = RegisterDeviceRequest(user_id=user_id, project_id=project_id, kind="fcm", token=uuid4().hex)
    device = (await core.devices.RegisterDevice(request)).device
    bob: Visit = await visit_somebody(ann.site)
    await bob.send(f"/account/devices/{device.id}/forget")
    assert device.id in await ann.shown("/account/sessions")
    ann.led_to(await ann.send(f"/account/devices/{device.id}/forget"), "/account/sessions?done=forgotten")
    assert device.id not in await ann.shown("/account/sessions")
    assert (await ann.send("/account/devices/nothing/forget")).status == 404


# Data


async def test_the_download_has_everything_and_no_secret(
    make_site: Callable[..., Site], visit_somebody: Callable[..., Any]
) -> None:
    site = make_site("birthdate")
    ann: Visit = await visit_somebody(site)
    await granted(site, ann)
    await ann.send("/account/profile", first_name="Ann", biography="Likes tea", location_id="101")
    await ann.shown("/account/data")
    page = await ann.get("/account/data/download")
    assert page.status == 200
    assert page.headers["Content-Type"] == "application/json"
    assert page.headers["Content-Disposition"] == f'attachment; filename="{site.app.project}-account.json"'
    data = json.loads(page.text)
    assert {"account", "sessions", "grants", "events", "profile", "push_devices"} <= set(data)
    assert (data["profile"]["biography"], data["profile"]["location_id"]) == ("Likes tea", 101)
    assert ann.person.email in page.text
    assert site.app.client_id in page.text
    for secret in (ann.person.password, ann.browser.cookies["__Host-gatepost"], "argon2", "hash"):
        assert secret not in page.text


# Deletion


async def test_deleting_wants_to_be_meant(visit_shared: Visit) -> None:
    page = await visit_shared.send("/account/delete")
    assert page.status == 422
    assert 'id="sure-error"' in page.text
    assert (await visit_shared.get("/account")).status == 200


async def test_deletion_ends_every_session_and_a_link_takes_it_back(ann: Visit) -> None:
    other = await ann.site.browser(ann.person)
    await ann.shown("/account/delete")
    ann.led_to(await ann.send("/account/delete", sure="yes"), "/sign-in?done=closed")
    assert ann.browser.cookies["__Host-gatepost"] == ""
    assert (await other.get(f"{ann.site.mount}/account")).status == 303
    shown = await ann.get("/sign-in", done="closed")
    assert "Your account is closed." in shown.text
    fields = {"csrf": shown.csrf, "email": ann.person.email, "password": ann.person.password}
    assert (await ann.browser.post(f"{ann.site.mount}/sign-in", **fields)).status in {401, 403}
    token = await ann.mailed_link("/keep-account")
    await ann.follow("/keep-account", token)
    assert (await ann.browser.sign_in(ann.person, "", ann.site.mount)).status == 303
