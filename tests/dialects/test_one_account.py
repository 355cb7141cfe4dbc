"""One account through all five dialects: signed up in one, moved in another, reset in a third, ended in all."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession
from conftest import GatepostStack
from dialects import shoop_client
from dialects.ihopr_client import App, Ihopr, Person
from dialects.ossn_client import Ossn
from dialects.redirect_client import REDIRECT_URL, Browser, Site
from dialects.shoop_client import Shoop
from dialects.sngine_client import Sngine
from dialects.vorgid_client import AUTHORIZE, SCOPES, Vorgid, sign

NEW_PASSWORD = "harbour-lantern-43"


@dataclass(frozen=True)
class Everywhere:
    """One project, reached through every dialect."""

    site: Site
    ihopr: Ihopr
    sngine: Sngine
    vorgid: Vorgid
    shoop: Shoop
    ossn: Ossn

    async def sign_in(self, person: Person) -> "Held":
        """Sign somebody in through every door."""
        browser = await self.site.browser(person)
        app = self.site.app
        key = await self.asked(browser, "/api/oauth", app_id=app.client_id)
        code = await self.asked(browser, AUTHORIZE, **self.vorgid.asked())
        return Held(
            ihopr=(await self.ihopr.signed_in_again(app, person))["access_token"],
            sngine=(await self.sngine.authorize(key["auth_key"])).body["access_token"],
            vorgid=(await self.vorgid.exchange(code["code"])).body["access_token"],
            shoop=(await self.shoop.post("auth/login", email=person.email, password=person.password)).success["key"],
        )

    async def asked(self, browser: Browser, path: str, **query: str) -> dict[str, str]:
        """Go to an app's door and say yes if that is asked; return what the browser brings back."""
        shown = await browser.get(f"{self.site.mount}{path}", **query)
        if shown.status == 302:
            return shown.parameters
        target = f"{self.site.mount}{path}?{urlencode(query)}"
        return (await browser.post(target, csrf=shown.csrf, shown=shown.shown, decision="allow")).parameters

    async def alive(self, held: "Held") -> dict[str, bool]:
        """Say which of the things somebody holds still work."""
        ihopr = await self.ihopr.call("GET", "user", token=held.ihopr)
        sngine = await self.sngine.ask("get_user_info", access_token=held.sngine)
        vorgid = await self.vorgid.call("GET", "get/personal", held.vorgid)
        shoop = await self.shoop.call("GET", "user/get_active_user", held.shoop)
        return {
            "ihopr": ihopr.status == 200,
            "sngine": "user_info" in sngine.body,
            "vorgid": vorgid.status == 200,
            "shoop": shoop.body["status"] == 1,
        }

    async def password_works(self, email: str, password: str) -> bool:
        """Say whether the fifth dialect, which opens no session, takes a password."""
        return bool((await self.ossn.authenticate(email, password)).body["code"] == "100")


@dataclass(frozen=True)
class Held:
    """What the person's clients hold."""

    ihopr: str
    sngine: str
    vorgid: str
    shoop: str


def everywhere(stack: GatepostStack, session: ClientSession, make_app: Any) -> Everywhere:
    scopes = [part for scope in (*SCOPES, "birthdate") for part in ("--scope", scope)]
    app: App = make_app("none", app_options=("--redirect-url", REDIRECT_URL, *scopes))
    ihopr = Ihopr(session, stack.url)
    site = Site(app, stack, ihopr, session)
    return Everywhere(
        site,
        ihopr,
        Sngine(site, session, stack.url),
        Vorgid(site, session, stack.url),
        Shoop(stack, session, app.project, "strict"),
        Ossn(stack, session, app.project, "", "legacy").with_key(),
    )


async def test_one_account_through_all_five(stack: GatepostStack, session: ClientSession, make_app: Any) -> None:
    door = await asyncio.to_thread(everywhere, stack, session, make_app)

    # Signed up in Shoop, with its key; known to the four others at once.
    email, key = await door.shoop.registered()
    person = Person(email, shoop_client.PASSWORD)
    held = await door.sign_in(person)
    assert await door.alive(held) == dict.fromkeys(("ihopr", "sngine", "vorgid", "shoop"), True)
    assert await door.password_works(email, person.password)
    numbers = {
        str((await door.ihopr.success("GET", "user", token=held.ihopr))["user"]["id"]),
        (await door.sngine.user_info(held.sngine))["user_id"],
        str((await door.vorgid.success("GET", "get/personal", held.vorgid))["id"]),
        (await door.shoop.user(key))["id_user"],
        (await door.ossn.authenticate(email, person.password)).payload["guid"],
    }
    assert len(numbers) == 1

    # Its address moved in VorgID: everybody else's token dies, the new address signs in, the old does not.
    moved = f"moved-{email}"
    started = await door.vorgid.success("GET", "edit-email", held.vorgid, params={"email": moved})
    code = await door.ihopr.mailed_code(moved, "email_change_code")
    await door.vorgid.success(
        "GET", "edit-email", held.vorgid, params={"email": moved, "sign": sign(code, started["hash_token"])}
    )
    assert await door.alive(held) == {"ihopr": False, "sngine": False, "vorgid": True, "shoop": False}
    assert (await door.shoop.call("GET", "user/get_active_user", key)).status == 403
    assert not await door.password_works(email, person.password)
    assert await door.password_works(moved, person.password)

    # Its password reset in iHopr.
    body = door.site.app.credentials | {"email": moved}
    token = (await door.ihopr.success("POST", "send-reset-password-code", body))["reset_password_token"]
    code = await door.ihopr.mailed_code(moved, "reset_code")
    reset = {"reset_password_code": code, "reset_password_token": token, "password": NEW_PASSWORD}
    await door.ihopr.success("POST", "reset-password", reset)
    assert not any((await door.alive(held)).values())
    assert not await door.password_works(moved, person.password)
    person = Person(moved, NEW_PASSWORD)
    assert await door.password_works(moved, NEW_PASSWORD)

    # Everything ended on the account page.
    held = await door.sign_in(person)
    assert all((await door.alive(held)).values())
    browser = await door.site.browser(person)
    shown = await browser.get(f"{door.site.mount}/account/sessions")
    await browser.post(f"{door.site.mount}/account/sessions/end", csrf=shown.csrf)
    assert not any((await door.alive(held)).values())
    assert (await browser.get(f"{door.site.mount}/account")).status == 303
