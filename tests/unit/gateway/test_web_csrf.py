"""Forms are ours only if the browser they were shown to sends them, from a page of ours."""

import pytest
from unit.gateway.a_call import a_call

from gateway.call import Call
from gateway.web import csrf
from runtime.errors import GatepostError, Reason

SESSION = "5" * 64


def shown_to_nobody() -> tuple[str, str]:
    """Show a form to somebody without cookies; return what it holds and the cookie he gets."""
    call = a_call()
    given = csrf.token(call)
    (cookie,) = csrf.cookies(call)
    return given, cookie.partition(";")[0]


def refused(call: Call, given: str) -> bool:
    with pytest.raises(GatepostError) as caught:
        csrf.check(call, given)
    return caught.value.reason is Reason.ROLE_FORBIDDEN


def test_a_form_shown_to_a_visitor_is_taken_from_him() -> None:
    given, cookie = shown_to_nobody()
    csrf.check(a_call(method="POST", Cookie=cookie), given)


def test_a_form_shown_to_one_visitor_is_not_taken_from_another() -> None:
    given, _ = shown_to_nobody()
    _, cookie = shown_to_nobody()
    assert refused(a_call(method="POST", Cookie=cookie), given)


@pytest.mark.parametrize("given", ["", "0" * 64, "ü", "é" * 64])
def test_what_was_never_shown_is_refused(given: str) -> None:
    _, cookie = shown_to_nobody()
    assert refused(a_call(method="POST", Cookie=cookie), given)


@pytest.mark.parametrize("cookie", ["", "__Host-gatepost-visit=", "__Host-gatepost-visit=short"])
def test_without_a_cookie_of_ours_nothing_is_taken(cookie: str) -> None:
    given, _ = shown_to_nobody()
    assert refused(a_call(method="POST", Cookie=cookie), given)


def test_with_a_session_a_form_belongs_to_the_session() -> None:
    given, visit = shown_to_nobody()
    session = f"{visit}; __Host-gatepost={SESSION}"
    own = csrf.token(a_call(Cookie=session))
    assert own != given
    csrf.check(a_call(method="POST", Cookie=session), own)
    assert refused(a_call(method="POST", Cookie=session), given)


def test_who_has_a_cookie_gets_no_other() -> None:
    _, cookie = shown_to_nobody()
    again = a_call(Cookie=cookie)
    csrf.token(again)
    assert csrf.cookies(again) == ()


def test_the_cookie_itself_is_not_in_the_form() -> None:
    given, cookie = shown_to_nobody()
    assert given not in cookie
    assert cookie.partition("=")[2] not in given


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://id.example", "Sec_Fetch_Site": "same-origin"},
        {"Origin": "http://id.example"},
        {"Origin": "https://public.example"},
        {"Origin": "null", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_what_a_browser_says_of_our_own_pages_is_fine(headers: dict[str, str]) -> None:
    given, cookie = shown_to_nobody()
    csrf.check(a_call(method="POST", Cookie=cookie, **headers), given)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://id.example.evil.example"},
        {"Origin": "https://id.example:8443"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_what_comes_from_elsewhere_is_refused_even_with_the_right_token(headers: dict[str, str]) -> None:
    given, cookie = shown_to_nobody()
    assert refused(a_call(method="POST", Cookie=cookie, **headers), given)
