"""A form under attack in a real browser: the script does the work, and nothing of the page's policy is broken."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from browser.visitor import Visitor
from conftest import GatepostStack
from playwright.async_api import Browser

PASSWORD = "tunnel-lantern-42"


@pytest.fixture
async def besieged(browser: Browser, make_stack: Callable[..., GatepostStack]) -> AsyncIterator[Visitor]:
    """Yield somebody at an installation whose forms demand a proof from the second on."""
    stack = make_stack(GATEPOST_PROOF_OF_WORK_AFTER_COUNT="1", GATEPOST_PROOF_OF_WORK_BITS="15")
    stack.up()
    context = await browser.new_context(base_url=stack.url, locale="en-GB")
    person = Visitor(await context.new_page(), stack)
    yield person
    await context.close()
    assert person.complaints == []


async def test_the_script_solves_what_a_form_demands_and_the_person_notices_little(besieged: Visitor) -> None:
    demanded = []
    for _ in range(2):
        email = f"ann-{uuid4().hex[:10]}@example.com"
        await besieged.page.context.clear_cookies()
        await besieged.open("/sign-up")
        demanded.append(await besieged.page.locator('[name="proof"]').count())
        await besieged.check_accessibility()
        await besieged.fill(first_name="Ann", last_name="Walker", email=email, password=PASSWORD)
        await besieged.press("Create account")
        assert "/account" in besieged.page.url
    assert demanded == [0, 1]
