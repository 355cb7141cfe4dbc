"""Every way in which Shoop says no, row by row of its contract, in both status modes, against the running stack."""

from dataclasses import replace
from typing import Any

import pytest
from dialects.shoop_client import PASSWORD, Shoop, new_email, new_market

PASSWORD_INVALID = (401, "Your password is invalid.")
EMAIL_INVALID = (400, "Your email is invalid.")
LOCATION_INVALID = (400, "Your location is invalid.")
TOKEN_INVALID = (400, "Your token is invalid.")
NO_KEY = (403, "Invalid API Key.")
NO_METHOD = (404, "Unknown method.")
COMPLETE = {"email": "a@example.com", "password": PASSWORD, "name": "sh code", "id_location": "7"}


def missing(name: str) -> tuple[int, str]:
    return 400, f"Your parameter is not complete. Missing parameter '{name}'."


# A parameter is missing: the first in the order of the table


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({}, "email"),
        ({"gcm_id": "x"}, "email"),
        ({"email": "a@example.com"}, "password"),
        ({"password": PASSWORD}, "email"),
        ({"email": "", "password": PASSWORD}, "email"),
        ({"email": "a@example.com", "password": ""}, "password"),
        ({"fb_token": "x"}, "fb_uid"),
        ({"fb_uid": "1"}, "fb_token"),
        ({"email": "a@example.com", "fb_token": "x"}, "password"),
    ],
)
async def test_logging_in_with_half_of_a_pair(shoop: Shoop, sent: dict[str, str], name: str) -> None:
    (await shoop.post("auth/login", **sent)).refused(*missing(name))


@pytest.mark.parametrize("name", list(COMPLETE))
async def test_registering_without_a_parameter(shoop: Shoop, name: str) -> None:
    (await shoop.register(**{name: None})).refused(*missing(name))
    (await shoop.register(**{name: ""})).refused(*missing(name))


async def test_the_first_missing_parameter_is_named(shoop: Shoop) -> None:
    (await shoop.post("auth/register")).refused(*missing("email"))
    (await shoop.post("auth/register", email="a@example.com", id_location="7")).refused(*missing("password"))
    (await shoop.post("auth/register", id_location="seven")).refused(*missing("email"))


async def test_forgetting_and_resetting_without_a_parameter(shoop: Shoop) -> None:
    (await shoop.post("auth/forgot_password")).refused(*missing("email"))
    (await shoop.post("auth/reset_password", email="a@example.com")).refused(*missing("token"))
    (await shoop.post("auth/reset_password", email="a@example.com", token="x")).refused(*missing("password"))


# Wrong password, unknown address


