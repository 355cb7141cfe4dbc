"""Every flow as a list of steps that can be taken in any order. A step uses what those before it brought, if they were.

What is not there yet is made up: of the right form, and of nobody.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from dialects.ihopr_client import App, Person, new_email
from dialects.own_pages import Visit
from dialects.redirect_client import Browser
from dialects.vorgid_client import AUTHORIZE, sign
from security.page_forms import new_phone
from security.world import World, answering

NEW_PASSWORD = "harbour-violin-97"
_HANDLE, _CODE32, _KEY, _LINK, _NUMBER = "0" * 70, "0" * 32, "0" * 64, "0" * 64, "123456"


@dataclass
class Walk:
    """How far somebody has come: what the steps brought so far."""

    world: World
    person: Person = field(default_factory=lambda: Person(new_email()))
    got: dict[str, Any] = field(default_factory=dict)
    browser: Browser | None = None

    @property
    def ihopr(self) -> Any:
        return self.world.ihopr

    async def open_browser(self) -> Browser:
        """Return the person's browser, signed in where that is possible."""
        if self.browser is None:
            self.browser = await self.world.site.browser(self.person)
        return self.browser

    async def form(self, path: str, app: App | None = None, **fields: str) -> Any:
        """Send a form of the pages with the browser's own token."""
        mount = f"/t/{(app or self.world.app).project}"
        browser = self.browser or Browser(self.world.session, self.world.stack.url)
        self.browser = browser
        shown = await browser.get(f"{mount}/sign-in", prompt="login")
        return await browser.post(f"{mount}{path}", csrf=shown.csrf, **fields)


@dataclass(frozen=True)
class Step:
    """One step.

    Args:
        name: For people.
        take: Takes it; says whether it was taken.
        again: Whether it may be taken once more, right after itself or after later ones.
        needs: The step before it that it cannot do without, if that is not the one right before; empty for none.
    """

    name: str
    take: Callable[[Walk], Awaitable[bool]]
    again: bool = False
    needs: str | None = None


@dataclass(frozen=True)
class Flow:
    """Steps in their order.

    Args:
        name: For people.
        begin: What must be there, made.
        steps: In order.
        over: Steps that cannot be taken right after another, although they could before.
    """

    name: str
    begin: Callable[[Walk], Awaitable[None]]
    steps: tuple[Step, ...]
    over: frozenset[tuple[str, str]] = frozenset()

    def expected(self, taken: int, step: int) -> bool:
        """Say whether a step is to be taken after the first `taken` ones."""
        wanted, done = self.steps[step], [each.name for each in self.steps[:taken]]
        if done and (done[-1], wanted.name) in self.over:
            return False
        if step < taken:
            return wanted.again
        needed = wanted.needs if wanted.needs is not None or not step else self.steps[step - 1].name
        return not needed or needed in done


async def _account(walk: Walk) -> None:
    walk.person = await walk.world.site.person()


async def _signed_in(walk: Walk) -> None:
    await _account(walk)
    await walk.open_browser()


async def _nothing(walk: Walk) -> None:
    """The first step needs nothing."""


# An account by mailed code, its tokens, and their end


async def _sign_up(walk: Walk) -> bool:
    _, walk.got["asked"] = await walk.ihopr.signup(walk.world.two_step_app, walk.person.email)
    walk.got["mailed"] = await walk.ihopr.mailed_code(walk.person.email)
    return True


async def _verify(walk: Walk) -> bool:
    path, body = answering(walk.got.get("asked", {"two_step_auth_token": _HANDLE}), walk.got.get("mailed", _NUMBER))
    answer = await walk.ihopr.post(path, body)
    walk.got["code"] = answer.body.get("code")
    return bool(answer.status == 200)


async def _exchange(walk: Walk) -> bool:
    body = walk.world.two_step_app.credentials | {"code": walk.got.get("code") or _CODE32}
    answer = await walk.ihopr.post("api-tauth-token", body)
    if answer.status == 200:
        walk.got |= answer.body
    return bool(answer.status == 200)


