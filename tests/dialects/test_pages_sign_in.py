"""The door in a browser, under each policy: up, in, out; what is wrong stays on the page; nothing leads elsewhere."""

from collections.abc import Callable

import pytest
from dialects.ihopr_client import App, new_email, wrong
from dialects.pages_client import PASSWORD, SESSION, Door, form, heading, wrong_fields

ELSEWHERE = ["https://evil.example/", "//evil.example/", "/\\evil.example", "/%09/evil.example/../..//evil.example"]


@pytest.fixture
def door(make_door: Callable[[App], Door], app: App) -> Door:
    return make_door(app)


@pytest.fixture
def otp_door(make_door: Callable[[App], Door], otp_app: App) -> Door:
    return make_door(otp_app)


@pytest.fixture
def two_step_door(make_door: Callable[[App], Door], two_step_app: App) -> Door:
    return make_door(two_step_app)


async def test_with_a_password_alone_a_person_is_in_at_once(door: Door) -> None:
    email, answer = await door.sign_up()
    assert (answer.status, answer.location) == (303, door.at("/account"))
    assert len(door.session) == 64
    door.browser.cookies.clear()
    answer = await door.sign_in(email)
    assert (answer.status, answer.location) == (303, door.at("/account"))
    assert await door.is_in()


async def test_by_mailed_code_no_password_is_asked(otp_door: Door) -> None:
    email, answer = await otp_door.sign_up(password="")
    page = await otp_door.follow(answer)
    code = (await otp_door.mail(email, "sign_up_code"))["code"]
    answer = await otp_door.submit(page, code=code)
    assert answer.location == otp_door.at("/account")
    otp_door.browser.cookies.clear()
    asked = await otp_door.open("/sign-in")
    assert "password" not in form(asked)[1]
    page = await otp_door.follow(await otp_door.submit(asked, email=email))
    code = (await otp_door.mail(email, "sign_in_code"))["code"]
    assert 'autocomplete="one-time-code"' in page.text
    assert (await otp_door.submit(page, code=f"{code[:3]} {code[3:]}")).location == otp_door.at("/account")
    assert await otp_door.is_in()


async def test_in_two_steps_the_password_alone_opens_nothing(two_step_door: Door) -> None:
    email, answer = await two_step_door.sign_up()
    page = await two_step_door.follow(answer)
    await two_step_door.submit(page, code=(await two_step_door.mail(email, "sign_up_code"))["code"])
    two_step_door.browser.cookies.clear()
    answer = await two_step_door.sign_in(email)
    assert answer.location == two_step_door.at("/sign-in/code")
    assert not two_step_door.session
    page = await two_step_door.follow(answer)
    code = (await two_step_door.mail(email, "two_step_code"))["code"]
    assert (await two_step_door.submit(page, code=code)).location == two_step_door.at("/account")
    assert await two_step_door.is_in()


async def test_a_wrong_password_and_an_unknown_address_look_alike(door: Door) -> None:
    email, _ = await door.sign_up()
    door.browser.cookies.clear()
    known = await door.sign_in(email, "another-password-43")
    unknown = await door.sign_in(nobody := new_email(), "another-password-43")
    assert known.status == unknown.status == 401
    assert known.text.replace(email, "") == unknown.text.replace(nobody, "")
    assert 'role="alert"' in known.text
    assert 'aria-invalid="true"' in known.text
    assert f'value="{email}"' in known.text
    assert "another-password-43" not in known.text
    assert SESSION not in door.browser.cookies


async def test_a_wrong_code_can_be_corrected(two_step_door: Door) -> None:
    email, answer = await two_step_door.sign_up()
    page = await two_step_door.follow(answer)
    code = (await two_step_door.mail(email, "sign_up_code"))["code"]
    again = await two_step_door.submit(page, code=wrong(code))
    assert (again.status, wrong_fields(again)) == (400, ["code"])
    assert (await two_step_door.submit(again, code=code)).location == two_step_door.at("/account")


async def test_an_unknown_address_is_asked_for_a_code_like_any_other(otp_door: Door) -> None:
    answer = await otp_door.submit(await otp_door.open("/sign-in"), email=new_email())
    page = await otp_door.follow(answer)
    assert heading(page) == "Check your mailbox"
    assert (await otp_door.submit(page, code="123456")).status == 400


async def test_a_sign_up_with_an_address_in_use_looks_like_any_other_where_it_can(two_step_door: Door) -> None:
    email, answer = await two_step_door.sign_up()
    page = await two_step_door.follow(answer)
    await two_step_door.submit(page, code=(await two_step_door.mail(email, "sign_up_code"))["code"])
    two_step_door.browser.cookies.clear()
    _, taken = await two_step_door.sign_up(email)
    _, free = await two_step_door.sign_up()
    assert (taken.status, taken.location) == (free.status, free.location)


