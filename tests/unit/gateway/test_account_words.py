"""What account and app pages make of headers, cookies and texts, without a core."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pages.account_step import Step, forgotten, keep, kept
from gateway.pages.apps_form import SCOPES, AppForm, lines, scopes
from gateway.pages.apps_snippets import snippets
from gateway.pages.own_words import SCOPES as SCOPE_WORDS
from runtime.agents import browser, system

AGENTS = [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
     "Chrome", "Windows"),
    (("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36 "
     "Edg/131.0"), "Edge", "Windows"),
    (("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
     "Mobile/15E148 Safari/604.1"), "Safari", "iPhone"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox", "macOS"),
    ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Mobile Safari/537.36",
     "Chrome", "Android"),
    ("okhttp/4.12.0", "okhttp", ""),
    ("Shop App/2.1 (Android 14)", "Shop App", "Android"),
    ("", "", ""),
    ("Mozilla/5.0", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("user_agent", "name", "on"), AGENTS)
def test_a_browser_and_a_system_are_named(user_agent: str, name: str, on: str) -> None:
    assert (browser(user_agent), system(user_agent)) == (name, on)


@given(st.text())
def test_any_header_is_named_somehow(user_agent: str) -> None:
    assert len(browser(user_agent)) <= 40
    assert len(system(user_agent)) <= 40


def call_with(cookie: str) -> Any:
    return SimpleNamespace(cookie=lambda _name: cookie)


@given(st.sampled_from(["email", "phone"]), st.text(min_size=1).filter(str.isprintable), st.text("0123456789abcdef"))
def test_a_step_is_kept_for_its_kind_alone(kind: str, target: str, handle: str) -> None:
    step = Step(kind, target, handle)
    name, _, rest = keep(step, 900).partition("=")
    assert name == "__Host-gatepost-change"
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=900"} <= set(rest.split("; "))
    call = call_with(rest.partition(";")[0])
    assert kept(call, kind) == step
    assert kept(call, "other") is None


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_a_cookie_that_is_not_ours_is_no_step(cookie: str) -> None:
    assert kept(call_with(cookie), "email") is None


def test_a_step_that_is_over_leaves_no_cookie() -> None:
    assert "Max-Age=0" in forgotten()


def test_lines_are_entries_without_blanks_and_repetitions() -> None:
    assert lines(" a \r\n\r\nb\nb\n") == ["a", "b"]


def test_ticked_boxes_are_scopes_and_unknown_ones_stay() -> None:
    form = AppForm(scope_gender="yes", scope_user_email="yes")
    assert scopes(form, ("basic", "gender", "Funplace::user")) == [
        "basic",
        "Funplace::user",
        "gender",
        "VorgID::user::email",
    ]


def test_every_scope_has_a_box_and_words() -> None:
    boxes = {name for name in AppForm.__dataclass_fields__ if name.startswith("scope_")}
    assert set(SCOPES) == boxes
    assert set(SCOPES.values()) <= set(SCOPE_WORDS)


def test_snippets_hold_the_app_and_no_open_placeholder() -> None:
    made = snippets("https://id.example", "123456")
    assert list(made) == ["curl", "PHP", "JavaScript", "Python"]
    for code in made.values():
        assert "123456" in code
        assert "https://id.example/api/authorize" in code
        assert "GATEPOST_APP_SECRET" in code
    compile(made["Python"], "snippet", "exec")