async def _refresh(walk: Walk) -> bool:
    body = walk.world.two_step_app.credentials | {"refresh_token": walk.got.get("refresh_token", "x" * 68)}
    answer = await walk.ihopr.post("refresh-token", body)
    if answer.status == 200:
        walk.got["access_token"] = answer.body["access_token"]  # the old refresh token stays: a lost answer
    return bool(answer.status == 200)


async def _read(walk: Walk) -> bool:
    return bool((await walk.ihopr.call("GET", "user", token=walk.got.get("access_token", "x" * 68))).status == 200)


async def _log_out(walk: Walk) -> bool:
    return bool((await walk.ihopr.call("POST", "logout", token=walk.got.get("access_token", "x" * 68))).status == 200)


# A forgotten password


async def _forget(walk: Walk) -> bool:
    body = walk.world.app.credentials | {"email": walk.person.email}
    walk.got["handle"] = (await walk.ihopr.success("POST", "send-reset-password-code", body))["reset_password_token"]
    walk.got["mailed"] = await walk.ihopr.mailed_code(walk.person.email, "reset_code")
    return True


async def _reset(walk: Walk) -> bool:
    body = {
        "reset_password_token": walk.got.get("handle", _HANDLE),
        "reset_password_code": walk.got.get("mailed", _NUMBER),
        "password": NEW_PASSWORD,
    }
    return bool((await walk.ihopr.post("reset-password", body)).status == 200)


async def _log_in_anew(walk: Walk) -> bool:
    body = walk.world.app.credentials | {"email": walk.person.email, "password": NEW_PASSWORD}
    return bool((await walk.ihopr.post("login", body)).status == 200)


# An app is let in


async def _see_consent(walk: Walk) -> bool:
    browser = await walk.open_browser()
    page = await browser.get(f"{walk.world.site.mount}{AUTHORIZE}", **walk.world.vorgid.asked())
    if page.status == 200:
        walk.got |= {"csrf": page.csrf, "shown": page.shown}
    return page.status in {200, 302}  # who has let it in before is sent on


async def _consent(walk: Walk) -> bool:
    target = f"{walk.world.site.mount}{AUTHORIZE}?{urlencode(walk.world.vorgid.asked())}"
    fields = {"csrf": walk.got.get("csrf", "0" * 64), "shown": walk.got.get("shown", "")}
    page = await (await walk.open_browser()).post(target, decision="allow", **fields)
    if page.status == 302:
        walk.got["code"] = page.parameters["code"]
    return page.status == 302


async def _vorgid_exchange(walk: Walk) -> bool:
    answer = await walk.world.vorgid.exchange(walk.got.get("code", _CODE32))
    if answer.status == 200:
        walk.got |= answer.body
    return bool(answer.status == 200)


async def _vorgid_refresh(walk: Walk) -> bool:
    sent = {"grant_type": "refresh_token", "refresh_token": walk.got.get("refresh_token", "x" * 68)}
    return bool((await walk.world.vorgid.token_request(walk.world.vorgid.basic, data=sent)).status == 200)


async def _vorgid_read(walk: Walk) -> bool:
    token = walk.got.get("access_token", "x" * 68)
    return bool((await walk.world.vorgid.call("GET", "get/personal", token)).status == 200)


async def _revoke(walk: Walk) -> bool:
    browser = await walk.open_browser()
    page = await browser.get(f"{walk.world.site.mount}/account/apps")
    grant = page.text.partition("/account/apps/")[2].partition("/revoke")[0] or _HANDLE[:32]
    where = f"{walk.world.site.mount}/account/apps/{grant}/revoke"
    return (await browser.post(where, csrf=page.csrf)).status == 303


# The same with Sngine's key


async def _sngine_allow(walk: Walk) -> bool:
    walk.got["key"] = await walk.world.sngine_key(await walk.open_browser())
    return True


