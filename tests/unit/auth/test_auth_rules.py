"""Identifiers, settings and profile rules of auth-service."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service import identifiers, limits
from auth_service.model import NewProfile
from auth_service.profiles import check_new
from auth_service.settings import AuthSettings
from runtime.errors import GatepostError, Reason
from runtime.settings import load
from user_service import rules

SERVICE_KEY = "k" * 32
MASTER_KEY = "m" * 32
REQUIRED = {
    "GATEPOST_SERVICE_KEYS": SERVICE_KEY,
    "GATEPOST_MASTER_KEY": MASTER_KEY,
    "GATEPOST_AUTH_POSTGRES_DSN": "postgresql://u:p@127.0.0.1/auth",
    "GATEPOST_VALKEY_URL": "redis://127.0.0.1",
}


@pytest.mark.parametrize(
    ("typed", "shown", "compared"),
    [
        ("Ada@Example.ORG", "Ada@example.org", "ada@example.org"),
        ("ada+x@example.org", "ada+x@example.org", "ada+x@example.org"),
        ("a\u0308@example.org", "ä@example.org", "ä@example.org"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example", "ada@bücher.example"),
    ],
)
def test_an_address_is_shown_as_given_and_compared_without_case(typed: str, shown: str, compared: str) -> None:
    assert identifiers.email(typed) == (shown, compared)
    assert identifiers.login(typed) == ("email", compared)


@given(st.text(max_size=80) | st.emails())
def test_no_login_is_refused_and_an_address_is_found_however_typed(value: str) -> None:
    kind, normalized = identifiers.login(value)
    assert kind in {"email", "username"}
    try:
        _, compared = identifiers.email(value)
    except GatepostError as error:
        assert error.reason is Reason.INVALID_PARAMETER  # noqa: PT017 any text may also be fine
    else:
        assert (kind, normalized) == ("email", compared)


@pytest.mark.parametrize("name", ["", "four", "x" * 65, "alice_1", "alice1\n", "ålice1", "al ice"])
def test_a_user_name_is_letters_and_digits(name: str) -> None:
    with pytest.raises(GatepostError):
        identifiers.username(name)


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
        ("no address", "no address", True),
    ],
)
def test_a_limit_counts_a_whole_ipv6_network_as_one(first: str, second: str, *, one: bool) -> None:
    assert (limits.of_address(first) == limits.of_address(second)) is one


@given(
    st.builds(
        NewProfile,
        first_name=st.text(max_size=110) | st.text("e\u0301", max_size=210),
        last_name=st.text(st.characters(), max_size=10),
        phone=st.text("0123456789+() -", max_size=45),
        meta=st.none() | st.text(max_size=30) | st.text("ü{}\n\r\t\u2028", min_size=8000, max_size=8200),
    )
)
def test_a_sign_up_is_refused_for_its_profile_exactly_if_user_service_would_refuse_it(profile: NewProfile) -> None:
    said = {
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "phone": profile.phone,
        "meta": profile.meta,
    }

    def fields(error: GatepostError) -> list[str]:
        return [violation.field for violation in error.violations]

    ours, theirs = [], []
    try:
        check_new(profile)
    except GatepostError as error:
        ours = fields(error)
    try:
        rules.clean(said)
    except GatepostError as error:
        theirs = fields(error)
    assert ours == theirs


def environment(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> None:
    for name, value in (REQUIRED | changes).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def test_the_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, GATEPOST_OTP_SECONDS="61")
    settings = load(AuthSettings)
    assert (settings.otp_seconds, settings.read_master_keys()) == (61, [MASTER_KEY])


def test_no_secret_stands_in_the_text_form_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, GATEPOST_VALKEY_URL="redis://:canary@127.0.0.1")
    shown = repr(load(AuthSettings))
    assert not [secret for secret in (SERVICE_KEY, MASTER_KEY, "canary") if secret in shown]


def test_the_master_key_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{MASTER_KEY}\n", encoding="utf-8")
    environment(monkeypatch, GATEPOST_MASTER_KEY=None, GATEPOST_MASTER_KEY_FILE=str(file))
    assert load(AuthSettings).read_master_keys() == [MASTER_KEY]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "GATEPOST_MASTER_KEY",
            None,
            "GATEPOST_MASTER_KEY or GATEPOST_MASTER_KEY_FILE must give 32 characters or more",
        ),
        ("GATEPOST_MASTER_KEY", "canary", "GATEPOST_MASTER_KEY or GATEPOST_MASTER_KEY_FILE must give 32"),
        ("GATEPOST_AUTH_POSTGRES_DSN", None, "GATEPOST_AUTH_POSTGRES_DSN is required."),
        (
            "GATEPOST_AUTH_POSTGRES_DSN",
            "mysql://canary@x",
            "GATEPOST_AUTH_POSTGRES_DSN is wrong: must be postgresql://",
        ),
        ("GATEPOST_VALKEY_URL", None, "GATEPOST_VALKEY_URL is required."),
        ("GATEPOST_OTP_SECONDS", "0", "GATEPOST_OTP_SECONDS is wrong: "),
        ("GATEPOST_AUTH_LISTEN", "7001", "GATEPOST_AUTH_LISTEN is wrong: must be host:port"),
        ("GATEPOST_SERVICE_KEYS", "canary", "GATEPOST_SERVICE_KEYS: service keys need 32 characters or more each."),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str | None, sentence: str
) -> None:
    environment(monkeypatch, **{name: value})
    with pytest.raises(SystemExit) as caught:
        load(AuthSettings)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert re.search(f"^{re.escape(sentence)}", said, re.MULTILINE)
    assert "canary" not in said
