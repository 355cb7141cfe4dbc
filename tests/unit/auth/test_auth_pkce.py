"""Proof keys: what a client may send, and what proves it (dialects, RFC 7636)."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service import pkce
from auth_service.model import App, AppType, Pkce, Project, SignInPolicy
from runtime.errors import GatepostError, Reason, Rule

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def app(*, public: bool = False, app_plain: bool = False, project_plain: bool = False) -> App:
    project = Project(
        uuid4(), "p", SignInPolicy.NONE, ("user",), (), (), (), 8, project_plain, 0, 0, disabled=False, created_at=NOW
    )
    kind = AppType.PUBLIC if public else AppType.CONFIDENTIAL
    return App(uuid4(), project, "1", "App", kind, (), (), (), app_plain, disabled=False, created_at=NOW)


def refused(app: App, challenge: str, method: str) -> tuple[Reason, str, Rule]:
    with pytest.raises(GatepostError) as caught:
        pkce.check(app, challenge, method)
    violation = caught.value.violations[0]
    return caught.value.reason, violation.field, violation.rule


def test_the_example_of_the_rfc_is_proven() -> None:
    assert pkce.proves(pkce.check(app(), CHALLENGE, "S256"), VERIFIER)


@given(st.text(UNRESERVED, min_size=43, max_size=128))
def test_every_verifier_proves_its_own_challenge_and_no_other(verifier: str) -> None:
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    proof = pkce.check(app(), challenge, "")
    assert proof == Pkce(challenge, "S256")
    assert pkce.proves(proof, verifier)
    assert not pkce.proves(proof, VERIFIER) or verifier == VERIFIER
    assert not pkce.proves(proof, challenge)


@given(st.text(max_size=200))
def test_no_text_breaks_the_checks(text: str) -> None:
    pkce.proves(Pkce(CHALLENGE, "S256"), text)
    try:
        pkce.check(app(), text, "")
    except GatepostError as error:
        assert error.reason is Reason.INVALID_PARAMETER  # noqa: PT017 any text may also be fine


def test_a_confidential_app_may_do_without_and_a_public_one_may_not() -> None:
    assert pkce.check(app(), "", "") is None
    assert refused(app(public=True), "", "") == (Reason.MISSING_PARAMETER, "code_challenge", Rule.REQUIRED)


def test_a_method_without_challenge_is_refused() -> None:
    assert refused(app(), "", "S256") == (Reason.MISSING_PARAMETER, "code_challenge", Rule.REQUIRED)


@pytest.mark.parametrize("method", ["s256", "PLAIN", "none", "S512", "S256\n"])
def test_an_unknown_method_is_refused(method: str) -> None:
    assert refused(app(app_plain=True), CHALLENGE, method)[1] == "code_challenge_method"


@pytest.mark.parametrize(
    "challenge",
    ["numquam", "delectus", "est", CHALLENGE[:-1], CHALLENGE + "A", CHALLENGE + "\n", CHALLENGE[:-1] + "~", "ü" * 43],
)
@pytest.mark.parametrize("method", ["", "S256"])
def test_filler_and_malformed_challenges_are_refused(challenge: str, method: str) -> None:
    assert refused(app(), challenge, method) == (Reason.INVALID_PARAMETER, "code_challenge", Rule.INVALID)


@pytest.mark.parametrize(
    ("app_plain", "project_plain", "method", "accepted"),
    [
        (False, False, "plain", None),
        (True, False, "plain", "plain"),
        (False, True, "plain", "plain"),
        (True, True, "plain", "plain"),
        (False, False, "", "S256"),
        (True, False, "", "any"),
        (False, True, "", "S256"),
        (True, True, "S256", "S256"),
    ],
)
def test_plain_is_a_matter_of_app_and_project(
    method: str, accepted: str | None, *, app_plain: bool, project_plain: bool
) -> None:
    client = app(app_plain=app_plain, project_plain=project_plain)
    if accepted is None:
        assert refused(client, CHALLENGE, method)[1] == "code_challenge_method"
    else:
        assert pkce.check(client, CHALLENGE, method) == Pkce(CHALLENGE, accepted)


@pytest.mark.parametrize("challenge", ["numquam", "x" * 42, "x" * 129, VERIFIER + "\n", "a b" * 20])
def test_a_plain_challenge_has_the_form_of_a_verifier(challenge: str) -> None:
    for method in ("plain", ""):
        assert refused(app(app_plain=True), challenge, method)[1] == "code_challenge"


@pytest.mark.parametrize(
    ("method", "by_hash", "by_text"), [("S256", True, False), ("plain", False, True), ("any", True, True)]
)
def test_a_verifier_proves_by_the_method_of_the_challenge(method: str, *, by_hash: bool, by_text: bool) -> None:
    assert pkce.proves(Pkce(CHALLENGE, method), VERIFIER) is by_hash
    assert pkce.proves(Pkce(VERIFIER, method), VERIFIER) is by_text


def test_one_without_the_other_proves_nothing() -> None:
    assert pkce.proves(None, "")
    assert not pkce.proves(None, VERIFIER)
    assert not pkce.proves(Pkce(CHALLENGE, "S256"), "")


@pytest.mark.parametrize("verifier", [VERIFIER + "\n", VERIFIER[:-1], "x" * 129, "ü" * 43])
def test_a_malformed_verifier_proves_nothing(verifier: str) -> None:
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert not pkce.proves(Pkce(challenge, "S256"), verifier)
