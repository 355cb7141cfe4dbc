"""Forms under attack: they demand work of whoever fills them in, or patience, once each; and hash nothing without."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from itertools import count

import pytest
from aiohttp import ClientSession, DummyCookieJar
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, app_maker, new_email
from dialects.pages_client import PASSWORD, Door, form
from dialects.redirect_client import Browser, Page
from security.hashes import hashes

AFTER = 3
WAIT_SECONDS = 2
WAITS = 2
_BITS = re.compile(r'name="proof" value="([0-9a-f]{80})" data-bits="([0-9]+)"')
ROBOTS = "Robots are busy here"


@pytest.fixture(scope="module")
def besieged(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return a stack whose forms demand proofs after very little."""
    stack = make_stack(
        GATEPOST_PROOF_OF_WORK_AFTER_COUNT=str(AFTER),
        GATEPOST_PROOF_OF_WORK_BITS="8",
        GATEPOST_PROOF_OF_WORK_WAIT_SECONDS=str(WAIT_SECONDS),
        GATEPOST_PROOF_OF_WORK_WAITS_PER_ADDRESS=str(WAITS),
    )
    stack.up()
    return stack


@pytest.fixture(scope="module")
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=DummyCookieJar()) as opened:
        yield opened


@pytest.fixture
def door(besieged: GatepostStack, session: ClientSession) -> Door:
    """Return a browser at the pages of a project that nobody attacks."""
    return at(app_maker(besieged)("none"), besieged, session)


def at(app: App, stack: GatepostStack, session: ClientSession) -> Door:
    return Door(Browser(session, stack.url), app, Ihopr(session, stack.url))


async def attack(door: Door) -> str:
    """Make an account, and let its project see so many wrong passwords that its forms demand a proof."""
    email, answer = await door.sign_up()
    assert answer.status == 303
    door.browser.cookies.clear()
    for _ in range(AFTER - 1):  # the sign-up was one
        assert (await door.sign_in(new_email(), "a wrong password")).status == 401
    return email


def demanded(page: Page) -> bool:
    return _BITS.search(page.text) is not None


def solve(page: Page) -> str:
    """Find the nonce that a page asks for, as its script does."""
    found = _BITS.search(page.text)
    assert found, page.text
    challenge, bits = found[1], int(found[2])
    for number in count():
        if int.from_bytes(sha256(f"{challenge}:{number}".encode()).digest(), "big") >> (256 - bits) == 0:
            return str(number)
    raise AssertionError


async def test_in_peace_no_page_demands_anything_or_runs_a_script(door: Door) -> None:
    for path in ("/sign-in", "/sign-up", "/forgot-password"):
        page = await door.open(path)
        assert not demanded(page)
        assert "script" not in page.text + page.headers["Content-Security-Policy"]


async def test_under_attack_a_form_without_proof_is_shown_again_and_hashes_nothing(
    door: Door, besieged: GatepostStack, session: ClientSession
) -> None:
    email = await attack(door)
    shown = await door.open("/sign-in")
    assert demanded(shown)
    assert "script-src 'self'" in shown.headers["Content-Security-Policy"]
    before = await hashes(session, besieged)
    answer = await door.submit(shown, email=email, password=PASSWORD)
    assert ROBOTS in answer.text
    assert demanded(answer)
    assert form(answer)[1]["proof"] != form(shown)[1]["proof"]
    up = await door.submit(await door.open("/sign-up"), first_name="A", email=new_email(), password=PASSWORD)
    forgot = await door.submit(await door.open("/forgot-password"), email=email)
    assert ROBOTS in up.text
    assert ROBOTS in forgot.text
    assert await hashes(session, besieged) == before
    assert not door.session


async def test_a_right_proof_lets_a_form_through_once(door: Door) -> None:
    email = await attack(door)
    shown = await door.open("/sign-in")
    outside = dict(door.browser.cookies)
    proof = {"nonce": solve(shown)}
    assert (await door.submit(shown, email=email, password=PASSWORD, **proof)).status == 303
    door.browser.cookies.clear()
    door.browser.cookies.update(outside)
    again = await door.submit(shown, email=email, password=PASSWORD, **proof)
    assert ROBOTS in again.text


async def test_sign_up_and_reset_take_a_proof_too(door: Door) -> None:
    email = await attack(door)
    shown = await door.open("/forgot-password")
    assert (await door.submit(shown, email=email, nonce=solve(shown))).status == 303
    shown = await door.open("/sign-up")
    person = {"first_name": "Ann", "email": new_email(), "password": PASSWORD}
    assert (await door.submit(shown, nonce=solve(shown), **person)).status == 303


async def test_a_proof_of_another_project_or_one_that_was_changed_is_refused(
    door: Door, besieged: GatepostStack, session: ClientSession
) -> None:
    other = at(app_maker(besieged)("none"), besieged, session)
    email = await attack(door)
    await attack(other)
    foreign = await other.open("/sign-in")
    proof = form(foreign)[1]["proof"]
    own = await door.open("/sign-in")
    easier = f"{form(own)[1]['proof'][:20]}01{form(own)[1]['proof'][22:]}"
    for given, nonce in ((proof, solve(foreign)), (easier, "0"), ("", ""), ("00" * 40, "0"), ("\u0660" * 80, "\u0661")):
        answer = await door.submit(own, email=email, password=PASSWORD, proof=given, nonce=nonce)
        assert ROBOTS in answer.text, given


async def test_without_script_a_person_waits_instead_but_not_too_often(door: Door) -> None:
    email = await attack(door)
    pages = [await door.open("/sign-in") for _ in range(WAITS + 1)]
    assert f"{WAIT_SECONDS} seconds" in pages[0].text
    await asyncio.sleep(WAIT_SECONDS + 0.1)
    outside = dict(door.browser.cookies)
    statuses = []
    for page in pages:
        door.browser.cookies.clear()
        door.browser.cookies.update(outside)
        statuses.append((await door.submit(page, email=email, password=PASSWORD)).status)
    assert statuses == [303] * WAITS + [429]


async def test_apps_are_not_asked(door: Door) -> None:
    email = await attack(door)
    answer = await door.ihopr.post("login", door.app.credentials | {"email": email, "password": PASSWORD})
    assert answer.status == 200
