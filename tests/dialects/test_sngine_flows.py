"""What apps do over Sngine's "Log in with", end to end: send people here, get them back, know them."""

import asyncio
import re
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack, until_it_shows
from dialects.ihopr_client import CHALLENGE, VERIFIER
from dialects.redirect_client import REDIRECT_URL, Browser, Site
from dialects.sngine_client import Sngine
from drawn import plain
from google.protobuf.field_mask_pb2 import FieldMask

from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest
from gatepost.users.v1.pictures_pb2 import PictureKind, SetProfilePictureRequest
from gatepost.users.v1.profiles_pb2 import Profile, UpdateProfileRequest
from gateway.clients import Clients

EXTRAS = ("birthdate", "gender", "relationship", "biography", "website", "cover")
KNOWN = Profile(
    gender="female",
    birth_date="1990-02-28",
    relationship="single",
    biography="Two lines\nof text",
    website="https://ann.example/",
    badge=True,
)


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


@pytest.fixture(scope="module")
def sngine(site: Site, session: ClientSession, stack: GatepostStack) -> Sngine:
    return Sngine(site, session, stack.url)


@pytest.fixture(scope="module")
def curious(make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack) -> Sngine:
    """Return a client whose app asks for all there is."""
    return Sngine(make_site(*EXTRAS), session, stack.url)


async def fill(core: Clients, site: Site, email: str) -> str:
    """Give somebody a whole profile; return his id."""
    reference = AccountRef(email=EmailRef(project=site.app.project, email=email))
    user_id = (await core.accounts.GetAccount(GetAccountRequest(account=reference))).account.user_id
    profile = Profile(user_id=user_id)
    profile.MergeFrom(KNOWN)
    mask = FieldMask(paths=[field.name for field, _ in KNOWN.ListFields()])
    await core.profiles.UpdateProfile(UpdateProfileRequest(profile=profile, update_mask=mask))
    for kind in (PictureKind.PICTURE_KIND_AVATAR, PictureKind.PICTURE_KIND_COVER):
        await core.pictures.SetProfilePicture(SetProfilePictureRequest(user_id=user_id, kind=kind, content=plain()))
    await until_it_shows()
    return user_id


# The way to the consent page and back


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(site: Site) -> None:
    browser = await site.browser()
    target = f"{site.mount}/api/oauth?app_id={site.app.client_id}&state=a%20b"
    sent = await browser.get(target)
    assert (sent.status, sent.location) == (302, f"{site.mount}/sign-in?{urlencode({'next': target})}")
    person = await site.person()
    arrived = await browser.sign_in(person, target, site.mount)
    assert (arrived.status, arrived.location) == (303, target)
    assert (await browser.get(arrived.location)).shares


async def test_an_app_of_another_project_than_the_hosts_is_asked_for_below_its_own(site: Site) -> None:
    browser = await site.browser()
    sent = await browser.get("/api/oauth/", app_id=site.app.client_id, state="x")
    assert (sent.status, sent.location) == (302, f"{site.mount}/api/oauth/?app_id={site.app.client_id}&state=x")


async def test_a_session_in_another_project_is_none(site: Site, make_site: Callable[..., Site]) -> None:
    other = make_site()
    browser = await other.browser(await other.person())
    sent = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    assert sent.location.startswith(f"{site.mount}/sign-in?next=")


async def test_the_consent_page_names_what_will_be_sent(site: Site, curious: Sngine) -> None:
    plain = await (await site.browser(await site.person())).get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    basic = ["Name", "User name", "E-mail address", "Profile picture"]
    assert plain.shares == basic
    browser = await curious.site.browser(await curious.site.person())
    asked = await browser.get(f"{curious.site.mount}/api/oauth", app_id=curious.app.client_id)
    more = ["Date of birth", "Gender", "Relationship status", "About me", "Website", "Cover picture"]
    assert asked.shares == [*basic, *more]
    assert "form-action 'self' https://app.example;" in asked.headers["Content-Security-Policy"]
    assert asked.headers["Cache-Control"] == "no-store"


async def test_who_has_allowed_once_is_sent_on_without_a_page(site: Site, sngine: Sngine) -> None:
    browser = await site.browser(await site.person())
    first = await sngine.auth_key(browser)
    again = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    assert again.status == 302
    assert again.location.startswith(f"{REDIRECT_URL}?auth_key=")
    assert again.parameters["auth_key"] != first


