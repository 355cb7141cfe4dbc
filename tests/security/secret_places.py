"""Every place that takes a secret: how to present one there with all else right, and whether it was taken."""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import grpc
from dialects.ihopr_client import PASSWORD, new_email
from dialects.ossn_client import Ossn
from dialects.own_pages import Visit
from dialects.redirect_client import Browser
from dialects.vorgid_client import sign
from drawn import plain
from grpc_reflection.v1alpha import reflection_pb2_grpc
from security.page_forms import new_phone
from security.secret_kinds import Held
from security.world import World

from gatepost_cli import stack as stacks

NEW_PASSWORD = "harbour-violin-97"
_BOGUS_CODE, _BOGUS_KEY = "0" * 32, "0" * 64
_PNG = base64.b64encode(plain()).decode()
_GRPC_SECONDS = 10


@dataclass
class Presenter:
    """Who presents a secret: its person where he can sign in, with everything else in his hands.

    Args:
        world: Where.
        held: The secret.
    """

    world: World
    held: Held
    _visit: Visit | None = None
    _token: str = ""
    _user: dict[str, Any] | None = None

    @cached_property
    def mount(self) -> str:
        return f"/t/{self.held.app.project}"

    @property
    def login(self) -> dict[str, str]:
        return {"email": self.held.person.email, "password": self.held.person.password}

    async def visit(self) -> Visit:
        """Return a browser that is signed in."""
        if self._visit is None:
            at_home = self.held.app is self.world.app
            self._visit = self.held.visit or await (
                self.world.visit_of(self.held.person) if at_home else self.world.visit()
            )
        return self._visit

    async def token(self) -> str:
        """Return an access token of VorgID."""
        if not self._token:
            self._token = self.held.token or await self.world.vorgid_token((await self.visit()).browser)
        return self._token

    async def user(self) -> dict[str, Any]:
        """Return a user of the first project, whom the tests may change as they like."""
        if not self._user:
            self._user = (await self.world.ossn.add()).payload
        return self._user


Present = Callable[[Presenter, str], Awaitable[bool]]
PLACES: dict[str, Present] = {}


def _at(place: str, /, *arguments: Any, **named: Any) -> Callable[[Callable[..., Awaitable[bool]]], Callable[..., Any]]:
    def add(present: Callable[..., Awaitable[bool]]) -> Callable[..., Awaitable[bool]]:
        PLACES[place] = lambda by, secret: present(by, secret, *arguments, **named)
        return present

    return add


# iHopr


@_at("ihopr login")
async def _ihopr_login(by: Presenter, secret: str) -> bool:
    body = by.world.app.credentials | by.login | {"password": secret}
    return (await by.world.ihopr.post("login", body)).status == 200


@_at("ihopr login, secret", "login")
@_at("ihopr signup, secret", "signup")
@_at("ihopr send-reset, secret", "send-reset-password-code")
@_at("ihopr exchange, secret", "api-tauth-token")
@_at("ihopr refresh, secret", "refresh-token")
async def _ihopr_client(by: Presenter, secret: str, path: str) -> bool:
    body = (
        by.held.app.credentials | by.login | {"client_secret": secret, "code": _BOGUS_CODE, "refresh_token": "x" * 68}
    )
    if path == "signup":
        body |= {"email": new_email(), "first_name": "Ann", "last_name": "Lee", "mobile_number": "1"}
    answer = await by.world.ihopr.post(path, body)
    return bool(answer.body.get("message") != "Client authentication failed.")


@_at("ihopr otp-code", "otp-code", "otp_token", "otp_code")
@_at("ihopr two-step-auth-code", "two-step-auth-code", "two_step_auth_token", "two_step_auth_code")
@_at("ihopr reset-password", "reset-password", "reset_password_token", "reset_password_code")
async def _ihopr_challenge(by: Presenter, secret: str, path: str, handle: str, code: str) -> bool:
    body = {handle: secret, code: by.held.code, "password": NEW_PASSWORD}
    return (await by.world.ihopr.post(path, body)).status == 200


