"""Every way in which Sngine's "Log in with" says no, row by row of its contract, in both status modes."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import CHALLENGE, VERIFIER, Answer
from dialects.redirect_client import REDIRECT_URL, Page, Site, site_maker
from dialects.sngine_client import Sngine

from gatepost.auth.v1.apps_pb2 import AppType, CreateAppRequest, UpdateAppRequest
from gateway.clients import Clients

NO_APP = "We're sorry, but the application you're trying to use doesn't exist or has been disabled"
NO_TOKEN = "Bad Request, invalid access_token"
NO_KEY = "Bad Request, invalid auth_key"
NO_SECRET = "Bad Request, invalid app_secret"
AT_ONCE = 20


@pytest.fixture(scope="module", params=["legacy", "strict"])
def strict(request: pytest.FixtureRequest) -> bool:
    """Whether errors carry their own HTTP status."""
    return bool(request.param == "strict")


@pytest.fixture(scope="module")
async def sngine(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack, *, strict: bool
) -> Sngine:
    """Return a client whose project is in one of the modes, asked below its own prefix."""
    site = make_site()
    if strict:
        mode = ("--status-mode", "sngine=strict")
        await asyncio.to_thread(stack.cli, "project", "update", site.app.project, *mode)
        await asyncio.sleep(2)  # what the gateway knows of a project is two seconds old at most
    return Sngine(site, session, stack.url + site.mount)


def assert_refused(answer: Answer, status: int, message: str, *, strict: bool) -> None:
    assert answer.body == {"error": True, "message": message}
    assert list(answer.body) == ["error", "message"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.status == (status if strict else 200)
    assert ("X-Error" in answer.headers) is not strict


def assert_page(page: Page, status: int, legacy_status: int, text: str, *, strict: bool) -> None:
    assert page.status == (status if strict else legacy_status), page
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert text in page.text.replace("&#39;", "'")
    assert "Location" not in page.headers


# oauth: a page, never a redirect


async def test_oauth_without_an_app(sngine: Sngine, *, strict: bool) -> None:
    page = await (await sngine.site.browser()).get(f"{sngine.site.mount}/api/oauth")
    assert_page(page, 400, 404, "incomplete", strict=strict)


@pytest.mark.parametrize("app_id", ["999999999999999", "abc", "1" * 21, "-1", "1 or 1=1"])
async def test_oauth_of_an_unknown_app(sngine: Sngine, app_id: str, *, strict: bool) -> None:
    page = await (await sngine.site.browser()).get(f"{sngine.site.mount}/api/oauth", app_id=app_id)
    assert_page(page, 400, 200, NO_APP, strict=strict)


async def test_oauth_of_a_disabled_app(sngine: Sngine, core: Clients, *, strict: bool) -> None:
    made = await core.apps.CreateApp(_new_app(sngine))
    await core.apps.UpdateApp(UpdateAppRequest(client_id=made.app.client_id, disabled=True))
    browser = await sngine.site.browser(await sngine.site.person())
    page = await browser.get(f"{sngine.site.mount}/api/oauth", app_id=made.app.client_id)
    assert_page(page, 400, 200, NO_APP, strict=strict)


async def test_oauth_of_an_app_without_redirect_url(sngine: Sngine, core: Clients, *, strict: bool) -> None:
    made = await core.apps.CreateApp(_new_app(sngine, redirect_url=""))
    page = await (await sngine.site.browser()).get(f"{sngine.site.mount}/api/oauth", app_id=made.app.client_id)
    assert_page(page, 400, 200, "has not registered the address", strict=strict)


@pytest.mark.parametrize(
    "query",
    [{"state": "s" * 513}, {"code_challenge": "short"}, {"code_challenge": "x" * 43, "code_challenge_method": "S1"}],
)
async def test_oauth_with_a_parameter_that_cannot_be_taken(
    sngine: Sngine, query: dict[str, str], *, strict: bool
) -> None:
    browser = await sngine.site.browser(await sngine.site.person())
    page = await browser.get(f"{sngine.site.mount}/api/oauth", app_id=sngine.app.client_id, **query)
    if page.status == 200 and page.shares:  # the core looks at the proof key when it issues the key
        page = await sngine.site.allowed(browser, "/api/oauth", app_id=sngine.app.client_id, **query)
    assert_page(page, 400, 200, "missing or wrong", strict=strict)


async def test_oauth_of_a_public_app_without_a_proof_key(sngine: Sngine, core: Clients, *, strict: bool) -> None:
    made = await core.apps.CreateApp(_new_app(sngine, public=True))
    browser = await sngine.site.browser(await sngine.site.person())
    page = await browser.get(f"{sngine.site.mount}/api/oauth", app_id=made.app.client_id)
    assert_page(page, 400, 404, "incomplete", strict=strict)


async def test_oauth_declined_tells_the_app(sngine: Sngine) -> None:
    browser = await sngine.site.browser(await sngine.site.person())
    for query, expected in (({}, "error=access_denied"), ({"state": "a b"}, "error=access_denied&state=a+b")):
        target = f"{sngine.site.mount}/api/oauth?{urlencode({'app_id': sngine.app.client_id} | query)}"
        back = await browser.post(target, csrf=(await browser.get(target)).csrf, decision="deny")
        assert (back.status, back.location) == (302, f"{REDIRECT_URL}?{expected}")
        assert "auth_key" not in back.parameters


@pytest.mark.parametrize("csrf", ["", "0" * 64])
async def test_a_decision_that_is_not_from_our_page(sngine: Sngine, csrf: str, *, strict: bool) -> None:
    browser = await sngine.site.browser(await sngine.site.person())
    target = f"{sngine.site.mount}/api/oauth?app_id={sngine.app.client_id}"
    page = await browser.post(target, csrf=csrf, decision="allow")
    assert_page(page, 403, 200, "Nothing has been changed", strict=strict)


async def test_a_decision_without_a_session_is_sent_to_sign_in(sngine: Sngine) -> None:
    browser = await sngine.site.browser()
    page = await browser.post(f"{sngine.site.mount}/api/oauth?app_id={sngine.app.client_id}", decision="allow")
    assert (page.status, page.location.partition("?")[0]) == (303, f"{sngine.site.mount}/sign-in")


async def test_a_decision_that_is_neither_yes_nor_no(sngine: Sngine, *, strict: bool) -> None:
    browser = await sngine.site.browser(await sngine.site.person())
    shown = await browser.get(f"{sngine.site.mount}/api/oauth", app_id=sngine.app.client_id)
    target = f"{sngine.site.mount}/api/oauth?app_id={sngine.app.client_id}"
    page = await browser.post(target, csrf=shown.csrf, decision="perhaps")
    assert_page(page, 400, 200, "missing or wrong", strict=strict)


# authorize


@pytest.mark.parametrize("missing", ["app_id", "app_secret", "auth_key"])
@pytest.mark.parametrize("empty", [False, True])
async def test_authorize_names_the_parameter_that_is_missing(
    sngine: Sngine, missing: str, *, empty: bool, strict: bool
) -> None:
    query = sngine.credentials | {"auth_key": "0" * 64}
    del query[missing]
    if empty:
        query[missing] = ""
    answer = await sngine.ask("authorize", **query)
    assert_refused(answer, 400, f"Bad Request, invalid {missing}", strict=strict)


async def test_authorize_names_the_first_of_several(sngine: Sngine, *, strict: bool) -> None:
    assert_refused(await sngine.ask("authorize"), 400, "Bad Request, invalid app_id", strict=strict)
    only_id = await sngine.ask("authorize", app_id=sngine.app.client_id)
    assert_refused(only_id, 400, NO_SECRET, strict=strict)


@pytest.mark.parametrize("app_id", ["999999999999999", "abc"])
async def test_authorize_of_an_unknown_app(sngine: Sngine, app_id: str, *, strict: bool) -> None:
    answer = await sngine.ask("authorize", **sngine.credentials | {"app_id": app_id}, auth_key="0" * 64)
    assert_refused(answer, 401, NO_APP, strict=strict)


async def test_authorize_with_a_wrong_secret(sngine: Sngine, *, strict: bool) -> None:
    key = await sngine.auth_key()
    answer = await sngine.ask("authorize", app_id=sngine.app.client_id, app_secret="0" * 32, auth_key=key)
    assert_refused(answer, 401, NO_SECRET, strict=strict)
    assert (await sngine.authorize(key)).body["access_token"]  # and the key is not lost by it


@pytest.mark.parametrize("auth_key", ["0" * 64, "x", "ä", "0" * 5000])
async def test_authorize_with_an_unknown_key(sngine: Sngine, auth_key: str, *, strict: bool) -> None:
    assert_refused(await sngine.authorize(auth_key), 400, NO_KEY, strict=strict)


async def test_a_used_key_is_refused_and_takes_its_token_along(sngine: Sngine, *, strict: bool) -> None:
    key = await sngine.auth_key()
    token = (await sngine.authorize(key)).body["access_token"]
    assert_refused(await sngine.authorize(key), 400, NO_KEY, strict=strict)
    assert_refused(await sngine.ask("get_user_info", access_token=token), 401, NO_TOKEN, strict=strict)


async def test_a_key_of_another_app(sngine: Sngine, core: Clients, *, strict: bool) -> None:
    other = await core.apps.CreateApp(_new_app(sngine))
    key = await sngine.auth_key()
    credentials = {"app_id": other.app.client_id, "app_secret": other.client_secret}
    assert_refused(await sngine.ask("authorize", **credentials, auth_key=key), 400, NO_KEY, strict=strict)
    assert (await sngine.authorize(key)).body["access_token"]


@pytest.mark.parametrize("verifier", [{}, {"code_verifier": "w" * 43}])
async def test_a_verifier_that_is_missing_or_wrong_spends_the_key(
    sngine: Sngine, verifier: dict[str, str], *, strict: bool
) -> None:
    key = await sngine.auth_key(code_challenge=CHALLENGE)
    assert_refused(await sngine.authorize(key, **verifier), 400, NO_KEY, strict=strict)
    assert_refused(await sngine.authorize(key, code_verifier=VERIFIER), 400, NO_KEY, strict=strict)


async def test_a_secret_in_the_address_of_an_app_that_does_not_allow_it(
    sngine: Sngine, core: Clients, *, strict: bool
) -> None:
    made = await core.apps.CreateApp(_new_app(sngine, query_secret=False))
    credentials = {"app_id": made.app.client_id, "app_secret": made.client_secret}
    assert_refused(await sngine.ask("authorize", **credentials, auth_key="0" * 64), 401, NO_SECRET, strict=strict)
    in_body = await sngine.post("authorize", data=credentials | {"auth_key": "0" * 64})
    assert_refused(in_body, 400, NO_KEY, strict=strict)


async def test_a_header_and_parameters_that_name_different_apps(sngine: Sngine, *, strict: bool) -> None:
    basic = {"Authorization": f"Basic {b64encode(b'1:x').decode()}"}
    answer = await sngine.ask("authorize", basic, **sngine.credentials, auth_key="0" * 64)
    assert_refused(answer, 400, "Bad Request, invalid parameters", strict=strict)


@pytest.mark.parametrize("encoded", ["!!!", b64encode(b"no colon").decode(), b64encode(b"\xff:\xff").decode()])
async def test_a_basic_header_that_cannot_be_read(sngine: Sngine, encoded: str, *, strict: bool) -> None:
    answer = await sngine.ask("authorize", {"Authorization": f"Basic {encoded}"}, auth_key="0" * 64)
    assert_refused(answer, 401, NO_APP, strict=strict)


async def test_a_key_used_by_twenty_at_once_works_once(sngine: Sngine) -> None:
    key = await sngine.auth_key()
    answers = await asyncio.gather(*(sngine.authorize(key) for _ in range(AT_ONCE)))
    winners = [answer for answer in answers if "access_token" in answer.body]
    assert len(winners) == 1
    assert all(answer.body["message"] == NO_KEY for answer in answers if answer not in winners)
    for winner in winners:  # nineteen uses more: its token is dead
        dead = await sngine.ask("get_user_info", access_token=winner.body["access_token"])
        assert dead.body["message"] == NO_TOKEN


# get_user_info


@pytest.mark.parametrize("query", [{}, {"access_token": ""}, {"access_token": "0" * 64}, {"access_token": "ä"}])
async def test_user_info_without_a_token_or_with_an_unknown_one(
    sngine: Sngine, query: dict[str, str], *, strict: bool
) -> None:
    answer = await sngine.ask("get_user_info", **query)
    assert_refused(answer, 401, NO_TOKEN, strict=strict)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_user_info_of_a_disabled_account(sngine: Sngine, stack: GatepostStack, *, strict: bool) -> None:
    person, token = await sngine.signed_in()
    await asyncio.to_thread(stack.cli, "user", "disable", person.email, "--project", sngine.app.project)
    assert_refused(await sngine.ask("get_user_info", access_token=token), 401, NO_TOKEN, strict=strict)


async def test_user_info_of_a_deleted_account(sngine: Sngine, stack: GatepostStack, *, strict: bool) -> None:
    person, token = await sngine.signed_in()
    await asyncio.to_thread(stack.cli, "user", "delete", person.email, "--project", sngine.app.project)
    assert_refused(await sngine.ask("get_user_info", access_token=token), 401, NO_TOKEN, strict=strict)


async def test_a_token_of_another_form(sngine: Sngine, *, strict: bool) -> None:
    _, tokens = await sngine.site.ihopr.signed_in(sngine.app)
    answer = await sngine.ask("get_user_info", access_token=tokens["access_token"])
    assert_refused(answer, 401, NO_TOKEN, strict=strict)
    _, token = await sngine.signed_in()
    assert (await sngine.site.ihopr.call("GET", "user", token=token)).status == 401


async def test_a_session_of_our_pages_is_no_token(sngine: Sngine, *, strict: bool) -> None:
    browser = await sngine.site.browser(await sngine.site.person())
    answer = await sngine.ask("get_user_info", access_token=browser.cookies["__Host-gatepost"])
    assert_refused(answer, 401, NO_TOKEN, strict=strict)


# Unknown verbs, methods, and what a project has turned off


@pytest.mark.parametrize("verb", ["nothing", "oauth/more", "get_user_infos/"])
async def test_an_unknown_verb(sngine: Sngine, verb: str, *, strict: bool) -> None:
    assert_refused(await sngine.ask(verb), 404, "Bad Request, invalid parameters", strict=strict)


async def test_a_wrong_method(sngine: Sngine, *, strict: bool) -> None:
    answer = await sngine.post("get_user_info", data={})
    assert_refused(answer, 405, "Bad Request, invalid parameters", strict=strict)


async def test_a_project_that_does_not_serve_this(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    site = make_site()
    client = Sngine(site, session, stack.url + site.mount)
    await asyncio.to_thread(stack.cli, "project", "update", site.app.project, "--dialect", "ihopr")
    await asyncio.sleep(2)
    answer = await client.authorize("0" * 64)
    assert_refused(answer, 403, "This feature has been disabled by the admin", strict=False)
    page = await (await site.browser()).get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    assert_page(page, 403, 200, "disabled by the admin", strict=False)


async def test_an_app_has_a_status_mode_of_its_own(sngine: Sngine, core: Clients) -> None:
    made = await core.apps.CreateApp(_new_app(sngine, status_mode="strict"))
    credentials = {"app_id": made.app.client_id, "app_secret": made.client_secret}
    answer = await sngine.ask("authorize", **credentials, auth_key="0" * 64)
    assert_refused(answer, 400, NO_KEY, strict=True)


@pytest.mark.parametrize("how", ["params", "data", "json", "basic"])
async def test_an_apps_status_mode_holds_for_what_the_gateway_refuses_on_its_own(
    sngine: Sngine, core: Clients, how: str
) -> None:
    made = await core.apps.CreateApp(_new_app(sngine, status_mode="strict"))
    sent = {"app_id": made.app.client_id, "app_secret": made.client_secret}
    if how == "params":
        answer = await sngine.ask("authorize", **sent)
    elif how == "basic":
        basic = b64encode(f"{made.app.client_id}:{made.client_secret}".encode()).decode()
        answer = await sngine.ask("authorize", {"Authorization": f"Basic {basic}"})
    else:
        answer = await sngine.post("authorize", **{how: sent})
    assert_refused(answer, 400, NO_KEY, strict=True)
    page = await (await sngine.site.browser()).get(
        f"{sngine.site.mount}/api/oauth", app_id=made.app.client_id, state="s" * 513
    )
    assert page.status == 400


async def test_the_projects_status_mode_holds_where_the_app_or_a_token_alone_says_whose_it_is(
    sngine: Sngine, stack: GatepostStack, *, strict: bool
) -> None:
    elsewhere = replace(sngine, url=stack.url)
    assert_refused(await elsewhere.authorize("0" * 64), 400, NO_KEY, strict=strict)
    person, token = await sngine.signed_in()
    await asyncio.to_thread(stack.cli, "user", "disable", person.email, "--project", sngine.app.project)
    answer = await elsewhere.ask("get_user_info", access_token=token)
    assert_refused(answer, 401, NO_TOKEN, strict=strict)


async def test_the_status_mode_of_a_disabled_app_holds(sngine: Sngine, core: Clients) -> None:
    made = await core.apps.CreateApp(_new_app(sngine, status_mode="strict"))
    await core.apps.UpdateApp(UpdateAppRequest(client_id=made.app.client_id, disabled=True))
    answer = await sngine.ask("authorize", app_id=made.app.client_id, app_secret=made.client_secret, auth_key="0" * 64)
    assert_refused(answer, 401, NO_APP, strict=True)
    page = await (await sngine.site.browser()).get(f"{sngine.site.mount}/api/oauth", app_id=made.app.client_id)
    assert page.status == 400


async def test_a_dead_token_of_an_app_is_refused_in_the_apps_mode(
    make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack
) -> None:
    site = make_site()
    client = Sngine(site, session, stack.url)
    await asyncio.to_thread(stack.cli, "app", "update", site.app.client_id, "--status-mode", "strict")
    person = await site.person()
    token = await client.token(await site.browser(person))
    await asyncio.to_thread(stack.cli, "user", "disable", person.email, "--project", site.app.project)
    answer = await client.ask("get_user_info", access_token=token)
    assert_refused(answer, 401, NO_TOKEN, strict=True)


# Time


async def test_keys_and_tokens_expire(hasty: GatepostStack, session: ClientSession) -> None:
    site = await asyncio.to_thread(site_maker(hasty, session))
    client = Sngine(site, session, hasty.url)
    browser = await site.browser(await site.person())
    key = await client.auth_key(browser)
    await asyncio.sleep(1.5)
    assert (await client.authorize(key)).body["message"] == NO_KEY
    again = await browser.get(f"{site.mount}/api/oauth", app_id=site.app.client_id)
    token = (await client.authorize(again.parameters["auth_key"])).body["access_token"]
    await asyncio.sleep(2.5)
    expired = await client.ask("get_user_info", access_token=token)
    assert_refused(expired, 401, "Bad Request, expired access_token", strict=False)


def _new_app(
    sngine: Sngine,
    *,
    redirect_url: str = REDIRECT_URL,
    query_secret: bool = True,
    public: bool = False,
    status_mode: str = "",
) -> CreateAppRequest:
    return CreateAppRequest(
        id=str(uuid4()),
        project=sngine.app.project,
        name="Another app",
        redirect_urls=[redirect_url] if redirect_url else [],
        allow_query_secret=query_secret,
        type=AppType.APP_TYPE_PUBLIC if public else AppType.APP_TYPE_CONFIDENTIAL,
        status_mode=status_mode,
    )
