"""Forgotten passwords and mailed links in a browser: looking does nothing, and nobody learns who has an account."""

from collections.abc import Callable

import pytest
from dialects.ihopr_client import App, Ihopr, Person, new_email, wrong
from dialects.pages_client import PASSWORD, SESSION, Door, form, heading, wrong_fields

NEW_PASSWORD = "harbour-candle-77"


@pytest.fixture
def door(make_door: Callable[[App], Door], app: App) -> Door:
    return make_door(app)


async def forgotten(door: Door) -> str:
    """Make somebody who has forgotten his password and asks for a code; return his address."""
    email, _ = await door.sign_up()
    door.browser.cookies.clear()
    await door.submit(await door.open("/forgot-password"), email=email)
    return email


async def test_a_forgotten_password_is_replaced_with_the_mailed_code(door: Door) -> None:
    email, _ = await door.sign_up()
    before = door.session
    door.browser.cookies.clear()
    page = await door.follow(await door.submit(await door.open("/forgot-password"), email=email))
    code = (await door.mail(email, "reset_link"))["code"]
    answer = await door.submit(page, code=code, password=NEW_PASSWORD)
    assert "Your new password is set." in (await door.follow(answer)).text
    assert (await door.sign_in(email, PASSWORD)).status == 401
    assert (await door.sign_in(email, NEW_PASSWORD)).status == 303
    door.browser.cookies[SESSION] = before
    assert not await door.is_in()


async def test_the_mailed_link_needs_no_code_and_looking_spends_nothing(door: Door) -> None:
    email = await forgotten(door)
    link = (await door.mail(email, "reset_link"))["link"]
    door.browser.cookies.clear()
    path = door.at(f"/reset-password?{link.partition('?')[2]}")
    assert link.endswith(path)
    page = await door.browser.get(path)
    for _ in range(3):
        page = await door.browser.get(path)
    assert "code" not in form(page)[1]
    weak = await door.submit(page, password="password")
    assert (weak.status, wrong_fields(weak)) == (422, ["password"])
    assert (await door.submit(weak, password=NEW_PASSWORD)).status == 303
    dead = await door.submit(page, password=NEW_PASSWORD)
    assert (dead.status, heading(dead)) == (400, "This link no longer works")
    assert door.at("/forgot-password") in dead.text
    assert (await door.sign_in(email, NEW_PASSWORD)).status == 303


async def test_a_link_that_was_mailed_by_the_release_before_brings_its_code(door: Door) -> None:
    email = await forgotten(door)
    handle = form(await door.open("/reset-password"))[1]["handle"]
    code = (await door.mail(email, "reset_link"))["code"]
    page = await door.open("/reset-password", token=handle + code)
    assert form(page)[1]["code"] == code
    assert (await door.submit(page, password=NEW_PASSWORD)).status == 303


async def test_an_address_without_account_gets_the_same_answers(door: Door) -> None:
    email, _ = await door.sign_up()
    pages = []
    for each in (email, nobody := new_email()):
        door.browser.cookies.clear()
        page = await door.follow(await door.submit(await door.open("/forgot-password"), email=each))
        held = form(page)[1]
        refused = await door.submit(page, code="123456", password=NEW_PASSWORD)
        assert refused.status == 400
        pages.append([page.text, held["handle"], held["csrf"], refused.text])
    texts = [
        [text.replace(handle, "").replace(csrf, "").replace(who, "") for text in (shown, refused)]
        for who, (shown, handle, csrf, refused) in zip((email, nobody), pages, strict=True)
    ]
    assert texts[0] == texts[1]


async def test_a_weak_password_or_a_wrong_code_can_be_corrected(door: Door) -> None:
    email = await forgotten(door)
    page = await door.open("/reset-password")
    code = (await door.mail(email, "reset_link"))["code"]
    weak = await door.submit(page, code=code, password="password")
    assert (weak.status, wrong_fields(weak)) == (422, ["password"])
    off = await door.submit(weak, code=wrong(code), password=NEW_PASSWORD)
    assert (off.status, wrong_fields(off)) == (400, ["code"])
    assert NEW_PASSWORD not in off.text
    assert (await door.submit(off, code=code, password=NEW_PASSWORD)).status == 303


async def test_a_reset_without_a_step_begins_at_the_beginning(door: Door) -> None:
    for token in ("", "nonsense", "0" * 75):
        answer = await door.open("/reset-password", token=token)
        assert answer.location == door.at("/forgot-password")


async def test_where_there_are_no_passwords_none_is_reset(make_door: Callable[[App], Door], otp_app: App) -> None:
    door = make_door(otp_app)
    assert (await door.open("/forgot-password")).location == door.at("/sign-in")


async def test_an_address_is_confirmed_by_the_button_and_not_by_the_link(door: Door) -> None:
    email, _ = await door.sign_up()
    _, held = form(await door.open("/sign-in", prompt="login"))
    await door.browser.post(door.at("/account/prove-email"), csrf=held["csrf"])
    link = (await door.mail(email, "confirm_email"))["link"]
    path = f"/confirm-email?{link.partition('?')[2]}"
    door.browser.cookies.clear()
    assert (await door.browser.get(path)).location == door.at(path)
    page = await door.browser.get(door.at(path))
    for _ in range(3):
        page = await door.browser.get(door.at(path))
        assert heading(page) == "Confirm your address"
    assert email in page.text
    done = await door.follow(await door.submit(page))
    assert heading(done) == "Your address is confirmed"
    dead = await door.submit(page)
    assert (dead.status, heading(dead)) == (400, "This link no longer works")


@pytest.mark.parametrize("path", ["/confirm-email", "/undo-email-change", "/keep-account"])
@pytest.mark.parametrize("token", ["", "nonsense", "0" * 64])
async def test_a_dead_link_says_so_and_shows_a_way_on(door: Door, path: str, token: str) -> None:
    page = await door.open(path, token=token)
    assert (page.status, heading(page)) == (400, "This link no longer works")
    assert f'href="{door.at("/account")}"' in page.text


async def test_a_link_is_dead_on_the_page_of_another(door: Door, ihopr: Ihopr) -> None:
    email, _ = await door.sign_up()
    _, held = form(await door.open("/sign-in", prompt="login"))
    await door.browser.post(door.at("/account/prove-email"), csrf=held["csrf"])
    link = (await door.mail(email, "confirm_email"))["link"]
    page = await door.browser.get(door.at(f"/keep-account?{link.partition('?')[2]}"))
    assert heading(page) == "This link no longer works"
    assert (await ihopr.post("login", door.app.credentials | vars(Person(email)))).status == 200
