"""Which language a page is in: the link's, the cookie's, the browser's."""

import pytest
from unit.gateway.a_call import a_call

from gateway.web import locale
from runtime.context import CallContext, bound

COOKIE = "__Host-gatepost-language"


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr;q=0.3, uk;q=0.8", "uk"),
        ("id", "id"),
        ("ES-mx", "es"),
        ("ja,pt;q=0.5", "en"),
        ("en;q=0,*", "en"),
        (";;;,=", "en"),
    ],
)
def test_a_browsers_wish_decides(header: str, chosen: str) -> None:
    assert locale.choose(a_call(Accept_Language=header)) == chosen


def test_of_one_who_says_nothing_nothing_is_known() -> None:
    assert locale.choose(a_call()) == ""


def test_the_cookie_goes_before_the_browser() -> None:
    assert locale.choose(a_call(Accept_Language="de", Cookie=f"{COOKIE}=fr")) == "fr"


def test_the_link_goes_before_the_cookie_and_is_kept() -> None:
    call = a_call("/sign-in?next=%2F&lang=uk", Accept_Language="de", Cookie=f"{COOKIE}=fr")
    assert locale.choose(call) == "uk"
    (cookie,) = locale.cookies(call)
    assert cookie.startswith(f"{COOKIE}=uk; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=")


@pytest.mark.parametrize("asked", ["xx", "DE", "deu", "", "d", "de%0d%0aSet-Cookie:x"])
def test_a_language_there_is_not_is_passed_over(asked: str) -> None:
    call = a_call(f"/sign-in?lang={asked}", Accept_Language="es", Cookie=f"{COOKIE}=nonsense")
    assert locale.choose(call) == "es"
    assert locale.cookies(call) == ()


def test_words_come_in_the_language_of_the_request() -> None:
    with bound(CallContext(language="de")):
        assert locale.gettext("Sign in") == "Anmelden"
    with bound(CallContext()):
        assert locale.gettext("Sign in") == "Sign in"