async def test_an_unknown_address_and_a_wrong_password_read_alike(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    (await shoop.post("auth/login", email=email, password="not the password")).refused(*PASSWORD_INVALID)
    (await shoop.post("auth/login", email=new_email(), password=PASSWORD)).refused(*PASSWORD_INVALID)


async def test_an_address_of_another_market_is_unknown(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    other = new_market(shoop.stack, shoop.session, shoop.mode)
    (await other.post("auth/login", email=email, password=PASSWORD)).refused(*PASSWORD_INVALID)


async def test_a_disabled_account_reads_like_a_wrong_password(shoop: Shoop) -> None:
    email, key = await shoop.registered()
    shoop.stack.cli("user", "disable", email, "--project", shoop.project)
    (await shoop.post("auth/login", email=email, password=PASSWORD)).refused(*PASSWORD_INVALID)
    (await shoop.call("GET", "user/get_active_user", key)).refused(*NO_KEY)


async def test_an_unverified_account_is_told_only_to_who_has_the_password(shoop: Shoop) -> None:
    email = new_email()
    shoop.stack.cli("user", "create", email, "--project", shoop.project, "--password", PASSWORD, "--unverified")
    (await shoop.post("auth/login", email=email, password=PASSWORD)).refused(403, "Your account is not verified.")
    (await shoop.post("auth/login", email=email, password="not the password")).refused(*PASSWORD_INVALID)


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_a_market_with_a_second_step(shoop: Shoop, policy: str) -> None:
    market = new_market(shoop.stack, shoop.session, shoop.mode, "--sign-in", policy)
    email = new_email()
    market.stack.cli("user", "create", email, "--project", market.project, "--password", PASSWORD)
    second_step = (403, "Your account needs a second step.")
    (await market.post("auth/login", email=email, password=PASSWORD)).refused(*second_step)
    (await market.register()).refused(*second_step)


# Malformed values


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"email": "nobody"}, EMAIL_INVALID),
        ({"email": "a b@example.com"}, EMAIL_INVALID),
        ({"id_location": "999999"}, LOCATION_INVALID),
        ({"id_location": "9" * 30}, LOCATION_INVALID),
        ({"id_location": "seven"}, LOCATION_INVALID),
        ({"id_location": "-7"}, LOCATION_INVALID),
        ({"longitude": "180.1"}, LOCATION_INVALID),
        ({"longitude": "east"}, LOCATION_INVALID),
        ({"latitude": "-90.1"}, LOCATION_INVALID),
        ({"latitude": "nan"}, LOCATION_INVALID),
        ({"avatar": "../a.png"}, (400, "Your avatar is invalid.")),
        ({"avatar": ".."}, (400, "Your avatar is invalid.")),
        ({"avatar": "http://a.example/a.png"}, (400, "Your avatar is invalid.")),
        ({"avatar": "a\\b.png"}, (400, "Your avatar is invalid.")),
        ({"name": "   "}, (400, "Your name is invalid.")),
        ({"name": "x" * 101}, (400, "Your name is invalid.")),
        ({"gcm_id": "x" * 4097}, (400, "Your gcm_id is invalid.")),
        ({"phone": "1" * 41}, (400, "Your phone is invalid.")),
        ({"password": "short"}, (422, "Your password is too weak.")),
    ],
)
async def test_registering_with_a_wrong_value(shoop: Shoop, changes: dict[str, Any], error: tuple[int, str]) -> None:
    (await shoop.register(**changes)).refused(*error)


async def test_logging_in_with_a_malformed_address(shoop: Shoop) -> None:
    (await shoop.post("auth/login", email="nobody", password=PASSWORD)).refused(*EMAIL_INVALID)
    (await shoop.post("auth/forgot_password", email="nobody")).refused(*EMAIL_INVALID)


async def test_editing_with_a_wrong_value_changes_nothing(shoop: Shoop) -> None:
    _, key = await shoop.registered()
    before = await shoop.user(key)
    wrong: tuple[tuple[dict[str, str], tuple[int, str]], ...] = (
        ({"id_location": "999999"}, LOCATION_INVALID),
        ({"latitude": "91"}, LOCATION_INVALID),
        ({"avatar": "a/b"}, (400, "Your avatar is invalid.")),
        ({"address": "x" * 201}, (400, "Your address is invalid.")),
    )
    for sent, error in wrong:
        (await shoop.call("POST", "user/edit_user", key, name="Eve", **sent)).refused(*error)
    assert await shoop.user(key) == before


async def test_a_body_that_is_no_object(shoop: Shoop) -> None:
    (await shoop.call("POST", "auth/login", json=[])).refused(400, "Your request is invalid.")
    (await shoop.call("POST", "auth/login", json={"email": ["a"]})).refused(*EMAIL_INVALID)


async def test_an_unknown_place(shoop: Shoop) -> None:
    (await shoop.call("GET", "location", id_location="999999")).refused(*LOCATION_INVALID)


# E-mail taken


