"""Two people, two projects, every endpoint: nobody reads or changes what belongs to another, whichever id he names."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, TraceConfig
from budget.cases import Case, Place
from budget.test_budget import CASES
from dialects.own_pages import Visit
from security.databases import Databases
from security.page_forms import FORMS
from security.victims import Victim, make_victim
from security.world import World, place_of
from yarl import URL

from gatepost_cli.operate import Rpc
from gateway.pages import PAGES
from gateway.web.session import SESSION

# Names that some code somewhere might take for whose a request is. Where an endpoint reads one, it says so in a case.
_NAMES_OF_USERS = ("user_id", "id", "account_id", "id_user", "uid", "user", "sub", "owner_id", "public_id")
_NAMES_OF_NUMBERS = ("guid", "number")
_NAMES_OF_THINGS = {
    "session_id": "auth.sessions",
    "id_key": "auth.sessions",
    "grant_id": "auth.grants",
    "secret_id": "auth.app_secrets",
    "device_id": "notify.devices",
    "picture": "users.pictures",
}


@pytest.fixture(scope="module")
async def neighbour(world: World, rpc: Rpc, databases: Databases) -> Victim:
    """Return somebody else of the same project."""
    return await make_victim(world, rpc, databases)


@pytest.fixture(scope="module")
async def stranger(other_world: World, rpc: Rpc, databases: Databases) -> Victim:
    """Return somebody of another project."""
    return await make_victim(other_world, rpc, databases)


@pytest.fixture(scope="module")
async def visit(world: World) -> Visit:
    """Return whoever tries."""
    return await world.visit()


@pytest.fixture(scope="module")
async def own_client(visit: Visit) -> str:
    """Return an app of his own."""
    return (await visit.create_app())[0]


@pytest.fixture(params=["neighbour", "stranger"])
def victim(request: pytest.FixtureRequest) -> Victim:
    found: Victim = request.getfixturevalue(request.param)
    return found


class Meddler:
    """A client like aiohttp's, which adds parameters to every request, and sees every answer.

    Args:
        session: Sends them; its trace fills `seen`.
        seen: What came back.
    """

    def __init__(self, session: ClientSession, seen: list[bytes]) -> None:
        self._session = session
        self.seen = seen
        self.sent = 0
        self._query: dict[str, str] = {}
        self._body: dict[str, str] = {}

    @contextmanager
    def adding(self, query: dict[str, str], body: dict[str, str]) -> Iterator[None]:
        """Add parameters to query and body inside the block, where there is none of that name."""
        self._query, self._body, self.sent = query, body, 0
        self.seen.clear()
        yield
        self._query = self._body = {}

    def get(self, url: str, **sent: Any) -> Any:
        return self.request("GET", url, **sent)

    def post(self, url: str, **sent: Any) -> Any:
        return self.request("POST", url, **sent)

    def request(self, method: str, url: str | URL, **sent: Any) -> Any:
        self.sent += 1
        given = {**(sent.get("params") or {}), **(URL(url).query)}
        bodies = {name: sent[name] for name in ("json", "data") if isinstance(sent.get(name), dict)}
        named = {*given, *(key for body in bodies.values() for key in body)}
        more = {key: value for key, value in self._body.items() if key not in named}
        sent |= {name: {**body, **more} for name, body in bodies.items()}
        query = {key: value for key, value in self._query.items() if key not in named}
        return self._session.request(method, URL(url, encoded=isinstance(url, URL)).extend_query(query), **sent)


@pytest.fixture(scope="module")
async def meddler() -> Any:
    seen: list[bytes] = []

    async def keep(_session: Any, _context: Any, received: Any) -> None:
        seen.append(received.chunk)

    trace = TraceConfig()
    trace.on_response_chunk_received.append(keep)
    async with ClientSession(cookie_jar=DummyCookieJar(), trace_configs=[trace]) as session:
        yield Meddler(session, seen)


@pytest.fixture(scope="module")
def meddled(world: World, meddler: Any) -> World:
    return replace(world, session=meddler)


@pytest.fixture(scope="module")
def place(meddled: World) -> Place:
    return place_of(meddled)


def naming(victim: Victim) -> dict[str, str]:
    """Return parameters that name somebody and his things in every way."""
    return {
        **dict.fromkeys(_NAMES_OF_USERS, victim.user_id),
        **dict.fromkeys(_NAMES_OF_NUMBERS, victim.number),
        **{name: victim.ids[table][0] for name, table in _NAMES_OF_THINGS.items()},
    }


def told(seen: list[bytes], *victims: Victim) -> list[str]:
    """Return what answers say of people beyond what was asked; a page's links repeat that."""
    text = b"".join(seen).decode(errors="replace")
    return [word for each in victims for word in {*each.words} - {*naming(each).values()} if word in text]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_endpoint_cares_for_nobody_else_whoever_is_named(
    case: Case, place: Place, meddler: Any, neighbour: Victim, stranger: Victim, databases: Databases
) -> None:
    # OSSN's key is the site's: it may name everybody of its own project.
    victims = [stranger] if case.name.startswith("ossn ") else [neighbour, stranger]
    before = await databases.about([id_ for each in victims for id_ in each.everything])
    send = await case.prepare(place)
    with meddler.adding(naming(victims[0]), naming(victims[-1])), suppress(AssertionError):  # some say by it: refused
        await send()
    assert meddler.sent == 1
    assert told(meddler.seen, *victims) == []
    assert await databases.about([id_ for each in victims for id_ in each.everything]) == before


