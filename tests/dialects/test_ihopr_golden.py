"""The published samples of iHopr: every sample request is taken, every sample answer's members and types come back."""

import json
from pathlib import Path
from typing import Any

import pytest
from dialects.ihopr_client import CHALLENGE, PASSWORD, VERIFIER, App, Ihopr, new_email

GOLDEN = Path(__file__).parent / "golden" / "ihopr"
ADDITIVE = {"expires_in"}  # ours, beside what was published
MAY_BE_TEXT_OR_NULL = {"meta"}
NEW_PASSWORD = "another-lantern-43"


def sample(name: str) -> tuple[dict[str, Any], list[Any]]:
    document = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return document["request"], document["answers"]


def filled(name: str, **real: Any) -> dict[str, Any]:
    """Return a sample's body with its placeholders, and values that cannot be right, replaced."""
    body: dict[str, Any] = sample(name)[0]["body"]
    assert set(real) <= set(body), "a sample has no such member"
    return body | real


async def send(ihopr: Ihopr, name: str, body: Any = None, token: str = "") -> Any:
    request = sample(name)[0]
    assert request["bearer"] == bool(token)
    path = request["path"].removeprefix("/api/v1/")
    return await ihopr.success(request["method"], path, body, token)


def shape(value: Any, name: str = "") -> Any:
    if name in MAY_BE_TEXT_OR_NULL:
        assert value is None or isinstance(value, str)
        return "text or null"
    if isinstance(value, dict):
        return {key: shape(each, key) for key, each in value.items() if key not in ADDITIVE}
    return type(value).__name__


def answer_for(name: str, project_type: str) -> Any:
    return next(each for each in sample(name)[1] if each["project_type"] == project_type)


def policies(app: App, otp_app: App, two_step_app: App) -> dict[str, App]:
    return {"none": app, "otp": otp_app, "two-step": two_step_app}


@pytest.mark.parametrize("project_type", ["none", "otp", "two-step"])
async def test_login_and_signup_answer_as_published(
    ihopr: Ihopr, app: App, otp_app: App, two_step_app: App, project_type: str
) -> None:
    chosen = policies(app, otp_app, two_step_app)[project_type]
    real = chosen.credentials | {"email": new_email(), "password": PASSWORD, "code_challenge": CHALLENGE}
    signed_up = await send(ihopr, "signup", filled("signup", **real))
    assert_next_step(signed_up, answer_for("signup", project_type))
    if project_type != "none":  # an account is pending until its mailed code is answered
        handle = next(key for key in signed_up if key.endswith("_token"))
        code = await ihopr.mailed_code(real["email"])
        name = {"otp": "otp-code", "two-step": "two-step-auth-code"}[project_type]
        answer = await send(ihopr, name, filled(name, **{handle: signed_up[handle], _code_member(name): int(code)}))
        assert shape(answer) == shape(sample(name)[1][0])
    logged_in = await send(ihopr, "login", filled("login", **real))
    assert_next_step(logged_in, answer_for("login", project_type))


def assert_next_step(answer: Any, expected: Any) -> None:
    assert shape(answer) == shape(expected)
    assert (answer["message"], answer["project_type"]) == (expected["message"], expected["project_type"])


def _code_member(name: str) -> str:
    return next(str(member) for member in sample(name)[0]["body"] if member.endswith("_code"))


async def test_a_password_is_reset_as_published(ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    body = filled("send-reset-password-code", **app.credentials, email=person.email)
    started = await send(ihopr, "send-reset-password-code", body)
    expected = sample("send-reset-password-code")[1][0]
    assert shape(started) == shape(expected)
    assert started["message"] == expected["message"]
    code = await ihopr.mailed_code(person.email, "reset")
    done = await send(
        ihopr,
        "reset-password",
        filled(
            "reset-password",
            reset_password_code=int(code),
            reset_password_token=started["reset_password_token"],
            password=NEW_PASSWORD,
        ),
    )
    assert done == sample("reset-password")[1][0]


async def test_a_code_is_exchanged_as_published(ihopr: Ihopr, app: App) -> None:
    _, signed_up = await ihopr.signup(app, code_challenge=CHALLENGE, meta='{"address":"NJ"}')
    body = filled("api-tauth-token", **app.credentials, code=signed_up["code"], code_verifier=VERIFIER)
    answer = await send(ihopr, "api-tauth-token", body)
    assert shape(answer) == shape(sample("api-tauth-token")[1][0])
    assert answer["user"]["provider"] == ""
    assert answer["user"]["meta"] == '{"address":"NJ"}'


async def test_the_user_is_told_as_published(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    answer = await send(ihopr, "user", token=tokens["access_token"])
    assert shape(answer) == shape(sample("user")[1][0])


async def test_the_user_is_updated_as_published(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    body = filled("user-update", password=NEW_PASSWORD, role="editor")
    answer = await send(ihopr, "user-update", body, tokens["access_token"])
    published = sample("user-update")[1][0]
    assert shape(answer["user"]) == shape(published["user"])
    # The sample leaves out the phone although it changed; the contract is every changed field.
    assert shape(answer["updated"]) == shape(published["updated"]) | {"mobile_number": "str"}


async def test_the_role_is_updated_as_published(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    answer = await send(ihopr, "user-update-role", {"role": "EDITOR"}, tokens["access_token"])
    assert shape(answer) == shape(sample("user-update-role")[1][0])
    assert answer["user"]["role"] == answer["updated"]["role"] == "Editor"


def test_every_sample_is_replayed() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in GOLDEN.glob("*.json") if f'"{path.stem}"' not in text] == []
