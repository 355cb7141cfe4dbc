"""What a site's companion server does over OSSN, end to end: authenticate, look up, add, edit, delete, show."""

import io
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, MultipartWriter
from conftest import GatepostStack, until_it_shows
from dialects.ossn_client import PASSWORD, Ossn, new_name, new_site
from dialects.shoop_client import Shoop
from drawn import plain
from PIL import Image

from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest
from gatepost.users.v1.pictures_pb2 import PictureKind, SetProfilePictureRequest
from gatepost.users.v1.profiles_pb2 import Profile, UpdateProfileRequest
from gateway.clients import Clients

PIXELS = {"topbar": 20, "smaller": 32, "small": 50, "large": 100, "larger": 170}


@pytest.fixture(scope="session")
def site(stack: GatepostStack, session: ClientSession) -> Ossn:
    """Return a site, once; what is shown here is the same in both status modes."""
    return new_site(stack, session, "legacy")


async def user_id_of(core: Clients, site: Ossn, email: str) -> str:
    ref = AccountRef(email=EmailRef(project=site.project, email=email))
    return (await core.accounts.GetAccount(GetAccountRequest(account=ref))).account.user_id


async def picture(site: Ossn, url: str) -> tuple[dict[str, str], Image.Image]:
    async with site.session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return dict(answer.headers), Image.open(io.BytesIO(await answer.read()))


async def test_a_user_signs_in_by_name_or_address_whatever_the_case(site: Ossn) -> None:
    user = site.user("--first-name", "Ann", "--last-name", "Lee")
    payloads = [(await site.authenticate(login)).payload for login in (user.username, user.email, user.email.upper())]
    assert payloads[0] == payloads[1] == payloads[2]
    assert payloads[0] | {"guid": "", "icon": {}} == {
        "guid": "",
        "first_name": "Ann",
        "last_name": "Lee",
        "fullname": "Ann Lee",
        "username": user.username,
        "email": user.email,
        "birthdate": "",
        "gender": "",
        "icon": {},
        "cover_url": False,
        "language": None,
        "is_verified_user": None,
    }
    assert payloads[0]["guid"].isdigit()


async def test_a_body_may_be_multipart_as_curl_for_php_sends_it(site: Ossn) -> None:
    user = site.user()
    url = f"{site.stack.url}/api/v1.0/user_authenticate"
    with MultipartWriter("form-data") as parts:
        for name, value in {"api_key_token": site.key, "username": user.username, "password": PASSWORD}.items():
            parts.append(value, {"Content-Disposition": f'form-data; name="{name}"'})
    body = await parts.as_bytes()
    async with site.session.post(url, data=body, headers={"Content-Type": parts.content_type}) as answer:
        assert (await answer.json())["code"] == "100"


async def test_credentials_in_a_query_string_are_taken_but_deprecated(site: Ossn) -> None:
    user = site.user()
    assert "Deprecation" in (await site.authenticate(user.username, how="query")).headers
    assert "Deprecation" not in (await site.authenticate(user.username)).headers


async def test_a_password_is_taken_as_it_is(site: Ossn) -> None:
    odd = "two  blanks & <marks> 42"
    added = (await site.add(password=odd)).payload
    site.stack.cli("user", "enable", added["email"], "--project", site.project)
    assert (await site.authenticate(added["username"], odd)).payload["guid"] == added["guid"]


async def test_details_by_guid_name_and_address_of_which_the_last_wins(site: Ossn) -> None:
    user, other = site.user(), site.user()
    found = (await site.details(username=user.username)).payload
    assert (await site.details(guid=found["guid"])).payload == found
    assert (await site.details(guid=int(found["guid"]), how="json")).payload == found
    assert (await site.details(email=user.email, how="query")).payload == found
    assert (await site.details(guid="999999", username=other.username, email=user.email)).payload == found
    assert (await site.details(guid=found["guid"], username=other.username)).payload["username"] == other.username


async def test_who_has_no_user_name_is_shown_by_number_and_found_by_it(site: Ossn) -> None:
    email = f"{new_name()}@example.com"
    site.stack.cli("user", "create", email, "--project", site.project, "--password", PASSWORD)
    user = (await site.authenticate(email)).payload
    assert user["username"] == f"user{user['guid']}"
    assert (await site.details(username=user["username"])).payload == user
    _, shown = await picture(site, user["icon"]["large"])
    assert shown.size == (100, 100)


async def test_a_user_is_added_proves_the_address_and_signs_in(site: Ossn, shoop: Shoop) -> None:
    added = (await site.add()).payload
    assert (added["first_name"], added["gender"], added["birthdate"]) == ("Ann", "female", "03/02/1988")
    (await site.authenticate(added["username"])).refused(403, "104", "User not validated")
    mail = await shoop.mailed(added["email"], "confirm_email")
    assert "/confirm-email?token=" in mail["link"]
    site.stack.cli("user", "enable", added["email"], "--project", site.project)
    assert (await site.authenticate(added["username"])).payload == added