@pytest.mark.parametrize("route", FORMS)
async def test_a_form_cares_for_nobody_else_whoever_is_named(
    route: str, meddled: World, meddler: Any, neighbour: Victim, stranger: Victim, databases: Databases
) -> None:
    everything = [*neighbour.everything, *stranger.everything]
    filled = await FORMS[route](meddled)
    before = await databases.about(everything)
    with meddler.adding(naming(neighbour), naming(stranger)):
        answer = await filled.send()
    assert answer.status in {filled.status, 403, 404, 409, 422}
    assert told(meddler.seen, neighbour, stranger) == []
    assert await databases.about(everything) == before


OWN = [route for route in PAGES.routes if route.guard is SESSION]


@pytest.mark.parametrize(
    "route", [each for each in OWN if "{" in each.path], ids=lambda each: f"{each.methods} {each.path}"
)
async def test_a_page_of_somebody_elses_thing_is_not_there(
    visit: Visit, own_client: str, databases: Databases, victim: Victim, route: Any
) -> None:
    before = await databases.about(victim.everything)
    for path in _paths(route.path, victim, own_client):
        page = await (visit.get(path) if route.methods == "GET" else visit.send(path, name="Stolen"))
        nothing_done = route.path == "/account/devices/{id}/forget" and page.status == 303
        assert page.status == 404 or nothing_done, (path, page)
        assert victim.name not in page.text
    assert await databases.about(victim.everything) == before


def _paths(path: str, victim: Victim, own_client: str) -> list[str]:
    """Return the addresses with somebody's ids, and with his and one's own mixed."""
    table = {"/account/a": "auth.grants", "/account/s": "auth.sessions", "/account/d": "notify.devices"}.get(path[:10])
    if table:
        return [path.replace("{id}", each) for each in victim.ids[table]]
    secret = victim.ids["auth.app_secrets"][0]
    mixed = [path.replace("{client_id}", own_client).replace("{secret_id}", secret)] if "{secret_id}" in path else []
    return [path.replace("{client_id}", victim.client_id).replace("{secret_id}", secret), *mixed]


async def test_the_id_of_somebody_elses_app_makes_no_second_one(
    world: World, databases: Databases, victim: Victim
) -> None:
    before = await databases.about(victim.everything)
    visit = await world.visit()
    page = await visit.send("/apps/new", "/apps/new", id=victim.ids["auth.apps"][0], name="Stolen")
    assert page.status in {404, 409, 422}, page
    assert victim.name not in page.text
    assert await databases.about(victim.everything) == before