@_at("ihopr exchange", "api-tauth-token", "code")
@_at("ihopr refresh", "refresh-token", "refresh_token")
async def _ihopr_exchange(by: Presenter, secret: str, path: str, name: str) -> bool:
    return (await by.world.ihopr.post(path, by.held.app.credentials | {name: secret})).status == 200


@_at("ihopr user", "GET", "user")
@_at("ihopr user/update", "PUT", "user/update", first_name="Bea")
@_at("ihopr user/update/role", "PUT", "user/update/role", role="Editor")
@_at("ihopr logout", "POST", "logout")
async def _ihopr_bearer(by: Presenter, secret: str, method: str, path: str, **body: str) -> bool:
    return (await by.world.ihopr.call(method, path, body or None, secret)).status == 200


# Sngine


@_at("sngine authorize")
async def _sngine_authorize(by: Presenter, secret: str) -> bool:
    answer = await by.world.sngine.post("authorize", data=by.world.sngine.credentials | {"auth_key": secret})
    return answer.status == 200


@_at("sngine authorize by GET")
async def _sngine_authorize_by_get(by: Presenter, secret: str) -> bool:
    return (await by.world.sngine.authorize(secret)).status == 200


@_at("sngine authorize, secret")
async def _sngine_secret(by: Presenter, secret: str) -> bool:
    sent = by.world.sngine.credentials | {"app_secret": secret, "auth_key": _BOGUS_KEY}
    return bool((await by.world.sngine.post("authorize", data=sent)).status == 400)  # it is about the key then


@_at("sngine get_user_info")
async def _sngine_header(by: Presenter, secret: str) -> bool:
    return "user_info" in (await by.world.sngine.ask("get_user_info", {"Authorization": f"Bearer {secret}"})).body


@_at("sngine get_user_info, parameter")
async def _sngine_parameter(by: Presenter, secret: str) -> bool:
    return "user_info" in (await by.world.sngine.ask("get_user_info", access_token=secret)).body


# VorgID


@_at("vorgid token, code", "authorization_code", "code")
@_at("vorgid token, refresh", "refresh_token", "refresh_token")
async def _vorgid_grant(by: Presenter, secret: str, grant: str, name: str) -> bool:
    sent = {"grant_type": grant, name: secret}
    return (await by.world.vorgid.token_request(by.world.vorgid.basic, data=sent)).status == 200


