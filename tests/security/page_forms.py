"""Every form of the hosted pages and of consent, filled in right and ready to be sent by the one it was shown to.

A new route that takes a form fails a test until it is here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import FormData
from dialects.ihopr_client import PASSWORD, App, new_email
from dialects.own_pages import Visit
from dialects.pages_client import Door, form
from dialects.redirect_client import Browser, Page
from dialects.vorgid_client import AUTHORIZE
from drawn import plain
from security.world import World
from yarl import URL

NEW_PASSWORD = "harbour-violin-97"
_NO_FILES: Mapping[str, bytes] = {}
_PHONES = count(1000)
_ICON = plain()


@dataclass(frozen=True)
class Filled:
    """A form that would be taken.

    Args:
        browser: Whom it was shown to.
        path: Where it goes.
        fields: What it holds, `csrf` included.
        files: What is uploaded with it.
        status: Of the answer when it is taken.
        email: Of the person it is about, to look for mail.
    """

    browser: Browser
    path: str
    fields: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    status: int = 303
    email: str = ""

    async def send(self, *, cookies: bool = True, headers: Mapping[str, str] | None = None, **changed: str) -> Page:
        """Send it, with some of the fields changed; without the cookies if told so."""
        fields = {**self.fields, **changed}
        jar = self.browser.cookies if cookies else {}
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), **(headers or {})}
        data: FormData | dict[str, str] = fields
        if self.files:
            data = FormData(default_to_multipart=True)
            for name, value in fields.items():
                data.add_field(name, value)
            for name, content in self.files.items():
                data.add_field(name, BytesIO(content), filename="picture.png", content_type="image/png")
        url = URL(self.browser.url + self.path, encoded=True)
        async with self.browser.session.post(url, data=data, headers=sent, allow_redirects=False) as answer:
            for name, morsel in answer.cookies.items():
                jar[name] = morsel.value
            return Page(answer.status, await answer.text(), dict(answer.headers))


Prepare = Callable[[World], Awaitable[Filled]]
FORMS: dict[str, Prepare] = {}
"""By route, as `PAGES` and the dialects have it."""


def _at(route: str) -> Callable[[Prepare], Prepare]:
    def add(prepare: Prepare) -> Prepare:
        FORMS[route] = prepare
        return prepare

    return add


async def shown(door: Door, path: str, /, **fields: str) -> Filled:
    """Fill the form that a page at the door shows."""
    page = await door.open(path)
    while page.status == 303:
        page = await door.follow(page)
    action, held = form(page)
    return Filled(door.browser, action, held | fields)


async def own(
    visit: Visit, path: str, /, status: int = 303, files: Mapping[str, bytes] = _NO_FILES, **fields: str
) -> Filled:
    """Fill a form of somebody who is signed in."""
    csrf = (await visit.get("/account")).csrf
    where = f"{visit.site.mount}{path}"
    return Filled(visit.browser, where, {"csrf": csrf} | fields, files, status, visit.person.email)


async def link_to(visit: Visit, path: str) -> Filled:
    """Fill the form that a mailed link leads to, in a browser that has never been here."""
    token = await visit.mailed_link(path)
    browser = await visit.site.browser()
    page = await browser.get(f"{visit.site.mount}{path}", token=token)
    return Filled(browser, f"{visit.site.mount}{path}", {"csrf": page.csrf, "token": token}, email=visit.person.email)


@_at("/sign-in")
async def sign_in(world: World) -> Filled:
    person = await world.site.person()
    return await shown(world.door(), "/sign-in", email=person.email, password=person.password)


@_at("/sign-in/code")
async def sign_in_code(world: World) -> Filled:
    return await _code_at_door(world, world.two_step_app)


async def _code_at_door(world: World, app: App) -> Filled:
    person = await world.confirmed(app)
    mails = len(await world.ihopr.mails(person.email))
    door = world.door(app)
    await door.sign_in(person.email, person.password)
    code = await world.ihopr.mailed_code(person.email, after=mails)
    return await shown(door, "/sign-in/code", code=code)


@_at("/sign-out")
async def sign_out(world: World) -> Filled:
    return await own(await world.visit(), "/sign-out")


@_at("/sign-up")
async def sign_up(world: World) -> Filled:
    return await shown(world.door(), "/sign-up", first_name="Ann", email=new_email(), password=PASSWORD)


@_at("/forgot-password")
async def forgot_password(world: World) -> Filled:
    return await shown(world.door(), "/forgot-password", email=(await world.site.person()).email)


@_at("/reset-password")
async def reset_password(world: World) -> Filled:
    person, door = await world.site.person(), world.door()
    await door.submit(await door.open("/forgot-password"), email=person.email)
    code = (await door.mail(person.email, "reset_link"))["code"]
    return await shown(door, "/reset-password", code=code, password=NEW_PASSWORD)


@_at("/confirm-email")
async def confirm_email(world: World) -> Filled:
    visit = await world.visit()
    await visit.send("/account/prove-email")
    return await link_to(visit, "/confirm-email")


@_at("/undo-email-change")
async def undo_email_change(world: World) -> Filled:
    visit = await world.visit()
    await move(visit, new_email())
    return await link_to(visit, "/undo-email-change")


@_at("/keep-account")
async def keep_account(world: World) -> Filled:
    visit = await world.visit()
    await visit.send("/account/delete", sure="yes")
    return await link_to(visit, "/keep-account")


@_at("/account/prove-email")
async def prove_email(world: World) -> Filled:
    return await own(await world.visit(), "/account/prove-email")


@_at("/account/apps/{id}/revoke")
async def revoke_grant(world: World) -> Filled:
    visit = await world.visit()
    return await own(visit, f"/account/apps/{await grant_of(visit)}/revoke")


@_at("/account/delete")
async def delete(world: World) -> Filled:
    return await own(await world.visit(), "/account/delete", sure="yes")


@_at("/account/email")
async def email(world: World) -> Filled:
    return await own(await world.visit(), "/account/email", email=new_email())


@_at("/account/email/code")
async def email_code(world: World) -> Filled:
    visit, address = await world.visit(), new_email()
    await visit.send("/account/email", email=address)
    return await own(visit, "/account/email/code", code=await visit.ihopr.mailed_code(address))


@_at("/account/password")
async def password(world: World) -> Filled:
    visit = await world.visit()
    present = visit.person.password
    return await own(visit, "/account/password", password=NEW_PASSWORD, current_password=present)


@_at("/account/phone")
async def phone(world: World) -> Filled:
    return await own(await world.visit(), "/account/phone", phone=new_phone())


@_at("/account/phone/code")
async def phone_code(world: World) -> Filled:
    visit, number = await world.visit(), new_phone()
    await visit.send("/account/phone", phone=number)
    return await own(visit, "/account/phone/code", code=await visit.ihopr.mailed_code(number))


@_at("/account/picture")
async def picture(world: World) -> Filled:
    return await own(await world.visit(), "/account/picture", files={"picture": _ICON})


@_at("/account/cover")
async def cover(world: World) -> Filled:
    return await own(await world.visit(), "/account/cover", files={"cover": _ICON})


@_at("/account/picture/remove")
async def remove_picture(world: World) -> Filled:
    filled = await picture(world)
    await filled.send()
    return Filled(filled.browser, f"{filled.path}/remove", filled.fields)


@_at("/account/cover/remove")
async def remove_cover(world: World) -> Filled:
    filled = await cover(world)
    await filled.send()
    return Filled(filled.browser, f"{filled.path}/remove", filled.fields)


@_at("/account/profile")
async def profile(world: World) -> Filled:
    return await own(await world.visit(), "/account/profile", first_name="Bea", biography="Reads")


@_at("/account/profile/username")
async def username(world: World) -> Filled:
    return await own(await world.visit(), "/account/profile/username", username=f"ann{uuid4().hex[:12]}")


@_at("/account/sessions/end")
async def end_sessions(world: World) -> Filled:
    return await own(await world.visit(), "/account/sessions/end")


@_at("/account/sessions/{id}/end")
async def end_session(world: World) -> Filled:
    visit = await world.visit()
    await visit.site.browser(visit.person)
    return await own(visit, f"/account/sessions/{await other_session_of(visit)}/end")


@_at("/account/devices/{id}/forget")
async def forget_device(world: World) -> Filled:
    visit = await world.visit()
    return await own(visit, f"/account/devices/{await device_of(world, visit)}/forget")


@_at("/apps/new")
async def new_app(world: World) -> Filled:
    return await own(await world.visit(), "/apps/new", 200, {"icon": _ICON}, name="Tea House", id=str(uuid4()))


@_at("/apps/{client_id}")
async def app_settings(world: World) -> Filled:
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    return await own(visit, f"/apps/{client_id}", name="Coffee House")


@_at("/apps/{client_id}/delete")
async def delete_app(world: World) -> Filled:
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    return await own(visit, f"/apps/{client_id}/delete")


@_at("/apps/{client_id}/secrets")
async def add_secret(world: World) -> Filled:
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    return await own(visit, f"/apps/{client_id}/secrets", 200)


@_at("/apps/{client_id}/secrets/{secret_id}/revoke")
async def revoke_secret(world: World) -> Filled:
    visit = await world.visit()
    client_id, _ = await visit.create_app()
    await visit.send(f"/apps/{client_id}/secrets")
    return await own(visit, f"/apps/{client_id}/secrets/{await secret_id_of(visit, client_id)}/revoke")


@_at("/api/oauth")
async def consent(world: World) -> Filled:
    return await _consent(world, "/api/oauth", app_id=world.app.client_id)


@_at("/api/oauth2")
async def consent_again(world: World) -> Filled:
    return await _consent(world, "/api/oauth2", app_id=world.app.client_id)


@_at(AUTHORIZE)
async def authorize(world: World) -> Filled:
    return await _consent(world, AUTHORIZE, **world.vorgid.asked())


async def _consent(world: World, path: str, **query: str) -> Filled:
    visit = await world.visit()
    page = await visit.get(path, **query)
    fields = {"csrf": page.csrf, "shown": page.shown, "decision": "allow"}
    return Filled(visit.browser, f"{visit.site.mount}{path}?{urlencode(query)}", fields, status=302)


async def move(visit: Visit, address: str) -> None:
    """Move somebody to another address."""
    await visit.send("/account/email", email=address)
    code = await visit.ihopr.mailed_code(address)
    visit.led_to(await visit.send("/account/email/code", code=code), "/account?done=email")


async def grant_of(visit: Visit) -> str:
    """Let somebody let an app in; return the id of the grant."""
    await visit.site.allowed(visit.browser, "/api/oauth", app_id=visit.site.app.client_id)
    return (await visit.shown("/account/apps")).partition("/account/apps/")[2].partition("/revoke")[0]


async def other_session_of(visit: Visit) -> str:
    """Return the id of a session of somebody's that the browser does not hold."""
    page = await visit.shown("/account/sessions")
    ids = [part.partition("/end")[0] for part in page.split("/account/sessions/")[1:] if part[8:9] == "-"]
    return ids[0]


async def device_of(world: World, visit: Visit) -> str:
    """Give somebody a device for push messages; return its id."""
    login = {"email": visit.person.email, "password": visit.person.password}
    assert (await world.shoop.post("auth/login", **login, gcm_id=uuid4().hex)).success
    return (await visit.shown("/account/sessions")).partition("/account/devices/")[2].partition("/forget")[0]


async def secret_id_of(visit: Visit, client_id: str) -> str:
    """Return the id of a secret of somebody's app."""
    page = await visit.shown(f"/apps/{client_id}")
    return page.partition(f"/apps/{client_id}/secrets/")[2].partition("/revoke")[0]


def new_phone() -> str:
    """Make a number nobody has."""
    return f"+4420794{next(_PHONES):05}"
