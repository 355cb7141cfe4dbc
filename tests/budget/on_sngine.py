"""Requests of the Sngine dialect whose cost is budgeted."""

from typing import Any

from budget.cases import Cases, Place, Send
from dialects.redirect_client import Browser

CASES = Cases("sngine")


@CASES.at("GET /api/oauth", "consent page", path="/api/oauth")
@CASES.at("GET /api/oauth2", "consent page", path="/api/oauth2")
async def consent_page(place: Place, path: str) -> Send:
    site = place.sngine.site
    return _opening(place, await site.browser(await site.person()), path, 200)


@CASES.at("GET /api/oauth", "granted before")
async def granted(place: Place) -> Send:
    site = place.sngine.site
    browser = await site.browser(await site.person())
    await place.sngine.auth_key(browser)
    return _opening(place, browser, "/api/oauth", 302)


@CASES.at("GET /api/oauth", "not signed in")
async def stranger(place: Place) -> Send:
    return _opening(place, await place.sngine.site.browser(), "/api/oauth", 302)


@CASES.at("POST /api/oauth", "allowed", path="/api/oauth")
@CASES.at("POST /api/oauth2", "allowed", path="/api/oauth2")
async def decide(place: Place, path: str) -> Send:
    site = place.sngine.site
    browser = await site.browser(await site.person())
    target = f"{site.mount}{path}?app_id={site.app.client_id}"
    page = await browser.get(target)

    async def send() -> None:
        assert (await browser.post(target, csrf=page.csrf, shown=page.shown, decision="allow")).parameters["auth_key"]

    return send


@CASES.at("GET /api/authorize", posted=False)
@CASES.at("POST /api/authorize", posted=True)
async def authorize(place: Place, *, posted: bool) -> Send:
    given = place.sngine.credentials | {"auth_key": await place.sngine.auth_key()}

    async def send() -> None:
        ask: Any = place.sngine.post("authorize", data=given) if posted else place.sngine.ask("authorize", **given)
        assert (await ask).body["access_token"]

    return send


@CASES.at("GET /api/get_user_info", "new token")
@CASES.at("GET /api/get_user_info", "same token", repeated=True)
async def get_user_info(place: Place) -> Send:
    _, token = await place.sngine.signed_in()

    async def send() -> None:
        await place.sngine.user_info(token)

    return send


@CASES.at("GET HEAD /content/uploads/{file}", "initials")
async def initials(place: Place) -> Send:
    _, token = await place.sngine.signed_in()
    picture = (await place.sngine.user_info(token))["profile_picture"]

    async def send() -> None:
        await place.fetch(picture)

    return send


def _opening(place: Place, browser: Browser, path: str, status: int) -> Send:
    site = place.sngine.site

    async def send() -> None:
        page = await browser.get(f"{site.mount}{path}", app_id=site.app.client_id)
        assert page.status == status, page

    return send