@_at("vorgid token, secret", basic=False)
@_at("vorgid token, Basic", basic=True)
async def _vorgid_secret(by: Presenter, secret: str, *, basic: bool) -> bool:
    sent = {"grant_type": "authorization_code", "code": _BOGUS_CODE}
    client_id = by.world.app.client_id
    headers = (
        {"Authorization": f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"} if basic else None
    )
    sent |= {} if basic else {"client_id": client_id, "client_secret": secret}
    answer = await by.world.vorgid.token_request(headers, data=sent)
    return bool(answer.body["error"] == "invalid_grant")


@_at("vorgid get/personal", "GET", "get/personal")
@_at("vorgid edit-name", "POST", "edit-name", name="Bea Ray")
@_at("vorgid edit-photo", "POST", "edit-photo", file=_PNG)
@_at("vorgid edit-email", "POST", "edit-email", email="new")
@_at("vorgid edit-phone", "POST", "edit-phone", phone="new")
async def _vorgid_bearer(by: Presenter, secret: str, method: str, path: str, **body: str) -> bool:
    body |= {"email": new_email()} if "email" in body else {"phone": new_phone()} if "phone" in body else {}
    return (await by.world.vorgid.call(method, path, secret, **({"json": body} if body else {}))).status == 200


@_at("vorgid get/personal, misspelt header")
async def _vorgid_misspelt(by: Presenter, secret: str) -> bool:
    headers = {"Authoriztion": f"Bearer {secret}"}
    return (await by.world.vorgid.call("GET", "get/personal", headers=headers)).status == 200


@_at("vorgid edit-email, sign", "email")
@_at("vorgid edit-phone, sign", "phone")
async def _vorgid_sign(by: Presenter, secret: str, what: str) -> bool:
    fits = by.held.target and ("@" in by.held.target) == (what == "email")
    target = by.held.target if fits else new_email() if what == "email" else new_phone()
    body = {what: target, "sign": sign(by.held.code, secret)}
    return (await by.world.vorgid.call("POST", f"edit-{what}", await by.token(), json=body)).status == 200


# Shoop


@_at("shoop login")
async def _shoop_login(by: Presenter, secret: str) -> bool:
    return (await by.world.shoop.post("auth/login", email=by.held.person.email, password=secret)).status == 200


@_at("shoop login, token of Facebook")
async def _shoop_facebook(by: Presenter, secret: str) -> bool:
    return (await by.world.shoop.post("auth/login", fb_token=secret, fb_uid="1")).status == 200


@_at("shoop reset_password, handle")
@_at("shoop reset_password, handle and code", with_code=True)
@_at("shoop reset_password, code", code_alone=True)
async def _shoop_reset(by: Presenter, secret: str, *, with_code: bool = False, code_alone: bool = False) -> bool:
    token = by.held.code if code_alone else f"{secret}{by.held.code}" if with_code else secret
    sent = {"email": by.held.person.email, "token": token, "password": NEW_PASSWORD}
    return (await by.world.shoop.post("auth/reset_password", **sent)).status == 200


@_at("shoop header", "GET", "user/get_active_user")
@_at("shoop edit_user", "POST", "user/edit_user", name="Bea Ray")
async def _shoop_header(by: Presenter, secret: str, method: str, path: str, **sent: str) -> bool:
    return (await by.world.shoop.call(method, path, secret, **sent)).status == 200


@_at("shoop parameter")
async def _shoop_parameter(by: Presenter, secret: str) -> bool:
    return (await by.world.shoop.call("GET", "user/get_active_user", **{"X-API-KEY": secret})).status == 200


# OSSN


def _with_key(by: Presenter, key: str) -> Ossn:
    return Ossn(by.world.stack, by.world.session, by.world.app.project, key, "strict")


@_at("ossn user_authenticate, key")
async def _ossn_authenticate(by: Presenter, secret: str) -> bool:
    return (await _with_key(by, secret).authenticate(**_login_of(by))).status == 200


@_at("ossn user_authenticate, password")
async def _ossn_password(by: Presenter, secret: str) -> bool:
    return (await by.world.ossn.authenticate(by.held.person.email, secret)).status == 200


@_at("ossn user_details, key", "form")
@_at("ossn user_details, key in query", "query")
async def _ossn_details(by: Presenter, secret: str, how: Any) -> bool:
    return (await _with_key(by, secret).details(how=how, guid=(await by.user())["guid"])).status == 200


@_at("ossn user_add, key")
async def _ossn_add(by: Presenter, secret: str) -> bool:
    return (await _with_key(by, secret).add()).status == 200


@_at("ossn user_edit, key", by_key=True)
@_at("ossn user_edit, password", by_key=False)
async def _ossn_edit(by: Presenter, secret: str, *, by_key: bool) -> bool:
    user = await by.user()
    if not by_key:
        found = await by.world.ossn.details(email=by.held.person.email)
        user = found.payload if found.status == 200 else user
    key, password = (secret, PASSWORD) if by_key else (by.world.key, secret)
    changed = {"new_email": user["email"], "new_first_name": "Bea", "new_last_name": "Ray"}
    answer = await _with_key(by, key).call(
        "api/v1.0/user_edit", guid=user["guid"], current_password=password, **changed
    )
    return answer.status == 200


@_at("ossn user/delete, key")
async def _ossn_delete(by: Presenter, secret: str) -> bool:
    return (await _with_key(by, secret).call("api/v2.0/user/delete", guid=(await by.user())["guid"])).status == 200


def _login_of(by: Presenter) -> dict[str, str]:
    return {"login": by.held.person.email, "password": by.held.person.password}


# Pages


@_at("page cookie", "/account")
@_at("consent cookie", "/api/oauth")
async def _page_cookie(by: Presenter, secret: str, path: str) -> bool:
    browser = Browser(by.world.session, by.world.stack.url, {"__Host-gatepost": secret})
    query = {"app_id": by.world.app.client_id} if path == "/api/oauth" else {}
    page = await browser.get(f"{by.world.site.mount}{path}", **query)
    return page.status < 400 and "/sign-in" not in page.headers.get("Location", "")


@_at("page form")
async def _page_form(by: Presenter, secret: str) -> bool:
    visit = await by.visit()
    page = await visit.browser.post(f"{visit.site.mount}/account/profile", csrf=secret, first_name="Bea")
    return page.status == 303


async def _send(by: Presenter, path: str, mount: str = "", **fields: str) -> Any:
    """Send a form of the door, by a browser that has just opened it."""
    browser = Browser(by.world.session, by.world.stack.url)
    where = mount or by.mount
    csrf = (await browser.get(f"{where}/sign-in")).csrf
    return await browser.post(f"{where}{path}", csrf=csrf, **fields)


@_at("page sign-in")
async def _page_sign_in(by: Presenter, secret: str) -> bool:
    return bool(
        (await _send(by, "/sign-in", by.world.site.mount, email=by.held.person.email, password=secret)).status == 303
    )


@_at("page sign-in/code, otp", "otp")
@_at("page sign-in/code, two-step", "two-step")
@_at("page sign-in/code, reset", "reset")
async def _page_code(by: Presenter, secret: str, purpose: str) -> bool:
    page = await _send(by, "/sign-in/code", purpose=purpose, handle=secret, code=by.held.code)
    return bool(page.status == 303)


@_at("page reset-password")
async def _page_reset(by: Presenter, secret: str) -> bool:
    page = await _send(by, "/reset-password", handle=secret, code=by.held.code, password=NEW_PASSWORD)
    return bool(page.status == 303)


@_at("page confirm-email", "/confirm-email")
@_at("page undo-email-change", "/undo-email-change")
@_at("page keep-account", "/keep-account")
async def _page_link(by: Presenter, secret: str, path: str) -> bool:
    return bool((await _send(by, path, token=secret)).status == 303)


@_at("page email/code", "email")
@_at("page phone/code", "phone")
async def _page_change(by: Presenter, secret: str, what: str) -> bool:
    visit = await by.visit()
    fits = by.held.target and ("@" in by.held.target) == (what == "email")
    target = by.held.target if fits else new_email() if what == "email" else new_phone()
    step = base64.urlsafe_b64encode(json.dumps([what, target, secret]).encode()).decode().rstrip("=")
    jar = {**visit.browser.cookies, "__Host-gatepost-change": step}
    browser = Browser(by.world.session, by.world.stack.url, jar)
    csrf = (await browser.get(f"{visit.site.mount}/account")).csrf
    page = await browser.post(f"{visit.site.mount}/account/{what}/code", csrf=csrf, code=by.held.code)
    return page.status == 303 and "done=" in page.location


# Inside


@_at("gRPC")
async def _grpc(by: Presenter, secret: str) -> bool:
    target = stacks.load(by.world.stack.data_dir).auth_target
    async with grpc.aio.insecure_channel(target) as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter(()), metadata=(("authorization", f"Bearer {secret}"),), timeout=_GRPC_SECONDS
        )
        return await call.code() is not grpc.StatusCode.UNAUTHENTICATED
