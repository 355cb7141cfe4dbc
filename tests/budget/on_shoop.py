"""Requests of the Shoop dialect whose cost is budgeted."""

from typing import Any

from budget.cases import Cases, Place, Send
from dialects.shoop_client import PASSWORD, new_email

CASES = Cases("shoop")


def _calling(place: Place, method: str, path: str, key: str = "", **parameters: Any) -> Send:
    async def send() -> None:
        assert (await place.shoop.call(method, path, key, **parameters)).success

    return send


@CASES.at("POST /api/v2/auth/login")
@CASES.at("POST /api/v2/auth/login", "with device", device="a-device")
async def login(place: Place, device: str = "") -> Send:
    email, _ = await place.shoop.registered()
    more = {"gcm_id": f"{device}-{email}"} if device else {}
    return _calling(place, "POST", "auth/login", email=email, password=PASSWORD, **more)


@CASES.at("POST /api/v2/auth/register")
async def register(place: Place) -> Send:
    shoop = place.shoop

    async def send() -> None:
        assert (await shoop.register()).success

    return send


@CASES.at("POST /api/v2/auth/forgot_password", "known address", known=True)
@CASES.at("POST /api/v2/auth/forgot_password", "unknown address", known=False)
async def forgot_password(place: Place, *, known: bool) -> Send:
    email = (await place.shoop.registered())[0] if known else new_email()
    return _calling(place, "POST", "auth/forgot_password", email=email)


@CASES.at("POST /api/v2/auth/reset_password", "by code", by_link=False)
@CASES.at("POST /api/v2/auth/reset_password", "by link", by_link=True)
async def reset_password(place: Place, *, by_link: bool) -> Send:
    email, _ = await place.shoop.registered()
    await place.shoop.post("auth/forgot_password", email=email)
    mail = await place.shoop.mailed(email, "reset_link")
    token = mail["link"].partition("token=")[2] if by_link else mail["code"]
    return _calling(place, "POST", "auth/reset_password", email=email, token=token, password="another-lantern-43")


@CASES.at("GET /api/v2/user/get_active_user", "new key")
@CASES.at("GET /api/v2/user/get_active_user", "same key", repeated=True)
async def get_active_user(place: Place) -> Send:
    _, key = await place.shoop.registered()
    return _calling(place, "GET", "user/get_active_user", key)


@CASES.at("POST /api/v2/user/edit_user", "name", name="Bea Ray")
@CASES.at("POST /api/v2/user/edit_user", "location", id_location=8)
@CASES.at("POST /api/v2/user/edit_user", "nothing")
async def edit_user(place: Place, **changes: Any) -> Send:
    _, key = await place.shoop.registered()
    return _calling(place, "POST", "user/edit_user", key, **changes)


@CASES.at("GET /api/v2/location", path="location")
@CASES.at("GET /api/v2/location/get_location", path="location/get_location")
@CASES.at("GET /api/v2/location/get_location", "one", path="location/get_location", id_location="7")
async def locations(place: Place, path: str, **parameters: str) -> Send:
    return _calling(place, "GET", path, **parameters)
