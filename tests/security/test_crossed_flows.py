"""What one flow gave, shown in another one, or by another person, or after what ends it: refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from dialects.ihopr_client import CHALLENGE, VERIFIER, Person, new_email, wrong
from dialects.pages_client import form
from dialects.redirect_client import REDIRECT_URL
from dialects.vorgid_client import AUTHORIZE, sign
from security.page_forms import link_to, move, new_phone
from security.world import OTHER_URL, World

from gatepost.auth.v1 import accounts_pb2
from gatepost_cli.operate import Rpc

NEW_PASSWORD = "harbour-violin-97"
_OTHER_CHALLENGE = "x" * 43
Scenario = Callable[[World, Rpc], Awaitable[list[int]]]
SCENARIOS: dict[str, Scenario] = {}


def _that(name: str) -> Callable[[Scenario], Scenario]:
    """Add what it decorates: returns the statuses of what must be refused; checks itself that the rest was taken."""

    def add(scenario: Scenario) -> Scenario:
        SCENARIOS[name] = scenario
        return scenario

    return add


@pytest.mark.parametrize("name", SCENARIOS)
async def test_is_refused(world: World, rpc: Rpc, name: str) -> None:
    statuses = await SCENARIOS[name](world, rpc)
    assert statuses
    assert all(400 <= status < 500 for status in statuses), statuses


async def two_step(world: World) -> tuple[Person, str, str]:
    """Begin to sign somebody in; return him, his handle and his code."""
    person = await world.confirmed(world.two_step_app)
    mails = len(await world.ihopr.mails(person.email))
    asked = await world.ihopr.login(world.two_step_app, person)
    return person, asked["two_step_auth_token"], await world.ihopr.mailed_code(person.email, after=mails)


async def verify(world: World, handle: str, code: str) -> int:
    body = {"two_step_auth_token": handle, "two_step_auth_code": code}
    return (await world.ihopr.post("two-step-auth-code", body)).status


async def forgotten(world: World, person: Person) -> tuple[str, str]:
    """Ask for a reset; return handle and code."""
    body = world.app.credentials | {"email": person.email}
    handle = (await world.ihopr.success("POST", "send-reset-password-code", body))["reset_password_token"]
    return handle, await world.ihopr.mailed_code(person.email, "reset_code")


async def reset(world: World, handle: str, code: str) -> int:
    body = {"reset_password_token": handle, "reset_password_code": code, "password": NEW_PASSWORD}
    return (await world.ihopr.post("reset-password", body)).status


async def edit(world: World, token: str, what: str, target: str, handle: str, code: str) -> int:
    """Finish a change at VorgID."""
    body = {what: target, "sign": sign(code, handle)}
    return (await world.vorgid.call("POST", f"edit-{what}", token, json=body)).status


async def begun(world: World, token: str, what: str = "email", target: str = "") -> tuple[str, str, str]:
    """Begin a change at VorgID; return target, handle and code."""
    target = target or (new_email() if what == "email" else new_phone())
    handle = (await world.vorgid.success("POST", f"edit-{what}", token, json={what: target}))["hash_token"]
    return target, handle, await world.ihopr.mailed_code(target)


async def alive(world: World, tokens: Any) -> list[int]:
    """Return the statuses of using tokens in every way."""
    body = world.app.credentials | {"refresh_token": tokens["refresh_token"]}
    return [
        (await world.ihopr.call("GET", "user", token=tokens["access_token"])).status,
        (await world.ihopr.call("PUT", "user/update", {"first_name": "Eve"}, tokens["access_token"])).status,
        (await world.ihopr.post("refresh-token", body)).status,
    ]


def ref(world: World, person: Person) -> accounts_pb2.AccountRef:
    return accounts_pb2.AccountRef(email=accounts_pb2.EmailRef(project=world.app.project, email=person.email))


# Another person's


@_that("the second step of somebody else, with one's own code or handle")
async def _(world: World, _rpc: Rpc) -> list[int]:
    (_, mine, my_code), (_, yours, your_code) = await two_step(world), await two_step(world)
    if my_code == your_code:
        your_code = wrong(your_code)
    refused = [await verify(world, yours, my_code), await verify(world, mine, your_code)]
    assert await verify(world, mine, my_code) == 200
    return refused


@_that("the reset of somebody else, with one's own code or handle")
async def _(world: World, _rpc: Rpc) -> list[int]:
    mine, my_code = await forgotten(world, await world.site.person())
    yours, your_code = await forgotten(world, await world.site.person())
    refused = [] if my_code == your_code else [await reset(world, yours, my_code), await reset(world, mine, your_code)]
    refused.append(await reset(world, "0" * 70, my_code))
    assert await reset(world, mine, my_code) == 200
    return refused


@_that("the change of address of somebody else, and of another session of one's own")
async def _(world: World, _rpc: Rpc) -> list[int]:
    person, token = await world.vorgid.signed_in()
    _, strangers = await world.vorgid.signed_in()
    second = await world.vorgid_token(await world.site.browser(person))
    change = await begun(world, token)
    refused = [await edit(world, other, "email", *change) for other in (strangers, second)]
    assert await edit(world, token, "email", *change) == 200
    return refused


@_that("a change finished with another target than it was begun with")
async def _(world: World, _rpc: Rpc) -> list[int]:
    _, token = await world.vorgid.signed_in()
    _, handle, code = await begun(world, token)
    _, phone_handle, phone_code = await begun(world, token, "phone")
    return [
        await edit(world, token, "email", new_email(), handle, code),
        await edit(world, token, "phone", new_phone(), phone_handle, phone_code),
    ]


@_that("a link pressed at the page of another")
async def _(world: World, _rpc: Rpc) -> list[int]:
    visit = await world.visit()
    await visit.send("/account/prove-email")
    link = await link_to(visit, "/confirm-email")
    mount = world.site.mount
    others = [f"{mount}{path}" for path in ("/undo-email-change", "/keep-account")]
    refused = [(await link.browser.post(path, **link.fields)).status for path in others]
    assert (await link.send()).status == 303
    return refused


# Of another app


@_that("a code of another app of the project, in every dialect")
async def _(world: World, _rpc: Rpc) -> list[int]:
    ours, theirs = world.app, world.second_app
    visit = await world.visit()
    code = (await world.ihopr.login(ours, visit.person))["code"]
    refused = [(await world.ihopr.post("api-tauth-token", theirs.credentials | {"code": code})).status]
    key = await world.sngine.auth_key(visit.browser)
    named = {"app_id": theirs.client_id, "app_secret": theirs.client_secret, "auth_key": key}
    refused.append((await world.sngine.post("authorize", data=named)).status)
    vorgid = await world.vorgid.code(visit.browser)
    grant = {"grant_type": "authorization_code", "code": vorgid}
    refused.append((await world.vorgid.token_request(data=grant | theirs.credentials)).status)
    assert await world.ihopr.exchange(ours, code)
    assert (await world.sngine.authorize(key)).status == 200
    assert (await world.vorgid.exchange(vorgid)).status == 200
    return refused


@_that("a refresh token of another app of the project")
async def _(world: World, _rpc: Rpc) -> list[int]:
    _, tokens = await world.ihopr.signed_in(world.app)
    body = world.second_app.credentials | {"refresh_token": tokens["refresh_token"]}
    refused = [(await world.ihopr.post("refresh-token", body)).status]
    assert (await world.ihopr.call("GET", "user", token=tokens["access_token"])).status == 200
    return refused


@_that("a code named with another redirect URL, be it registered")
async def _(world: World, _rpc: Rpc) -> list[int]:
    visit = await world.visit()
    refused = []
    for url in (OTHER_URL, f"{REDIRECT_URL}/", REDIRECT_URL.upper(), f"{REDIRECT_URL}?a=b"):
        code = await world.vorgid_code(visit.browser)
        refused.append((await world.vorgid.exchange(code, redirect_uri=url)).status)
    return refused


# Of another proof key


@_that("a code with the verifier of another, and with none")
async def _(world: World, _rpc: Rpc) -> list[int]:
    person = await world.site.person()
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    refused = []
    for verifier in (_OTHER_CHALLENGE, CHALLENGE, "", VERIFIER[:-1], VERIFIER.upper()):
        code = (await world.ihopr.login(world.app, person, **proof))["code"]
        body = world.app.credentials | {"code": code, "code_verifier": verifier}
        refused.append((await world.ihopr.post("api-tauth-token", body)).status)
        # A wrong one has spent the code: nobody can guess on.
        right = world.app.credentials | {"code": code, "code_verifier": VERIFIER}
        refused.append((await world.ihopr.post("api-tauth-token", right)).status)
    code = (await world.ihopr.login(world.app, person))["code"]
    unasked = world.app.credentials | {"code": code, "code_verifier": VERIFIER}
    refused.append((await world.ihopr.post("api-tauth-token", unasked)).status)
    return refused


# After what ends it


@_that("tokens after logging out")
async def _(world: World, _rpc: Rpc) -> list[int]:
    _, tokens = await world.ihopr.signed_in(world.app)
    await world.ihopr.success("POST", "logout", token=tokens["access_token"])
    return await alive(world, tokens)


@_that("tokens after closing the account")
async def _(world: World, _rpc: Rpc) -> list[int]:
    visit = await world.visit()
    tokens = await world.ihopr.signed_in_again(world.app, visit.person)
    code = (await world.ihopr.login(world.app, visit.person))["code"]
    await visit.send("/account/delete", sure="yes")
    exchange = await world.ihopr.post("api-tauth-token", world.app.credentials | {"code": code})
    return [*await alive(world, tokens), exchange.status]


@_that("tokens, a code and a reset after the account was deleted")
async def _(world: World, rpc: Rpc) -> list[int]:
    person, tokens = await world.ihopr.signed_in(world.app)
    code = (await world.ihopr.login(world.app, person))["code"]
    handle, mailed = await forgotten(world, person)
    await rpc.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=ref(world, person)))
    exchange = await world.ihopr.post("api-tauth-token", world.app.credentials | {"code": code})
    return [*await alive(world, tokens), exchange.status, await reset(world, handle, mailed)]


@_that("tokens, a code, a change and a reset after the account was disabled")
async def _(world: World, rpc: Rpc) -> list[int]:
    person, token = await world.vorgid.signed_in()
    tokens = await world.ihopr.signed_in_again(world.app, person)
    code = (await world.ihopr.login(world.app, person))["code"]
    handle, mailed = await forgotten(world, person)
    change = await begun(world, token)
    off = accounts_pb2.AccountState.ACCOUNT_STATE_DISABLED
    await rpc.accounts.SetAccountState(accounts_pb2.SetAccountStateRequest(account=ref(world, person), state=off))
    exchange = await world.ihopr.post("api-tauth-token", world.app.credentials | {"code": code})
    changed = await edit(world, token, "email", *change)
    return [*await alive(world, tokens), exchange.status, await reset(world, handle, mailed), changed]


@_that("everything that was begun before the password was changed")
async def _(world: World, _rpc: Rpc) -> list[int]:
    person, token = await world.vorgid.signed_in()
    tokens = await world.ihopr.signed_in_again(world.app, person)
    code = (await world.ihopr.login(world.app, person))["code"]
    handle, mailed = await forgotten(world, person)
    change = await begun(world, token)
    visit = await world.visit_of(person)
    sent = await visit.send("/account/password", password=NEW_PASSWORD, current_password=person.password)
    visit.led_to(sent, "/account?done=password")
    exchange = await world.ihopr.post("api-tauth-token", world.app.credentials | {"code": code})
    login = await world.ihopr.post("login", world.app.credentials | vars(person))
    changed = await edit(world, token, "email", *change)
    return [*await alive(world, tokens), exchange.status, login.status, await reset(world, handle, mailed), changed]


@_that("a reset that was begun before the address moved")
async def _(world: World, _rpc: Rpc) -> list[int]:
    visit = await world.visit()
    handle, mailed = await forgotten(world, visit.person)
    await move(visit, new_email())
    return [await reset(world, handle, mailed)]


@_that("a reset that was begun before another was")
async def _(world: World, _rpc: Rpc) -> list[int]:
    person = await world.site.person()
    before = await forgotten(world, person)
    body = world.app.credentials | {"email": person.email}
    await world.ihopr.success("POST", "send-reset-password-code", body)
    return [await reset(world, *before)]


@_that("a link to confirm an address that has moved on")
async def _(world: World, _rpc: Rpc) -> list[int]:
    visit = await world.visit()
    await visit.send("/account/prove-email")
    link = await link_to(visit, "/confirm-email")
    await move(visit, new_email())
    return [(await link.send()).status]


@_that("a link once more, of every kind")
async def _(world: World, _rpc: Rpc) -> list[int]:
    refused = []
    for path in ("/confirm-email", "/undo-email-change", "/keep-account"):
        visit = await world.visit()
        match path:
            case "/confirm-email":
                await visit.send("/account/prove-email")
            case "/undo-email-change":
                await move(visit, new_email())
            case _:
                await visit.send("/account/delete", sure="yes")
        link = await link_to(visit, path)
        assert (await link.send()).status == 303
        refused.append((await link.send()).status)
    return refused


@_that("a code that was used, and what it had brought")
async def _(world: World, _rpc: Rpc) -> list[int]:
    _, answer = await world.ihopr.signup(world.app)
    tokens = await world.ihopr.exchange(world.app, answer["code"])
    again = await world.ihopr.post("api-tauth-token", world.app.credentials | {"code": answer["code"]})
    return [again.status, *await alive(world, tokens)]


@_that("a refresh token two generations old, and what came of it")
async def _(world: World, _rpc: Rpc) -> list[int]:
    _, first = await world.ihopr.signed_in(world.app)
    second = await world.ihopr.success(
        "POST", "refresh-token", world.app.credentials | {"refresh_token": first["refresh_token"]}
    )
    third = await world.ihopr.success(
        "POST", "refresh-token", world.app.credentials | {"refresh_token": second["refresh_token"]}
    )
    stale = await world.ihopr.post("refresh-token", world.app.credentials | {"refresh_token": first["refresh_token"]})
    return [stale.status, *await alive(world, third), *await alive(world, first)]


# Without the page before


@_that("a consent that was never shown")
async def _(world: World, _rpc: Rpc) -> list[int]:
    visit = await world.visit()
    csrf = (await visit.get("/account")).csrf
    target = f"{world.site.mount}{AUTHORIZE}"
    bare = await visit.browser.post(target, csrf=csrf, decision="allow")  # nobody asks for anything
    query = "&".join(f"{name}={value}" for name, value in world.vorgid.asked().items())
    shown = await visit.browser.post(f"{target}?{query}".replace(" ", "+"), csrf=csrf, decision="allow")
    assert (shown.status, "code=" in str(shown.headers)) == (200, False)  # it is asked first
    assert "No app is connected." in await visit.shown("/account/apps")
    return [bare.status]


@_that("the second step at a page, without the first")
async def _(world: World, _rpc: Rpc) -> list[int]:
    door = world.door(world.two_step_app)
    assert (await door.open("/sign-in/code")).location == door.at("/sign-in")
    _, held = form(await door.open("/sign-in"))
    refused = []
    for purpose in ("otp", "two-step", "reset", "", "none"):
        page = await door.browser.post(door.at("/sign-in/code"), csrf=held["csrf"], purpose=purpose, code="123456")
        refused.append(page.status)
    assert not await door.is_in()
    return refused