async def test_what_the_page_did_not_show_is_not_given(make_site: Callable[..., Site], stack: GatepostStack) -> None:
    site = make_site()
    browser = await site.browser(await site.person())
    target = f"{site.mount}/api/oauth?app_id={site.app.client_id}"
    shown = await browser.get(target)
    await asyncio.to_thread(stack.cli, "app", "update", site.app.client_id, "--scope", "gender")
    asked = await browser.post(target, csrf=shown.csrf, shown=shown.shown, decision="allow")
    assert (asked.status, asked.shares) == (200, [*shown.shares, "Gender"])
    back = await browser.post(target, csrf=asked.csrf, shown=asked.shown, decision="allow")
    assert "auth_key" in back.parameters


async def test_who_gave_an_app_less_by_another_door_is_asked(make_site: Callable[..., Site]) -> None:
    site = make_site("VorgID::user")
    browser = await site.browser(await site.person())
    query = {"client_id": site.app.client_id, "redirect_uri": REDIRECT_URL, "response_type": "code"}
    given = await site.allowed(browser, "/rrr/oauth2.0/authorize", **query, scopes="VorgID::user")
    assert "code" in given.parameters
    asked = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    assert "E-mail address" in asked.shares


async def test_a_scope_more_is_asked_for_again(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    site = make_site()
    browser = await site.browser(await site.person())
    await Sngine(site, session, stack.url).token(browser)
    await asyncio.to_thread(stack.cli, "app", "update", site.app.client_id, "--scope", "gender")
    asked = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    assert "Gender" in asked.shares


@pytest.mark.parametrize(
    ("registered", "begins"),
    [
        ("https://app.example/", "https://app.example/?"),
        ("https://app.example/cb?a=1", "https://app.example/cb?a=1&"),
        ("https://app.example/cb?", "https://app.example/cb?"),
    ],
)
async def test_the_key_is_appended_to_the_registered_url_whatever_it_is(
    make_site: Callable[..., Site], registered: str, begins: str
) -> None:
    site = make_site(redirect_url=registered)
    back = await site.allowed(
        await site.browser(await site.person()), "/api/oauth", app_id=site.app.client_id, state="s&=ü"
    )
    assert re.fullmatch(re.escape(begins) + "auth_key=[0-9a-f]{64}&state=s%26%3D%C3%BC", back.location)


async def test_the_older_name_of_the_first_hop_works_too(site: Site) -> None:
    back = await site.allowed(await site.browser(await site.person()), "/api/oauth2", app_id=site.app.client_id)
    assert back.location.startswith(f"{REDIRECT_URL}?auth_key=")


async def test_a_project_that_serves_nothing_else_serves_this_with_its_pages(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    site = make_site()
    person = await site.person()
    await asyncio.to_thread(stack.cli, "project", "update", site.app.project, "--dialect", "sngine")
    await asyncio.sleep(2)
    client = Sngine(site, session, stack.url)
    assert (await client.user_info(await client.token(await site.browser(person))))["user_email"] == person.email


# Exchanging the key


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_key_is_exchanged_for_a_token_of_an_hour(sngine: Sngine, slash: str) -> None:
    key = await sngine.auth_key()
    answer = await sngine.ask(f"authorize{slash}", **sngine.credentials, auth_key=key)
    assert answer.body == {
        "access_token": answer.body["access_token"],
        "token_type": "Bearer",
        "expires_in": pytest.approx(3600, abs=5),
    }
    assert re.fullmatch("[0-9a-f]{64}", answer.body["access_token"])
    assert answer.headers["Deprecation"].startswith("@")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_key_is_exchanged_by_form_json_and_basic_without_the_secret_in_the_address(sngine: Sngine) -> None:
    app = sngine.app
    basic = {"Authorization": f"Basic {b64encode(f'{app.client_id}:{app.client_secret}'.encode()).decode()}"}
    answers = [
        await sngine.post("authorize", data=sngine.credentials | {"auth_key": await sngine.auth_key()}),
        await sngine.post("authorize", json=sngine.credentials | {"auth_key": await sngine.auth_key()}),
        await sngine.post("authorize", basic, data={"auth_key": await sngine.auth_key()}),
        await sngine.ask("authorize", basic, auth_key=await sngine.auth_key()),
    ]
    for answer in answers:
        assert answer.body["access_token"], answer
        assert "Deprecation" not in answer.headers


async def test_a_proof_key_without_a_method_is_s256(sngine: Sngine) -> None:
    key = await sngine.auth_key(code_challenge=CHALLENGE)
    assert (await sngine.authorize(key, code_verifier=VERIFIER)).body["access_token"]
    key = await sngine.auth_key(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert (await sngine.authorize(key, code_verifier=VERIFIER)).body["access_token"]


# Knowing the person


async def test_user_info_has_sixteen_texts_and_only_what_was_granted(sngine: Sngine, core: Clients) -> None:
    person = await sngine.site.person()
    token = await sngine.token(await sngine.site.browser(person))
    await fill(core, sngine.site, person.email)
    told = await sngine.user_info(token)
    assert len(told) == 16
    assert all(isinstance(value, str) for value in told.values())
    assert told["user_email"] == person.email
    assert (told["user_firstname"], told["user_lastname"]) == ("Ann", "Lee")
    assert told["user_name"] == f"user{told['user_id']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", told["user_registered"])
    assert told["user_verified"] == "1"
    ungranted = ("gender", "birthdate", "relationship", "biography", "website", "cover")
    assert {told[f"user_{name}"] for name in ungranted} == {""}
    assert told["profile_cover"] == ""


async def test_user_info_holds_all_that_was_granted(curious: Sngine, core: Clients) -> None:
    person = await curious.site.person()
    token = await curious.token(await curious.site.browser(person))
    await fill(core, curious.site, person.email)
    told = await curious.user_info(token)
    assert told["user_gender"] == "female"
    assert told["user_birthdate"] == "1990-02-28"
    assert told["user_relationship"] == "single"
    assert told["user_biography"] == "Two lines\nof text"
    assert told["user_website"] == "https://ann.example/"
    assert told["profile_cover"] == f"{curious.url}/content/uploads/{told['user_cover']}"


async def test_a_token_in_the_header_is_as_good(sngine: Sngine) -> None:
    person, token = await sngine.signed_in()
    answer = await sngine.ask("get_user_info", {"Authorization": f"Bearer {token}"})
    assert answer.body["user_info"]["user_email"] == person.email


async def test_each_login_has_a_token_of_its_own(sngine: Sngine) -> None:
    (ann, hers), (bob, his) = await sngine.signed_in(), await sngine.signed_in()
    browser = await sngine.site.browser(ann)
    key = (await browser.get(f"{sngine.site.mount}/api/oauth", app_id=sngine.app.client_id)).parameters["auth_key"]
    hers_again = (await sngine.authorize(key)).body["access_token"]
    emails = [(await sngine.user_info(token))["user_email"] for token in (hers, his, hers_again)]
    assert emails == [ann.email, bob.email, ann.email]


# Pictures


async def test_pictures_are_served_below_uploads_for_ever(
    curious: Sngine, core: Clients, session: ClientSession
) -> None:
    person = await curious.site.person()
    token = await curious.token(await curious.site.browser(person))
    await fill(core, curious.site, person.email)
    told = await curious.user_info(token)
    for name in ("user_picture", "user_cover"):
        async with session.get(f"{curious.url}/content/uploads/{told[name]}") as answer:
            assert answer.status == 200
            assert answer.content_type in {"image/png", "image/jpeg"}
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert await answer.read()


async def test_who_has_no_picture_is_shown_by_his_initials(sngine: Sngine, session: ClientSession) -> None:
    _, token = await sngine.signed_in()
    told = await sngine.user_info(token)
    assert told["profile_picture"] == f"{sngine.url}/content/uploads/{told['user_picture']}"
    async with session.get(told["profile_picture"]) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
    async with session.head(told["profile_picture"]) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("file", ["0" * 32 + ".jpg", "nothing.jpg", "..%2f..%2fetc", "zz-1.jpg", "ff-1.gif"])
async def test_a_picture_that_is_not_there_is_not_found_in_legacy_mode_either(
    sngine: Sngine, session: ClientSession, file: str
) -> None:
    async with session.get(f"{sngine.url}/content/uploads/{file}") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"] is True


# The page in the person's language


async def test_the_consent_page_speaks_the_language_of_the_person(site: Site) -> None:
    browser = await site.browser(await site.person())
    shown = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id, lang="de")
    assert shown.headers["Content-Language"] == "de"
    assert "E-mail address" not in shown.shares


async def test_the_hidden_state_cannot_break_out_of_the_page(site: Site) -> None:
    browser: Browser = await site.browser(await site.person())
    nasty = '"><script>alert(1)</script>'
    shown = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id, state=nasty)
    assert "<script" not in shown.text
    assert quote(nasty, safe="") not in shown.headers.get("Location", "")