async def _sngine_exchange(walk: Walk) -> bool:
    answer = await walk.world.sngine.authorize(walk.got.get("key", _KEY))
    walk.got["token"] = answer.body.get("access_token")
    return bool(answer.status == 200)


async def _sngine_read(walk: Walk) -> bool:
    token = walk.got.get("token") or _KEY
    return "user_info" in (await walk.world.sngine.ask("get_user_info", access_token=token)).body


# Another address, another number


async def _vorgid_user(walk: Walk) -> None:
    walk.person, walk.got["token"] = await walk.world.vorgid.signed_in()


def _start_of(what: str, new: Callable[[], str]) -> Callable[[Walk], Awaitable[bool]]:
    async def start(walk: Walk) -> bool:
        walk.got["target"] = new()
        sent = {what: walk.got["target"]}
        answer = await walk.world.vorgid.call("POST", f"edit-{what}", walk.got["token"], json=sent)
        if answer.status == 200:
            walk.got["handle"] = answer.body["data"]["hash_token"]
            walk.got["mailed"] = await walk.ihopr.mailed_code(walk.got["target"])
        return bool(answer.status == 200)

    return start


def _finish_of(what: str, new: Callable[[], str]) -> Callable[[Walk], Awaitable[bool]]:
    async def finish(walk: Walk) -> bool:
        signed = sign(walk.got.get("mailed", _NUMBER), walk.got.get("handle", _HANDLE))
        sent = {what: walk.got.get("target") or new(), "sign": signed}
        return bool((await walk.world.vorgid.call("POST", f"edit-{what}", walk.got["token"], json=sent)).status == 200)

    return finish


def _page_start_of(what: str, new: Callable[[], str]) -> Callable[[Walk], Awaitable[bool]]:
    async def start(walk: Walk) -> bool:
        target = new()
        changed: Any = {what: target}
        page = await walk.form(f"/account/{what}", **changed)
        if page.status == 303:
            walk.got["mailed"] = await walk.ihopr.mailed_code(target)
        return bool(page.status == 303)

    return start


def _page_finish_of(what: str) -> Callable[[Walk], Awaitable[bool]]:
    async def finish(walk: Walk) -> bool:
        page = await walk.form(f"/account/{what}/code", code=walk.got.get("mailed", _NUMBER))
        return page.status == 303 and "done=" in page.location

    return finish


# At the door


async def _two_step_account(walk: Walk) -> None:
    walk.person = await walk.world.confirmed(walk.world.two_step_app)
    walk.got["mails"] = len(await walk.ihopr.mails(walk.person.email))


async def _door_password(walk: Walk) -> bool:
    app, person = walk.world.two_step_app, walk.person
    page = await walk.form("/sign-in", app, email=person.email, password=person.password)
    packed = walk.browser.cookies["__Host-gatepost-step"] if walk.browser else ""
    walk.got["handle"] = packed.split(".")[1]
    walk.got["mailed"] = await walk.ihopr.mailed_code(walk.person.email, after=walk.got["mails"])
    return bool(page.status == 303)


async def _door_code(walk: Walk) -> bool:
    handle, code = walk.got.get("handle", _HANDLE), walk.got.get("mailed", _NUMBER)
    app = walk.world.two_step_app
    page = await walk.form("/sign-in/code", app, purpose="two-step", handle=handle, code=code)
    return bool(page.status == 303)


async def _door_account(walk: Walk) -> bool:
    browser = walk.browser or Browser(walk.world.session, walk.world.stack.url)
    return (await browser.get(f"/t/{walk.world.two_step_app.project}/account")).status == 200


async def _door_sign_out(walk: Walk) -> bool:
    return bool((await walk.form("/sign-out", walk.world.two_step_app)).status == 303)


# Closing, and thinking better of it


async def _close(walk: Walk) -> bool:
    page = await walk.form("/account/delete", sure="yes")
    return bool(page.status == 303 and "done=closed" in page.location)


