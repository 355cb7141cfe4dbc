"""`next` never leads off this origin, and addresses of ours stay below the project's prefix."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.a_call import a_call

from gateway.web import url
from gateway.web.paths import is_local, next_or

ELSEWHERE = [
    "",
    "account",
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/ /evil.example",
    "/a//evil.example",
    "javascript:alert(1)",
    "/ünicode",
    "/\x00",
    "/" + "a" * 3000,
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_what_could_lead_elsewhere_is_not_taken(target: str) -> None:
    assert next_or(target, "/account") == "/account"


@pytest.mark.parametrize(
    "target", ["/", "/account", "/t/shop/account", "/api/oauth?app_id=1&state=a%2Fb", "/a?to=https://app.example/x"]
)
def test_addresses_of_this_origin_are_taken(target: str) -> None:
    assert next_or(target, "/account") == target


@given(st.text(alphabet="/\\.:@?#\t\n ahtps%5c", max_size=30))
def test_whatever_is_taken_stays_on_the_origin(target: str) -> None:
    if is_local(target):
        assert urlsplit(urljoin("https://id.example/sign-in", target)).netloc == "id.example"


def test_addresses_of_ours_keep_the_prefix() -> None:
    assert url(a_call(), "/sign-in") == "/sign-in"
    assert url(a_call(mount="shop"), "/sign-in", next="/a?b=c&d") == "/t/shop/sign-in?next=%2Fa%3Fb%3Dc%26d"


def test_empty_parameters_are_left_out() -> None:
    assert url(a_call(), "/sign-in", next="", done="signed-out") == "/sign-in?done=signed-out"