async def test_a_user_is_edited(site: Ossn) -> None:
    user = site.user("--first-name", "Ann")
    before = (await site.authenticate(user.username)).payload
    parameters = {
        "guid": before["guid"],
        "new_email": f"{new_name()}@example.com",
        "new_first_name": "Bea",
        "new_last_name": "Li",
        "current_password": PASSWORD,
        "new_gender": "male",
        "new_password": "another-lantern-43",
    }
    after = (await site.call("api/v1.0/user_edit", **parameters)).payload
    expected = {"email": parameters["new_email"], "first_name": "Bea", "last_name": "Li", "gender": "male"}
    assert after == before | expected | {"fullname": "Bea Li", "icon": after["icon"]}
    (await site.authenticate(user.username)).refused(401, "105", "Invalid username or password!")
    assert (await site.authenticate(user.username, "another-lantern-43")).payload == after


async def test_a_user_is_deleted_once(site: Ossn) -> None:
    user = site.user()
    guid = (await site.details(username=user.username)).payload["guid"]
    assert (await site.call("api/v2.0/user/delete", guid=guid)).payload is True
    (await site.call("api/v2.0/user/delete", guid=guid)).refused(404, "103", "No such a user exists")
    (await site.authenticate(user.username)).refused(401, "105", "Invalid username or password!")


async def test_who_has_no_picture_is_drawn_in_five_sizes(site: Ossn) -> None:
    user = site.user("--first-name", "Ann", "--last-name", "Lee")
    icon = (await site.details(username=user.username)).payload["icon"]
    assert list(icon) == ["topbar", "smaller", "small", "larger", "large"]
    for size, url in icon.items():
        headers, shown = await picture(site, url)
        assert shown.size == (PIXELS[size], PIXELS[size])
        assert headers["Content-Type"] == "image/jpeg"
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_new_picture_has_a_new_address_and_the_old_one_is_gone(site: Ossn, core: Clients) -> None:
    user = site.user()
    before = (await site.details(username=user.username)).payload["icon"]["larger"]
    user_id = await user_id_of(core, site, user.email)
    kinds = (PictureKind.PICTURE_KIND_AVATAR, PictureKind.PICTURE_KIND_COVER)
    for kind in kinds:
        await core.pictures.SetProfilePicture(
            SetProfilePictureRequest(user_id=user_id, kind=kind, content=plain(300, 200))
        )
    await until_it_shows()
    found = (await site.details(username=user.username)).payload
    assert found["icon"]["larger"] != before
    _, shown = await picture(site, found["icon"]["larger"])
    red, green, blue = shown.convert("RGB").getpixel((85, 85))  # type: ignore[misc]
    assert red > 200
    assert max(green, blue) < 50
    async with site.session.get(before) as answer:
        assert answer.status == 404
    _, cover = await picture(site, found["cover_url"])
    assert cover.width > cover.height


async def test_the_badge_and_the_language_are_told(site: Ossn, core: Clients) -> None:
    user = site.user()
    profile = Profile(user_id=await user_id_of(core, site, user.email), badge=True, language="pt-BR")
    request = UpdateProfileRequest(profile=profile)
    request.update_mask.paths.extend(["badge", "language"])
    await core.profiles.UpdateProfile(request)
    await until_it_shows()
    found = (await site.details(username=user.username)).payload
    assert (found["is_verified_user"], found["language"]) == (True, "pt")


async def test_the_key_says_which_site_it_is_wherever_it_is_asked(site: Ossn) -> None:
    user = site.user()
    url = f"{site.stack.url}/api/v1.0/user_authenticate"
    data = {"api_key_token": site.key, "username": user.username, "password": PASSWORD}
    async with site.session.post(url, data=data) as answer:
        body: Any = await answer.json()
    assert (body["merchant"], body["url"]) == ("A Site", f"{site.stack.url}/")
    assert body["payload"]["icon"]["small"].startswith(f"{site.stack.url}/t/{site.project}/avatar/{user.username}/")


async def test_a_site_that_is_the_hosts_has_pictures_without_prefix(site: Ossn) -> None:
    key = site.stack.cli("key", "create")["api_key_token"]
    home = replace(site, key=key, project="default")
    email = f"{new_name()}@example.com"
    site.stack.cli("user", "create", email, "--password", PASSWORD)
    small = (await home.authenticate(email)).payload["icon"]["small"]
    assert small.startswith(f"{site.stack.url}/avatar/user")
    await picture(site, small)


async def test_a_site_that_asks_for_it_gets_a_session_key(stack: GatepostStack, session: ClientSession) -> None:
    site = new_site(stack, session, "legacy")
    user = site.user()
    assert "session_token" not in (await site.authenticate(user.username)).payload
    stack.cli("project", "update", site.project, "--switch", "ossn.session_token")
    answer = await site.authenticate(user.username)
    assert answer.payload["session_token"] == answer.headers["X-Session-Token"]
    market = Shoop(stack, session, site.project, "strict")
    assert (await market.user(answer.payload["session_token"]))["email"] == user.email
