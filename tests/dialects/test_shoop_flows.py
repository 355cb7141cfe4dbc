"""What an app does over Shoop, end to end: register, log in, read and edit oneself, reset the password, list places."""

import os
import signal
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import Ihopr, app_maker
from dialects.shoop_client import PASSWORD, Shoop, new_email, new_market

from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest
from gatepost.notify.v1.devices_pb2 import ListDevicesRequest
from gateway.clients import Clients

MEMBERS = (
    *("id_user", "name", "email", "phone", "birthdate", "username", "address", "city", "country", "bio", "avatar"),
    *("type", "fb_token", "fb_token_expired", "tw_token", "tw_secret", "album_id", "show_phone", "gcm_regid"),
    *("premium_end", "is_premium", "updated", "fb_uid", "joined_date", "id_key", "longitude", "latitude"),
    *("id_location", "status", "app_version", "last_activity", "buyer_poin", "seller_poin", "is_trusted", "is_sundul"),
)
TEXTS = {"id_user", "name", "email", "type", "updated", "joined_date", "id_key", "show_phone", "is_premium", "status"}
TEXTS |= {"buyer_poin", "seller_poin", "is_trusted", "is_sundul", "fb_uid"}
SECRETS = ("fb_token", "tw_token", "tw_secret", "gcm_regid")


@pytest.fixture(scope="session")
def market(stack: GatepostStack, session: ClientSession) -> Shoop:
    """Return a market, once; what is shown here is the same in both status modes."""
    return new_market(stack, session, "strict")


async def devices(core: Clients, market: Shoop, email: str) -> list[str]:
    ref = AccountRef(email=EmailRef(project=market.project, email=email))
    user_id = (await core.accounts.GetAccount(GetAccountRequest(account=ref))).account.user_id
    return [device.kind for device in (await core.devices.ListDevices(ListDevicesRequest(user_id=user_id))).devices]


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_form_and_json_are_taken_alike(market: Shoop, as_json: bool) -> None:  # noqa: FBT001 a parameter
    email = new_email()
    body = {"email": email, "password": PASSWORD, "name": "Siti Nur Halimah", "id_location": 7, "phone": 82232856363}
    more = {"latitude": -7.25, "longitude": 112.75, "avatar": "siti.png", "show_phone": 1, "address": "ignored"}
    said: dict[str, Any] = {"json": body | more} if as_json else body | more
    key = (await market.call("POST", "auth/register", **said)).success["key"]
    user = await market.user(key)
    expected = {"name": "Siti Nur Halimah", "email": email, "phone": "82232856363", "id_location": "7"}
    expected |= {"latitude": "-7.25", "longitude": "112.75", "avatar": "siti.png"}
    assert {name: user[name] for name in expected} == expected
    assert user["address"] is None


async def test_the_active_user_is_all_strings_or_null_and_without_secrets(market: Shoop) -> None:
    _, key = await market.registered()
    body = (await market.call("GET", "user/get_active_user", key)).success
    user = body.pop("user")
    assert body == {
        "status": 1,
        "product_count": {"all": 0, "active": 0},
        "follow": {"following": 0, "follower": 0},
        "shoop_count": 0,
        "point": {"balance": 0},
    }
    assert list(user) == list(MEMBERS)
    assert all(value is None or isinstance(value, str) for value in user.values())
    assert all(isinstance(user[name], str) for name in TEXTS)
    assert [user[name] for name in SECRETS] == [""] * len(SECRETS)
    assert user["fb_uid"] == "null"


async def test_every_login_has_a_key_of_its_own(market: Shoop) -> None:
    email, first = await market.registered()
    second = (await market.post("auth/login", email=email.upper(), password=PASSWORD)).success["key"]
    assert first != second
    users = [await market.user(key) for key in (first, second)]
    assert users[0]["id_user"] == users[1]["id_user"]
    assert users[0]["id_key"] != users[1]["id_key"]


async def test_a_password_goes_before_facebook(market: Shoop) -> None:
    email, _ = await market.registered()
    answer = await market.post("auth/login", email=email, password=PASSWORD, fb_token="x", fb_uid="1")
    assert len(answer.success["key"]) == 40


async def test_the_key_is_taken_from_a_parameter_too(market: Shoop) -> None:
    email, key = await market.registered()
    url = f"{market.stack.url}/t/{market.project}/api/v2/user"
    async with market.session.get(f"{url}/get_active_user", params={"X-API-KEY": key}) as answer:
        assert (await answer.json())["user"]["email"] == email
    async with market.session.post(f"{url}/edit_user", data={"X-API-KEY": key, "name": "Eve"}) as answer:
        assert (await answer.json())["user"]["name"] == "Eve"


