"""Every form that a browser can be made to send from elsewhere: it changes nothing, unless it is ours and whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from security.databases import Databases
from security.page_forms import FORMS, Filled
from security.world import World

from gateway.dialects import DIALECTS
from gateway.pages import PAGES
from gateway.web.forms import PageForm

_FOREIGN = "https://evil.example"


@dataclass(frozen=True)
class Forgery:
    """How a form is not ours. What it holds beside that is right."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: bool = True
    csrf: Callable[[str], dict[str, str]] = lambda _others: {}

    def __str__(self) -> str:
        return self.name


FORGERIES = (
    Forgery("without a token", csrf=lambda _: {"csrf": ""}),
    Forgery("with a token that was made up", csrf=lambda _: {"csrf": "0" * 64}),
    Forgery("with the token of another session", csrf=lambda others: {"csrf": others}),
    Forgery("without the cookie", cookies=False),
    Forgery("from another origin", {"Origin": _FOREIGN}),
    Forgery("from another port", {"Origin": "http://127.0.0.1:1"}),
    Forgery("from a host whose name begins like ours", {"Origin": "http://127.0.0.1.evil.example"}),
    Forgery("from another site, says the browser", {"Sec-Fetch-Site": "cross-site"}),
    Forgery("from a sibling of our host, says the browser", {"Sec-Fetch-Site": "same-site"}),
    Forgery("in another word for itself", {"Sec-Fetch-Site": "Same-Origin"}),
)


async def forged(filled: Filled, forgery: Forgery, others: str) -> int:
    """Send a form not from ours; return the status."""
    page = await filled.send(cookies=forgery.cookies, headers=forgery.headers, **forgery.csrf(others))
    return 0 if page.status == 303 and "/sign-in" in page.location and not forgery.cookies else page.status


@pytest.fixture(scope="module")
async def others_token(world: World) -> str:
    """Return what the forms of somebody else hold."""
    visit = await world.visit()
    return (await visit.get("/account")).csrf


@pytest.mark.parametrize("route", FORMS)
async def test_a_form_that_was_forged_changes_nothing(
    world: World, databases: Databases, others_token: str, route: str
) -> None:
    filled = await FORMS[route](world)
    before = await databases.lasting()
    for forgery in FORGERIES:
        # Who shows no session at all is sent to sign in, form or not.
        assert await forged(filled, forgery, others_token) in ({0, 403} if not forgery.cookies else {403}), forgery
    assert await databases.lasting() == before
    answer = await filled.send(headers={"Sec-Fetch-Site": "same-origin", "Origin": filled.browser.url})
    assert answer.status == filled.status, answer
    assert await databases.lasting() != before


def test_every_form_is_tried() -> None:
    routes = [route for dialect in (*DIALECTS, PAGES) for route in dialect.routes]
    taken = {route.path for route in routes if isinstance(route.form, type) and issubclass(route.form, PageForm)}
    posted = {route.path for route in PAGES.routes if "POST" in route.methods}
    assert set(FORMS) == taken
    assert posted <= taken