async def test_an_address_in_use(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    (await shoop.register(email=email.upper())).refused(409, "Your email has been registered.")


# Facebook, where it is not set up: see also test_shoop_facebook


async def test_facebook_where_it_is_not_set_up(shoop: Shoop) -> None:
    refused = (401, "Your Facebook token is invalid.")
    (await shoop.post("auth/login", fb_token="x", fb_uid="1")).refused(*refused)
    (await shoop.register(fb_token="x")).refused(*refused)


# Password reset


async def test_an_unknown_address_is_answered_like_any_other(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    answers = [(await shoop.post("auth/forgot_password", email=each)).success for each in (email, new_email())]
    assert answers[0] == answers[1]


async def test_a_reset_with_a_wrong_token(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    body = {"password": "another-lantern-43"}
    for token in ("000000", "x", "ä", "0" * 76):
        (await shoop.post("auth/reset_password", email=email, token=token, **body)).refused(*TOKEN_INVALID)
    (await shoop.post("auth/reset_password", email=new_email(), token="123456", **body)).refused(*TOKEN_INVALID)


async def test_a_reset_token_is_good_once_and_not_for_a_weak_password(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    await shoop.post("auth/forgot_password", email=email)
    token = (await shoop.mailed(email, "reset_link"))["code"]
    body = {"email": email, "token": token}
    (await shoop.post("auth/reset_password", **body, password="short")).refused(422, "Your password is too weak.")
    await shoop.post("auth/reset_password", **body, password="another-lantern-43")
    (await shoop.post("auth/reset_password", **body, password="another-lantern-44")).refused(*TOKEN_INVALID)


# Keys


@pytest.mark.parametrize("key", ["", "0" * 40, "x", "0" * 400])
async def test_a_key_that_is_missing_or_wrong_goes_before_the_input(shoop: Shoop, key: str) -> None:
    (await shoop.call("GET", "user/get_active_user", key)).refused(*NO_KEY)
    (await shoop.call("POST", "user/edit_user", key, name="Eve")).refused(*NO_KEY)
    if not key:
        (await shoop.call("POST", "user/edit_user", key, latitude="north")).refused(*NO_KEY)


async def test_a_key_of_another_market(shoop: Shoop) -> None:
    _, key = await shoop.registered()
    other = new_market(shoop.stack, shoop.session, shoop.mode)
    (await other.call("GET", "user/get_active_user", key)).refused(*NO_KEY)


async def test_a_revoked_key(shoop: Shoop) -> None:
    email, key = await shoop.registered()
    shoop.stack.cli("user", "sign-out", email, "--project", shoop.project)
    (await shoop.call("GET", "user/get_active_user", key)).refused(*NO_KEY)


async def test_a_key_dies_with_the_password(shoop: Shoop) -> None:
    email, key = await shoop.registered()
    await shoop.post("auth/forgot_password", email=email)
    token = (await shoop.mailed(email, "reset_link"))["code"]
    (await shoop.post("auth/reset_password", email=email, token=token, password="another-lantern-43")).success  # noqa: B018
    (await shoop.call("GET", "user/get_active_user", key)).refused(*NO_KEY)


# Unknown methods, too many tries, no such market


@pytest.mark.parametrize("path", ["auth/dance", "auth", "user", "", "location/get_location/7"])
async def test_an_unknown_method(shoop: Shoop, path: str) -> None:
    (await shoop.post(path)).refused(*NO_METHOD)


async def test_a_wrong_http_method(shoop: Shoop) -> None:
    answer = await shoop.call("GET", "auth/login")
    answer.refused(405, "Unknown method.")
    assert answer.headers["Allow"] == "POST"


async def test_too_many_wrong_passwords(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    for _ in range(10):
        await shoop.post("auth/login", email=email, password="not the password")
    answer = await shoop.post("auth/login", email=email, password=PASSWORD)
    answer.refused(429, "Too many requests.")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_market_that_does_not_exist(shoop: Shoop) -> None:
    nowhere = replace(shoop, project="nowhere", mode="strict")
    (await nowhere.post("auth/login", email=new_email(), password=PASSWORD)).refused(*NO_METHOD)


async def test_a_market_that_does_not_serve_this_dialect(shoop: Shoop) -> None:
    market = new_market(shoop.stack, shoop.session, shoop.mode)
    shoop.stack.cli("project", "update", market.project, "--dialect", "ihopr")
    (await market.post("auth/login", email=new_email(), password=PASSWORD)).refused(*NO_METHOD)