async def _keep(walk: Walk) -> bool:
    token = _LINK
    if walk.got.get("closed"):
        visit = Visit(walk.world.site, walk.person, await walk.open_browser())
        token = await visit.mailed_link("/keep-account")
    return bool((await walk.form("/keep-account", token=token)).status == 303)


async def _close_noted(walk: Walk) -> bool:
    walk.got["closed"] = await _close(walk)
    return bool(walk.got["closed"])


async def _log_in(walk: Walk) -> bool:
    body = walk.world.app.credentials | {"email": walk.person.email, "password": walk.person.password}
    return bool((await walk.ihopr.post("login", body)).status == 200)


# Proving the address


async def _ask_proof(walk: Walk) -> bool:
    return bool((await walk.form("/account/prove-email")).status == 303)


async def _prove(walk: Walk) -> bool:
    if "link" not in walk.got:
        visit = Visit(walk.world.site, walk.person, await walk.open_browser())
        walk.got["link"] = await visit.mailed_link("/confirm-email")  # the first is sent unasked
    return bool((await walk.form("/confirm-email", token=walk.got["link"])).status == 303)


FLOWS = (
    Flow(
        "sign-up in two steps",
        _nothing,
        (
            Step("sign up", _sign_up, again=True),
            Step("verify", _verify),
            Step("exchange", _exchange),
            Step("refresh", _refresh, again=True),  # the same successor: a lost answer
            Step("read", _read, again=True, needs="exchange"),
            Step("log out", _log_out, needs="exchange"),
        ),
        frozenset({("log out", "refresh"), ("log out", "read")}),
    ),
    Flow(
        "forgotten password",
        _account,
        (Step("forget", _forget, again=True), Step("reset", _reset), Step("log in", _log_in_anew, again=True)),
    ),
    Flow(
        "an app is let in",
        _signed_in,
        (
            Step("see", _see_consent, again=True),
            Step("consent", _consent, again=True),
            Step("exchange", _vorgid_exchange),
            Step("refresh", _vorgid_refresh, again=True),
            Step("read", _vorgid_read, again=True, needs="exchange"),
            Step("revoke", _revoke, needs="consent"),
        ),
        frozenset({("revoke", "refresh"), ("revoke", "read")}),
    ),
    Flow(
        "an app is let in by a key",
        _signed_in,
        (
            Step("allow", _sngine_allow, again=True),
            Step("exchange", _sngine_exchange),
            Step("read", _sngine_read, again=True),
        ),
    ),
    Flow(
        "another address, by an app",
        _vorgid_user,
        (Step("start", _start_of("email", new_email), again=True), Step("finish", _finish_of("email", new_email))),
    ),
    Flow(
        "another number, by an app",
        _vorgid_user,
        (Step("start", _start_of("phone", new_phone), again=True), Step("finish", _finish_of("phone", new_phone))),
    ),
    Flow(
        "another address",
        _signed_in,
        (Step("start", _page_start_of("email", new_email), again=True), Step("finish", _page_finish_of("email"))),
    ),
    Flow(
        "another number",
        _signed_in,
        (Step("start", _page_start_of("phone", new_phone), again=True), Step("finish", _page_finish_of("phone"))),
    ),
    Flow(
        "sign-in in two steps",
        _two_step_account,
        (
            Step("password", _door_password, again=True),
            Step("code", _door_code),
            Step("account", _door_account, again=True),
            Step("sign out", _door_sign_out, again=True, needs=""),
        ),
        frozenset({("sign out", "account")}),
    ),
    Flow(
        "closing",
        _signed_in,
        (Step("close", _close_noted), Step("keep", _keep), Step("log in", _log_in, again=True, needs="")),
        frozenset({("close", "log in")}),
    ),
    Flow(
        "proof of an address", _signed_in, (Step("ask", _ask_proof, again=True), Step("prove", _prove, needs=""))
    ),  # the first is sent unasked
)