async def test_the_user_is_edited_and_what_is_not_sent_stays(market: Shoop) -> None:
    _, key = await market.registered(phone="0822", avatar="a.png")
    before = await market.user(key)
    sent = {"name": "Bea van Li", "address": "Jalan 1", "id_location": "3", "latitude": "1.5", "longitude": "-2"}
    ignored = {"is_sundul": "1", "tw_token": "t", "tw_secret": "s", "fb_token": "f", "fb_uid": "1"}
    after = (await market.call("POST", "user/edit_user", key, **sent, **ignored)).success["user"]
    changed = sent | {"longitude": "-2.0", "city": after["city"], "updated": after["updated"]}
    assert after | {"last_activity": ""} == before | changed | {"last_activity": ""}
    assert after == await market.user(key)
    assert after["city"] != before["city"]


async def test_empty_values_clear_what_may_be_empty(market: Shoop) -> None:
    _, key = await market.registered(phone="0822", avatar="a.png", latitude="1")
    sent = {"phone": "", "avatar": "", "id_location": "", "latitude": "", "address": ""}
    after = (await market.call("POST", "user/edit_user", key, **sent)).success["user"]
    assert (after["phone"], after["avatar"], after["id_location"], after["latitude"]) == (None, None, "7", "1.0")


async def test_an_avatar_leaves_what_other_apps_keep_alone(stack: GatepostStack, session: ClientSession) -> None:
    app = app_maker(stack)("none")
    ihopr, market = Ihopr(session, stack.url), Shoop(stack, session, app.project, "strict")
    for meta, avatar, kept in (('{"a":1}', "b.png", '{"a":1,"avatar":"b.png"}'), ("some text", None, "some text")):
        person, signed_up = await ihopr.signup(app, meta=meta)
        key = (await market.post("auth/login", email=person.email, password=person.password)).success["key"]
        after = (await market.call("POST", "user/edit_user", key, avatar="b.png")).success["user"]
        assert after["avatar"] == avatar
        assert (await ihopr.exchange(app, signed_up["code"]))["user"]["meta"] == kept


async def test_a_device_is_registered_with_register_login_and_edit(market: Shoop, core: Clients) -> None:
    email, key = await market.registered(gcm_id=new_email())
    assert await devices(core, market, email) == ["gcm"]
    await market.post("auth/login", email=email, password=PASSWORD, gcm_id=new_email())
    await market.call("POST", "user/edit_user", key, gcm_id=new_email())
    assert await devices(core, market, email) == ["gcm"] * 3


async def test_nobody_is_kept_out_when_devices_cannot_be_registered(make_stack: Any, session: ClientSession) -> None:
    stack = make_stack()
    stack.up()
    market = new_market(stack, session, "strict")
    email, _ = await market.registered()
    notify = next(process["pid"] for process in stack.status()["processes"] if process["name"] == "notify-service")
    os.kill(notify, signal.SIGSTOP)
    try:
        answer = await market.post("auth/login", email=email, password=PASSWORD, gcm_id="a-device")
    finally:
        os.kill(notify, signal.SIGCONT)
    assert len(answer.success["key"]) == 40


@pytest.mark.parametrize("by", ["code", "link"])
async def test_a_password_is_reset_with_what_was_mailed(market: Shoop, by: str) -> None:
    email, _ = await market.registered()
    await market.post("auth/forgot_password", email=email)
    mail = await market.mailed(email, "reset_link")
    assert PASSWORD not in mail["text"]
    token = mail["code"] if by == "code" else mail["link"].partition("token=")[2]
    answer = await market.post("auth/reset_password", email=email, token=token, password="another-lantern-43")
    assert answer.success == {"status": 1, "message": "Your password has been changed."}
    (await market.post("auth/login", email=email, password=PASSWORD)).refused(401, "Your password is invalid.")
    assert (await market.post("auth/login", email=email, password="another-lantern-43")).success["key"]


async def test_the_address_is_proven_by_a_mailed_link(market: Shoop) -> None:
    email, key = await market.registered()
    assert "/confirm-email?token=" in (await market.mailed(email, "confirm_email"))["link"]
    assert (await market.user(key))["email"] == email


async def test_places_are_listed_with_what_they_lie_in(market: Shoop) -> None:
    body = (await market.call("GET", "location")).success
    assert list(body) == ["status", "location"]
    assert all(set(place) == {"id_location", "name", "superloc"} for place in body["location"])
    numbers = [int(place["id_location"]) for place in body["location"]]
    assert numbers == sorted(numbers)
    assert "7" in {place["id_location"] for place in body["location"]}
    nested = next(place for place in body["location"] if place["superloc"])
    assert set(nested["superloc"]) == {"idsl", "name"}
    for path in ("location", "location/get_location"):
        one = (await market.call("GET", path, id_location=nested["id_location"])).success["location"]
        assert one == [nested]


async def test_a_market_is_found_by_its_host(market: Shoop) -> None:
    host = f"{market.project}.example"
    market.stack.cli("project", "update", market.project, "--host", host)
    email, _ = await market.registered()
    url = f"{market.stack.url}/api/v2/auth/login"
    body = {"email": email, "password": PASSWORD}
    async with market.session.post(url, data=body, headers={"Host": host}) as answer:
        assert answer.status == 200
    async with market.session.post(url, data=body) as answer:
        assert (answer.status, await answer.json()) == (401, {"status": 0, "error": "Your password is invalid."})
