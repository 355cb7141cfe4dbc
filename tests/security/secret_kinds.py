"""Every kind of secret there is, made fresh, and the places that are to take it. A kind is one entry in `KINDS`."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import uuid4

from dialects.ihopr_client import App, Person, new_email
from dialects.own_pages import Visit
from dialects.pages_client import form
from security.page_forms import move, new_phone
from security.world import World


@dataclass(frozen=True)
class Held:
    """A secret, good at its own places.

    Args:
        value: The secret; of a challenge, its handle.
        person: Whose it is, or who may use it.
        app: Of the project it belongs to.
        code: What answers the challenge.
        target: The new address or number that a challenge is about.
        visit: The browser it belongs to, where that matters.
        token: A token of VorgID that it belongs to, where that matters.
    """

    value: str = field(repr=False)
    person: Person
    app: App
    code: str = "123456"
    target: str = ""
    visit: Visit | None = None
    token: str = ""


Mint = Callable[[World], Awaitable[Held]]


@dataclass(frozen=True)
class Kind:
    """A kind of secret.

    Args:
        mint: Makes one.
        own: Names of the places that take it, see `secret_places`; those that spend it last.
        spent_at: Places that refuse it for good: who has the code too may not try it at one door after the other.
    """

    mint: Mint
    own: tuple[str, ...]
    spent_at: tuple[str, ...] = ()


async def _password(world: World) -> Held:
    person = Person(new_email(), f"lantern-{uuid4().hex}")
    await world.site.person(email=person.email, password=person.password)
    return Held(person.password, person, world.app)


async def _app_secret(world: World) -> Held:
    return Held(world.app.client_secret, await world.site.person(), world.app)


async def _api_key(world: World) -> Held:
    return Held(world.key, await world.site.person(), world.app)


async def _ihopr_code(world: World) -> Held:
    person, answer = await world.ihopr.signup(world.app)
    return Held(answer["code"], person, world.app)


async def _ihopr_token(world: World, name: str) -> Held:
    person, tokens = await world.ihopr.signed_in(world.app)
    return Held(tokens[name], person, world.app)


async def _sngine_key(world: World) -> Held:
    visit = await world.visit()
    return Held(await world.sngine.auth_key(visit.browser), visit.person, world.app)


async def _sngine_token(world: World) -> Held:
    person, token = await world.sngine.signed_in()
    return Held(token, person, world.app)


async def _vorgid_code(world: World) -> Held:
    visit = await world.visit()
    return Held(await world.vorgid.code(visit.browser), visit.person, world.app)


async def _vorgid_token(world: World, name: str) -> Held:
    visit = await world.visit()
    return Held((await world.vorgid.tokens(visit.browser))[name], visit.person, world.app)


async def _shoop_key(world: World) -> Held:
    email, key = await world.shoop.registered()
    return Held(key, Person(email), world.app)


async def _web_session(world: World) -> Held:
    visit = await world.visit()
    return Held(visit.browser.cookies["__Host-gatepost"], visit.person, world.app)


async def _csrf(world: World) -> Held:
    visit = await world.visit()
    return Held((await visit.get("/account")).csrf, visit.person, world.app, visit=visit)


async def _visit_cookie(world: World) -> Held:
    door = world.door()
    await door.open("/sign-in")
    return Held(door.browser.cookies["__Host-gatepost-visit"], await world.site.person(), world.app)


async def _state(world: World) -> Held:
    visit = await world.visit()
    back = await world.vorgid.allowed(visit.browser, state=uuid4().hex)
    return Held(back.parameters["state"], visit.person, world.app)


async def _ihopr_challenge(world: World, app: App) -> Held:
    person = await world.confirmed(app)
    mails = len(await world.ihopr.mails(person.email))
    asked = await world.ihopr.login(app, person)
    code = await world.ihopr.mailed_code(person.email, after=mails)
    return Held(asked.get("otp_token") or asked["two_step_auth_token"], person, app, code)


async def _page_challenge(world: World, app: App) -> Held:
    person, door = await world.confirmed(app), world.door(app)
    mails = len(await world.ihopr.mails(person.email))
    _, held = form(await door.follow(await door.sign_in(person.email, person.password)))
    code = await world.ihopr.mailed_code(person.email, after=mails)
    return Held(held["handle"], person, app, code)


async def _reset_handle(world: World) -> Held:
    person = await world.site.person()
    body = world.app.credentials | {"email": person.email}
    asked = await world.ihopr.success("POST", "send-reset-password-code", body)
    code = await world.ihopr.mailed_code(person.email, "reset_code")
    return Held(asked["reset_password_token"], person, world.app, code)


async def _page_reset(world: World) -> Held:
    person, door = await world.site.person(), world.door()
    _, held = form(await door.follow(await door.submit(await door.open("/forgot-password"), email=person.email)))
    return Held(held["handle"], person, world.app, (await door.mail(person.email, "reset_link"))["code"])


async def _reset_link(world: World) -> Held:
    person, door = await world.site.person(), world.door()
    await door.submit(await door.open("/forgot-password"), email=person.email)
    link = (await door.mail(person.email, "reset_link"))["link"]
    return Held(link.partition("?token=")[2], person, world.app)


async def _vorgid_change(world: World, what: str) -> Held:
    person, token = await world.vorgid.signed_in()
    target = new_email() if what == "email" else new_phone()
    handle = (await world.vorgid.success("POST", f"edit-{what}", token, json={what: target}))["hash_token"]
    code = await world.ihopr.mailed_code(target)
    return Held(handle, person, world.app, code, target, token=token)


async def _page_change(world: World, what: str) -> Held:
    visit = await world.visit()
    target = new_email() if what == "email" else new_phone()
    visit.led_to(await visit.send(f"/account/{what}", **{what: target}), f"/account/{what}/code")
    code = await world.ihopr.mailed_code(target)
    return Held(_kept_handle(visit), visit.person, world.app, code, target, visit)


def _kept_handle(visit: Visit) -> str:
    """Return the handle of the change that a browser is about to make."""
    value = visit.browser.cookies["__Host-gatepost-change"]
    handle: str = json.loads(urlsafe_b64decode(value + "=" * (-len(value) % 4)))[2]
    return handle


async def _confirm_link(world: World) -> Held:
    visit = await world.visit()
    await visit.send("/account/prove-email")
    return Held(await visit.mailed_link("/confirm-email"), visit.person, world.app)


async def _undo_link(world: World) -> Held:
    visit = await world.visit()
    before, after = visit.person, new_email()
    await move(visit, after)
    return Held(await visit.mailed_link("/undo-email-change", before.email), replace(before, email=after), world.app)


async def _keep_link(world: World) -> Held:
    visit = await world.visit()
    await visit.send("/account/delete", sure="yes")
    # Nobody can sign in to an account that is closed: somebody else tries.
    return Held(await visit.mailed_link("/keep-account"), await world.site.person(), world.app)


async def _service_credential(world: World) -> Held:
    token = world.stack.cli("service-token", "auth-service")["token"]
    return Held(token, await world.site.person(), world.app)


_PAGE_OTP, _PAGE_TWO_STEP = "page sign-in/code, otp", "page sign-in/code, two-step"
_IHOPR_BEARER = ("ihopr user", "ihopr user/update", "ihopr user/update/role", "ihopr logout")
_VORGID_BEARER = (
    *("vorgid get/personal", "vorgid get/personal, misspelt header", "vorgid edit-name", "vorgid edit-photo"),
    *("vorgid edit-email", "vorgid edit-phone"),
)
# A reset is its person's, whichever door it was asked for at; `tests/dialects/test_one_account.py`.
_RESET = ("ihopr reset-password", "page reset-password", "shoop reset_password, handle and code")
KINDS: dict[str, Kind] = {
    "password": Kind(
        _password,
        ("ihopr login", "shoop login", "ossn user_authenticate, password", "ossn user_edit, password", "page sign-in"),
    ),
    "secret of an app": Kind(
        _app_secret,
        (
            *("ihopr login, secret", "ihopr signup, secret", "ihopr send-reset, secret", "ihopr exchange, secret"),
            *("ihopr refresh, secret", "sngine authorize, secret", "vorgid token, secret", "vorgid token, Basic"),
        ),
    ),
    "API key": Kind(
        _api_key,
        (
            *("ossn user_authenticate, key", "ossn user_details, key", "ossn user_details, key in query"),
            *("ossn user_add, key", "ossn user_edit, key", "ossn user/delete, key"),
        ),
    ),
    "code": Kind(_ihopr_code, ("ihopr exchange",)),
    "auth_key": Kind(_sngine_key, ("sngine authorize", "sngine authorize by GET")),
    "code of VorgID": Kind(_vorgid_code, ("vorgid token, code",)),
    "access token": Kind(partial(_ihopr_token, name="access_token"), _IHOPR_BEARER),
    "refresh token": Kind(partial(_ihopr_token, name="refresh_token"), ("ihopr refresh",)),
    "access token of Sngine": Kind(_sngine_token, ("sngine get_user_info", "sngine get_user_info, parameter")),
    "access token of VorgID": Kind(partial(_vorgid_token, name="access_token"), _VORGID_BEARER),
    "refresh token of VorgID": Kind(partial(_vorgid_token, name="refresh_token"), ("vorgid token, refresh",)),
    "session key": Kind(_shoop_key, ("shoop header", "shoop parameter", "shoop edit_user")),
    "session of the pages": Kind(_web_session, ("page cookie", "consent cookie")),
    "token of a form": Kind(_csrf, ("page form",)),
    "visit": Kind(_visit_cookie, ()),
    "state of an authorization": Kind(_state, ()),
    "otp_token": Kind(lambda world: _ihopr_challenge(world, world.otp_app), ("ihopr otp-code",), (_PAGE_OTP,)),
    "two_step_auth_token": Kind(
        lambda world: _ihopr_challenge(world, world.two_step_app), ("ihopr two-step-auth-code",), (_PAGE_TWO_STEP,)
    ),
    "mailed code of the pages": Kind(
        lambda world: _page_challenge(world, world.otp_app), (_PAGE_OTP,), ("ihopr otp-code",)
    ),
    "second step of the pages": Kind(
        lambda world: _page_challenge(world, world.two_step_app), (_PAGE_TWO_STEP,), ("ihopr two-step-auth-code",)
    ),
    "reset_password_token": Kind(_reset_handle, _RESET),
    "reset of the pages": Kind(_page_reset, (*_RESET, "shoop reset_password, code")),
    "reset link": Kind(_reset_link, ("page reset-password", "shoop reset_password, handle")),
    "sign of an address": Kind(partial(_vorgid_change, what="email"), ("vorgid edit-email, sign",)),
    "sign of a number": Kind(partial(_vorgid_change, what="phone"), ("vorgid edit-phone, sign",)),
    "change of address": Kind(partial(_page_change, what="email"), ("page email/code",)),
    "change of number": Kind(partial(_page_change, what="phone"), ("page phone/code",)),
    "link to confirm": Kind(_confirm_link, ("page confirm-email",)),
    "link to undo": Kind(_undo_link, ("page undo-email-change",)),
    "link to keep": Kind(_keep_link, ("page keep-account",)),
    "service credential": Kind(_service_credential, ("gRPC",)),
}