async def test_an_address_in_use_is_marked_where_the_policy_says_so(door: Door) -> None:
    email, _ = await door.sign_up()
    door.browser.cookies.clear()
    _, page = await door.sign_up(email)
    assert (page.status, wrong_fields(page)) == (409, ["email"])
    assert 'value="Ann"' in page.text


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"password": "password"}, ["password"]),
        ({"password": "short"}, ["password"]),
        ({"email": "nobody"}, ["email"]),
        ({"first_name": "", "email": "", "password": ""}, ["first_name", "email", "password"]),
    ],
)
async def test_what_is_wrong_is_said_at_the_field(door: Door, changed: dict[str, str], fields: list[str]) -> None:
    right = {"first_name": "Ann", "email": new_email(), "password": PASSWORD}
    page = await door.submit(await door.open("/sign-up"), **right | changed)
    assert (page.status, wrong_fields(page)) == (422, fields)
    assert PASSWORD not in page.text


async def test_signing_up_in_a_project_does_not_open_another(
    door: Door, make_door: Callable[[App], Door], make_app: Callable[..., App]
) -> None:
    await door.sign_up()
    other = make_door(make_app("none"))
    other.browser.cookies.update(door.browser.cookies)
    assert not await other.is_in()


async def test_each_sign_in_begins_a_new_session_and_ends_the_one_before(door: Door) -> None:
    email, _ = await door.sign_up()
    first = door.session
    await door.sign_in(email, prompt="login")
    second = door.session
    assert first != second
    door.browser.cookies[SESSION] = first
    assert not await door.is_in()
    door.browser.cookies[SESSION] = second
    assert await door.is_in()


async def test_a_session_given_beforehand_is_never_taken_over(door: Door) -> None:
    email, _ = await door.sign_up()
    door.browser.cookies.clear()
    planted = "a" * 64
    door.browser.cookies[SESSION] = planted
    await door.sign_in(email)
    assert door.session not in {planted, ""}


async def test_signing_out_ends_the_session_for_good(door: Door) -> None:
    await door.sign_up()
    token = door.session
    _, held = form(await door.open("/sign-in", prompt="login"))
    answer = await door.browser.post(door.at("/sign-out"), csrf=held["csrf"])
    assert answer.location == door.at("/sign-in?done=signed-out")
    assert not door.session
    assert "You are signed out." in (await door.follow(answer)).text
    door.browser.cookies[SESSION] = token
    assert not await door.is_in()


async def test_signing_out_twice_is_no_error(door: Door) -> None:
    _, held = form(await door.open("/sign-in"))
    for _ in range(2):
        assert (await door.browser.post(door.at("/sign-out"), csrf=held["csrf"])).status == 303


async def test_next_is_where_a_person_goes_afterwards(door: Door) -> None:
    email, _ = await door.sign_up()
    assert (await door.open("/sign-in", next="/docs?a=b")).location == "/docs?a=b"
    door.browser.cookies.clear()
    assert (await door.sign_in(email, next="/docs?a=b")).location == "/docs?a=b"


async def test_next_survives_the_second_step(two_step_door: Door) -> None:
    page = await two_step_door.open("/sign-up", next="/docs?a=b")
    email = new_email()
    answer = await two_step_door.submit(page, first_name="Ann", email=email, password=PASSWORD)
    page = await two_step_door.follow(answer)
    code = (await two_step_door.mail(email, "sign_up_code"))["code"]
    assert (await two_step_door.submit(page, code=code)).location == "/docs?a=b"


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_next_never_leads_off_the_origin(door: Door, target: str) -> None:
    email, _ = await door.sign_up()
    shown = await door.open("/sign-in", prompt="login", next=target)
    assert "evil" not in shown.text.partition("<footer")[0]
    answer = await door.submit(shown, email=email, password=PASSWORD, next=target)
    assert answer.location == door.at("/account")


async def test_the_app_that_sent_a_person_is_named_and_may_be_returned_to(
    make_site: Callable[..., object], make_door: Callable[[App], Door]
) -> None:
    site = make_site()
    door = make_door(site.app)  # type: ignore[attr-defined]
    page = await door.open("/sign-in", next=f"/api/oauth?app_id={door.app.client_id}")
    assert "App of the tests" in page.text
    assert "form-action 'self' https://app.example;" in page.headers["Content-Security-Policy"]


async def test_an_app_of_another_project_is_not_named(door: Door, otp_app: App) -> None:
    page = await door.open("/sign-in", next=f"/api/oauth?app_id={otp_app.client_id}")
    assert "App of the tests" not in page.text


async def test_the_code_page_without_a_step_goes_back_to_the_beginning(door: Door) -> None:
    assert (await door.open("/sign-in/code", next="/docs")).location == door.at("/sign-in?next=%2Fdocs")


async def test_a_project_that_is_not_there_has_no_door(door: Door) -> None:
    assert (await door.browser.get("/t/nowhere/sign-in")).status == 404


async def test_who_was_in_before_gets_in_while_strangers_guess_at_his_password(
    make_door: Callable[[App], Door], app: App
) -> None:
    owner, stranger = make_door(app), make_door(app)
    email, _ = await owner.sign_up()
    del owner.browser.cookies[SESSION]
    for _ in range(10):
        answer = await stranger.sign_in(email, "not-the-password")
        assert answer.status == 401
    assert (await stranger.sign_in(email)).status == 429
    assert (await owner.sign_in(email)).location == owner.at("/account")
