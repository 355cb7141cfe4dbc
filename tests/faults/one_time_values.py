"""Every value that is good once, as its holder gets it over public HTTP, and a way to show it as often as one likes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from aiohttp import ClientError, ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import Answer, App, Ihopr, app_maker, new_email
from dialects.own_pages import Visit
from dialects.redirect_client import Browser, Page, Site, site_maker
from dialects.sngine_client import Sngine
from dialects.vorgid_client import EDIT_EMAIL, EDIT_PHONE, Vorgid, sign

# Shows the value once more; what a success gave, empty for a refusal, None if nobody knows.
Use = Callable[[], Awaitable[str | None]]
_OK, _ONWARDS = 200, 303
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Place:
    """A stack with projects and apps to get values from."""

    session: ClientSession
    ihopr: Ihopr
    plain: App
    otp: App
    two_step: App
    site: Site
    vorgid: Vorgid

    async def visit(self) -> Visit:
        """Sign somebody new in at the pages."""
        person = await self.site.person()
        return Visit(self.site, person, await self.site.browser(person))


def open_place(stack: GatepostStack, session: ClientSession) -> Place:
    """Make what is needed."""
    make_app, ihopr = app_maker(stack), Ihopr(session, stack.url)
    site = site_maker(stack, session)(EDIT_EMAIL, EDIT_PHONE)
    stack.cli("project", "update", site.app.project, "--status-mode", "sngine=strict")
    plain, otp, two_step = (make_app(policy) for policy in ("none", "otp", "two-step"))
    return Place(session, ihopr, plain, otp, two_step, site, Vorgid(site, session, stack.url))


async def code(place: Place) -> Use:
    _, answer = await place.ihopr.signup(place.plain)
    body = place.plain.credentials | {"code": answer["code"]}
    return _answered(lambda: place.ihopr.post("api-tauth-token", body), "access_token")


async def auth_key(place: Place) -> Use:
    sngine = Sngine(place.site, place.session, place.vorgid.url)
    key = await sngine.auth_key()
    return _answered(lambda: sngine.authorize(key), "access_token")


async def refresh_token(place: Place) -> Use:
    _, tokens = await place.ihopr.signed_in(place.plain)
    body = place.plain.credentials | {"refresh_token": tokens["refresh_token"]}
    return _answered(lambda: place.ihopr.post("refresh-token", body), "refresh_token")


async def sign_up_code(place: Place) -> Use:
    person, answer = await place.ihopr.signup(place.otp)
    mailed = await place.ihopr.mailed_code(person.email)
    body = {"otp_code": mailed, "otp_token": answer["otp_token"]}
    return _answered(lambda: place.ihopr.post("otp-code", body), "code")


async def otp_code(place: Place) -> Use:
    person, answer = await place.ihopr.signup(place.otp)
    first = {"otp_code": await place.ihopr.mailed_code(person.email), "otp_token": answer["otp_token"]}
    await place.ihopr.success("POST", "otp-code", first)
    opened = await place.ihopr.login(place.otp, person)
    body = {"otp_code": await place.ihopr.mailed_code(person.email, "sign_in_code"), "otp_token": opened["otp_token"]}
    return _answered(lambda: place.ihopr.post("otp-code", body), "code")


async def two_step_code(place: Place) -> Use:
    person, answer = await place.ihopr.signup(place.two_step)
    mailed = await place.ihopr.mailed_code(person.email)
    body = {"two_step_auth_code": mailed, "two_step_auth_token": answer["two_step_auth_token"]}
    return _answered(lambda: place.ihopr.post("two-step-auth-code", body), "code")


async def reset_code(place: Place) -> Use:
    person, _ = await place.ihopr.signup(place.plain)
    started = await place.ihopr.success(
        "POST", "send-reset-password-code", place.plain.credentials | {"email": person.email}
    )
    body = {
        "reset_password_code": await place.ihopr.mailed_code(person.email, "reset_code"),
        "reset_password_token": started["reset_password_token"],
    }
    return _answered(lambda: place.ihopr.post("reset-password", body | {"password": f"tunnel {uuid4()}"}), "status")


async def reset_link(place: Place) -> Use:
    person, browser = await place.site.person(), await place.site.browser()
    page = await browser.get(f"{place.site.mount}/forgot-password")
    await browser.post(f"{place.site.mount}/forgot-password", csrf=page.csrf, email=person.email)
    visit = Visit(place.site, person, browser)
    token = await visit.mailed_link("/reset-password")
    page = await visit.get("/reset-password", token=token)
    held = {"handle": token, "csrf": page.csrf}
    return _sent(browser, f"{place.site.mount}/reset-password", lambda: held | {"password": f"tunnel {uuid4()}"})


async def email_sign(place: Place) -> Use:
    _, token = await place.vorgid.signed_in(EDIT_EMAIL)
    email = new_email()
    opened = await place.vorgid.success("POST", "edit-email", token, json={"email": email})
    body = {"email": email, "sign": sign(await place.ihopr.mailed_code(email), opened["hash_token"])}
    return _answered(lambda: place.vorgid.call("POST", "edit-email", token, json=body), "data")


async def phone_code(place: Place) -> Use:
    _, token = await place.vorgid.signed_in(EDIT_PHONE)
    phone = f"+49170{uuid4().int % 10_000_000:07}"
    opened = await place.vorgid.success("POST", "edit-phone", token, json={"phone": phone})
    body = {"phone": phone, "sign": sign(await place.ihopr.mailed_code(phone), opened["hash_token"])}
    return _answered(lambda: place.vorgid.call("POST", "edit-phone", token, json=body), "data")


async def page_code(place: Place) -> Use:
    visit, email = await place.visit(), new_email()
    await visit.send("/account/email", email=email)
    mailed, csrf = await place.ihopr.mailed_code(email), (await visit.get("/account")).csrf
    # Each use in the same state of the browser: the answer to a success takes the step out of it.
    cookies = dict(visit.browser.cookies)
    path, form = f"{place.site.mount}/account/email/code", {"code": mailed, "csrf": csrf}
    return _going(lambda: Browser(place.session, visit.browser.url, dict(cookies)).post(path, **form), "done=email")


async def confirm_link(place: Place) -> Use:
    visit = await place.visit()
    await visit.send("/account/prove-email")
    return await _link(visit, "/confirm-email", visit.person.email)


async def undo_link(place: Place) -> Use:
    visit, email = await place.visit(), new_email()
    await visit.send("/account/email", email=email)
    await visit.send("/account/email/code", code=await place.ihopr.mailed_code(email))
    return await _link(visit, "/undo-email-change", visit.person.email)


async def keep_link(place: Place) -> Use:
    visit = await place.visit()
    await visit.send("/account/delete", sure="yes")
    return await _link(visit, "/keep-account", visit.person.email)


VALUES = (
    code,
    auth_key,
    refresh_token,
    sign_up_code,
    otp_code,
    two_step_code,
    reset_code,
    reset_link,
    email_sign,
    phone_code,
    page_code,
    confirm_link,
    undo_link,
    keep_link,
)


async def _link(visit: Visit, path: str, email: str) -> Use:
    token = await visit.mailed_link(path, email)
    browser = await visit.site.browser()
    page = await browser.get(f"{visit.site.mount}{path}", token=token)
    form = {"token": token, "csrf": page.csrf}
    return _sent(browser, f"{visit.site.mount}{path}", lambda: form)


def _answered(ask: Callable[[], Awaitable[Answer]], member: str) -> Use:
    """Make a use of a JSON endpoint, whose success is told by a member."""

    async def use() -> str | None:
        try:
            answer = await ask()
        except (ClientError, TimeoutError):
            return None
        return _told(answer.status, answer.body, member)

    return use


def _told(status: int, body: Any, member: str) -> str | None:
    if status >= _SERVER_ERROR:
        return None
    if status != _OK:
        return ""
    # A dialect that tells errors with 200 does so as long as it is not known that the project wants it otherwise.
    return str(body[member]) if member in body else None


_numbers = count()


def _sent(browser: Browser, path: str, form: Callable[[], dict[str, str]]) -> Use:
    """Make a use of a form, each of which is told apart."""
    return _going(lambda: browser.post(path, **form()), "done=")


def _going(send: Callable[[], Awaitable[Page]], where: str) -> Use:
    async def use() -> str | None:
        try:
            page = await send()
        except (ClientError, TimeoutError):
            return None
        if page.status >= _SERVER_ERROR:
            return None
        done = page.status == _ONWARDS and where in page.location
        return f"{page.location}#{next(_numbers)}" if done else ""

    return use


async def ready(place: Place) -> dict[str, Use]:
    """Get one value of each kind, ready to be shown."""
    uses = await asyncio.gather(*(value(place) for value in VALUES))
    return {value.__name__: use for value, use in zip(VALUES, uses, strict=True)}
