"""Requests of VorgID whose cost is budgeted."""

import base64
from itertools import count
from typing import Any
from urllib.parse import urlencode

from budget.cases import Cases, Place, Send, sending
from dialects.ihopr_client import new_email
from dialects.vorgid_client import AUTHORIZE, sign
from drawn import plain

CASES = Cases("vorgid")
_PNG = base64.b64encode(plain()).decode()
_PHONES = count(1000)


@CASES.at(f"GET {AUTHORIZE}", "consent page", granted=False)
@CASES.at(f"GET {AUTHORIZE}", "granted before", granted=True)
async def authorize(place: Place, *, granted: bool) -> Send:
    site = place.vorgid.site
    browser = await site.browser(await site.person())
    if granted:
        await place.vorgid.code(browser)

    async def send() -> None:
        page = await browser.get(f"{site.mount}{AUTHORIZE}", **place.vorgid.asked())
        assert page.status == (302 if granted else 200), page

    return send


@CASES.at(f"POST {AUTHORIZE}", "allowed")
async def decide(place: Place) -> Send:
    site = place.vorgid.site
    browser = await site.browser(await site.person())
    target = f"{site.mount}{AUTHORIZE}?{urlencode(place.vorgid.asked())}"
    page = await browser.get(target)

    async def send() -> None:
        assert (await browser.post(target, csrf=page.csrf, shown=page.shown, decision="allow")).parameters["code"]

    return send


@CASES.at("POST /oauth2/token", "code")
async def token_for_code(place: Place) -> Send:
    return _asking(place, {"grant_type": "authorization_code", "code": await place.vorgid.code()})


@CASES.at("POST /oauth2/token", "refresh token")
async def token_for_refresh_token(place: Place) -> Send:
    tokens = await place.vorgid.tokens()
    return _asking(place, {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})


@CASES.at("GET /v1/vorg-id/get/personal", "new token", method="GET", path="get/personal")
@CASES.at("GET /v1/vorg-id/get/personal", "same token", method="GET", path="get/personal", repeated=True)
@CASES.at("GET POST /v1/vorg-id/edit-name", method="POST", path="edit-name", name="Bea Ray")
@CASES.at("POST /v1/vorg-id/edit-photo", method="POST", path="edit-photo", file=_PNG)
async def with_token(place: Place, method: str, path: str, **body: str) -> Send:
    _, token = await place.vorgid.signed_in()
    return sending(place.vorgid.success, method, path, token, **({"json": body} if body else {}))


@CASES.at("GET POST /v1/vorg-id/edit-email", "first step", what="email", second=False)
@CASES.at("GET POST /v1/vorg-id/edit-email", "second step", what="email", second=True)
@CASES.at("GET POST /v1/vorg-id/edit-phone", "first step", what="phone", second=False)
@CASES.at("GET POST /v1/vorg-id/edit-phone", "second step", what="phone", second=True)
async def edit(place: Place, what: str, *, second: bool) -> Send:
    vorgid = place.vorgid
    _, token = await vorgid.signed_in()
    given = {what: new_email() if what == "email" else f"+44207946{next(_PHONES)}"}
    path = f"edit-{what}"
    if second:
        handle = (await vorgid.success("POST", path, token, json=given))["hash_token"]
        given["sign"] = sign(await vorgid.site.ihopr.mailed_code(given[what]), handle)
    return sending(vorgid.success, "POST", path, token, json=given)


@CASES.at("GET HEAD /v1/vorg-id/pictures/{file}", "initials", uploaded=False)
@CASES.at("GET HEAD /v1/vorg-id/pictures/{file}", "uploaded", uploaded=True)
async def picture(place: Place, *, uploaded: bool) -> Send:
    _, token = await place.vorgid.signed_in()
    if uploaded:
        await place.vorgid.success("POST", "edit-photo", token, json={"file": _PNG})
    link = (await place.vorgid.success("GET", "get/personal", token))["profile_img"]
    return sending(place.fetch, link)


def _asking(place: Place, given: dict[str, Any]) -> Send:
    async def send() -> None:
        assert (await place.vorgid.token_request(place.vorgid.basic, data=given)).status == 200

    return send