@pytest.mark.parametrize("route", [each for each in OWN if each.methods == "GET"], ids=lambda each: each.path)
async def test_a_session_opens_no_page_of_another_project(visit: Visit, stranger: Victim, route: Any) -> None:
    path = route.path.replace("{client_id}", stranger.client_id)
    page = await visit.browser.get(f"{stranger.visit.site.mount}{path}")
    assert (page.status, "/sign-in" in page.location) == (303, True)
    assert (await visit.get("/account")).status == 200  # nor does it end by that


@pytest.mark.parametrize("route", [each for each in OWN if each.methods == "POST"], ids=lambda each: each.path)
async def test_a_session_sends_no_form_of_another_project(
    visit: Visit, stranger: Victim, databases: Databases, route: Any
) -> None:
    before = await databases.about([*stranger.everything, visit.person.email])
    csrf = (await visit.get("/account")).csrf
    path = _paths(route.path, stranger, stranger.client_id)[0] if "{" in route.path else route.path
    page = await visit.browser.post(f"{stranger.visit.site.mount}{path}", csrf=csrf, sure="yes", name="Stolen")
    assert (page.status, "/sign-in" in page.location) == (303, True)
    assert await databases.about([*stranger.everything, visit.person.email]) == before


async def test_a_key_of_one_site_sees_and_changes_nobody_of_another(
    world: World, stranger: Victim, databases: Databases
) -> None:
    before = await databases.about(stranger.everything)
    person = stranger.visit.person
    names: dict[str, Any] = {"guid": "1000000", "username": f"user{stranger.number}x", "email": person.email}
    for site in (world.ossn, replace(world.ossn, project=stranger.visit.site.app.project)):
        answers = [await site.details(**{name: value}) for name, value in names.items()]
        by_number = await site.details(guid=stranger.number)  # the number of another here, or of nobody
        assert stranger.name not in json.dumps(by_number.body)
        answers.append(await site.authenticate(person.email, person.password))
        changed: Any = {"new_email": person.email, "new_first_name": "Eve", "new_last_name": "X"}
        answers.append(
            await site.call("api/v1.0/user_edit", guid="1000000", current_password=person.password, **changed)
        )
        answers.append(await site.call("api/v2.0/user/delete", guid="1000000"))
        assert {answer.status for answer in answers} <= {401, 404}, answers
        assert stranger.name not in json.dumps([answer.body for answer in answers])
    assert await databases.about(stranger.everything) == before


async def test_what_one_projects_app_got_is_nothing_to_another_projects(world: World, other_world: World) -> None:
    ours, theirs = world, other_world
    person, answer = await ours.ihopr.signup(ours.app)
    refused = await theirs.ihopr.post("api-tauth-token", theirs.app.credentials | {"code": answer["code"]})
    assert refused.error == (400, "The authorization code is invalid or has expired.")
    tokens = await ours.ihopr.exchange(ours.app, answer["code"])
    body = theirs.app.credentials | {"refresh_token": tokens["refresh_token"]}
    assert (await theirs.ihopr.post("refresh-token", body)).status == 401
    assert (await theirs.ihopr.post("login", theirs.app.credentials | vars(person))).status == 401
    email, key = await ours.shoop.registered()
    assert (await theirs.shoop.call("GET", "user/get_active_user", key)).status == 403
    assert (await theirs.shoop.post("auth/login", email=email, password=person.password)).status == 401
    visit = await ours.visit()
    shown = await visit.browser.get(f"{ours.site.mount}/api/oauth?app_id={theirs.app.client_id}")
    assert shown.location == f"{theirs.site.mount}/api/oauth?app_id={theirs.app.client_id}"
    assert "/sign-in" in (await visit.browser.get(shown.location)).location
    assert (await ours.ihopr.call("GET", "user", token=tokens["access_token"])).status == 200
