"""Every way in which iHopr says no, row by row of its contract, against the running stack."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import CHALLENGE, PASSWORD, VERIFIER, App, Ihopr, app_maker, new_email, wrong

CLIENT = (401, "Client authentication failed.")
CREDENTIALS = (401, "These credentials do not match our records.")
CHALLENGE_FAILED = (400, "The code is invalid or has expired.")
CODE_INVALID = (400, "The authorization code is invalid or has expired.")
UNAUTHENTICATED = (401, "Unauthenticated.")
FORBIDDEN = (403, "This action is unauthorized.")
CHALLENGES = {
    "otp": ("otp-code", "otp_token", "otp_code"),
    "two-step": ("two-step-auth-code", "two_step_auth_token", "two_step_auth_code"),
}
NEW_PASSWORD = "another-lantern-43"


@pytest.fixture(scope="session")
def hasty_ihopr(hasty: GatepostStack, session: ClientSession) -> Ihopr:
    return Ihopr(session, hasty.url)


@pytest.fixture(scope="session")
def hasty_app(hasty: GatepostStack) -> App:
    return app_maker(hasty)("none")


@pytest.fixture(scope="session")
def hasty_otp_app(hasty: GatepostStack) -> App:
    return app_maker(hasty)("otp")


# Body not JSON, or not an object


@pytest.mark.parametrize("body", [b"[object Object]", b"[]", b"{", b"true", b'{"email":"a","email":"b"}'])
async def test_a_body_that_is_no_json_object(session: ClientSession, stack: GatepostStack, body: bytes) -> None:
    async with session.post(f"{stack.url}/api/v1/login", data=body) as answer:
        assert (answer.status, await answer.json()) == (
            400,
            {"status": "error", "message": "The request body must be a JSON object."},
        )


# Missing or malformed field


async def test_missing_fields_are_told_all_at_once(ihopr: Ihopr) -> None:
    answer = await ihopr.post("signup", {})
    assert answer.fields == {
        name: [f"The {name} field is required."]
        for name in ("client_id", "email", "first_name", "last_name", "mobile_number")
    }


async def test_a_missing_password_is_told_where_the_project_wants_one(ihopr: Ihopr, app: App) -> None:
    answer = await ihopr.post("login", app.credentials | {"email": new_email()})
    assert answer.fields == {"password": ["The password field is required."]}


async def test_a_missing_secret_is_told_where_the_app_has_one(ihopr: Ihopr, app: App) -> None:
    body = {"client_id": app.client_id, "email": new_email(), "password": PASSWORD}
    assert (await ihopr.post("login", body)).fields == {"client_secret": ["The client_secret field is required."]}


@pytest.mark.parametrize(
    ("member", "value", "sentence"),
    [
        ("email", "nobody", "The email must be a valid email address."),
        ("email", ["a@example.com"], "The email must be a valid email address."),
        ("password", 12345678, "The password must be a string."),
        ("mobile_number", {"n": 1}, "The mobile_number must be a string or an integer."),
        ("mobile_number", True, "The mobile_number must be a string or an integer."),
        ("meta", {"address": "NJ"}, "The meta must be a string."),
        ("first_name", "a\0", "The first_name contains characters that are not allowed."),
    ],
)
async def test_a_malformed_field(ihopr: Ihopr, app: App, member: str, value: object, sentence: str) -> None:
    body = {"email": new_email(), "password": PASSWORD, "first_name": "A", "last_name": "B", "mobile_number": "1"}
    assert (await ihopr.post("signup", app.credentials | body | {member: value})).fields == {member: [sentence]}


async def test_a_code_that_is_no_integer(ihopr: Ihopr) -> None:
    answer = await ihopr.post("otp-code", {"otp_code": "12 34", "otp_token": "x"})
    assert answer.fields == {"otp_code": ["The otp_code must be an integer."]}


async def test_fields_are_looked_at_before_the_client(ihopr: Ihopr) -> None:
    answer = await ihopr.post("login", {"client_id": "1", "client_secret": "x", "email": ""})
    assert answer.fields == {"email": ["The email field is required."]}


async def test_a_role_update_without_a_role(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    answer = await ihopr.call("PUT", "user/update/role", {}, tokens["access_token"])
    assert answer.fields == {"role": ["The role field is required."]}


# Unknown client, wrong secret, disabled project


@pytest.mark.parametrize("path", ["login", "signup", "send-reset-password-code", "api-tauth-token", "refresh-token"])
@pytest.mark.parametrize("change", [{"client_id": "999999999"}, {"client_secret": "0" * 32}, {"client_id": "ä"}])
async def test_an_unknown_client_or_a_wrong_secret(ihopr: Ihopr, app: App, path: str, change: dict[str, str]) -> None:
    body = app.credentials | change | complete()
    assert (await ihopr.post(path, body)).error == CLIENT


async def test_a_client_of_a_disabled_project(ihopr: Ihopr, stack: GatepostStack, make_app: Callable[..., App]) -> None:
    closed = make_app("none")
    stack.cli("project", "update", closed.project, "--disable")
    assert (await ihopr.post("login", closed.credentials | complete())).error == CLIENT


def complete() -> dict[str, Any]:
    """Return every field that any of the endpoints with a client asks for."""
    return {
        "email": new_email(),
        "password": PASSWORD,
        "first_name": "A",
        "last_name": "B",
        "mobile_number": 1,
        "code": "0" * 32,
        "refresh_token": "x",
    }


# Wrong e-mail or password


async def test_an_unknown_address_and_a_wrong_password_read_alike(ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    known = await ihopr.post("login", app.credentials | {"email": person.email, "password": "not the password"})
    unknown = await ihopr.post("login", app.credentials | {"email": new_email(), "password": PASSWORD})
    assert known.error == unknown.error == CREDENTIALS
    assert known.body == unknown.body


async def test_the_address_of_another_project_is_unknown(ihopr: Ihopr, app: App, make_app: Callable[..., App]) -> None:
    person, _ = await ihopr.signed_in(app)
    body = make_app("none").credentials | {"email": person.email, "password": person.password}
    assert (await ihopr.post("login", body)).error == CREDENTIALS


async def test_a_disabled_account_reads_like_a_wrong_password(ihopr: Ihopr, app: App, stack: GatepostStack) -> None:
    person, tokens = await ihopr.signed_in(app)
    stack.cli("user", "disable", person.email, "--project", app.project)
    body = app.credentials | {"email": person.email, "password": person.password}
    assert (await ihopr.post("login", body)).error == CREDENTIALS
    assert (await ihopr.call("GET", "user", token=tokens["access_token"])).error == UNAUTHENTICATED


# Account locked, too many tries


async def test_too_many_wrong_passwords(ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    body = app.credentials | {"email": person.email, "password": "not the password"}
    answers = [await ihopr.post("login", body) for _ in range(11)]
    assert answers[-1].error == (429, "Too Many Attempts.")
    assert int(answers[-1].headers["Retry-After"]) >= 1


# Account not validated


async def test_an_account_that_is_not_validated_is_told_only_to_who_has_the_password(
    ihopr: Ihopr, app: App, stack: GatepostStack
) -> None:
    email = new_email()
    stack.cli("user", "create", email, "--project", app.project, "--password", PASSWORD, "--unverified")
    right = await ihopr.post("login", app.credentials | {"email": email, "password": PASSWORD})
    assert right.error == (403, "Your account is not verified.")
    other = await ihopr.post("login", app.credentials | {"email": email, "password": "not the password"})
    assert other.error == CREDENTIALS


async def test_a_sign_up_that_was_not_answered_is_not_validated(ihopr: Ihopr, make_app: Callable[..., App]) -> None:
    app = make_app("two-step")
    said = app.credentials | complete()
    assert (await ihopr.post("signup", said)).status == 200
    right = await ihopr.post("login", app.credentials | {"email": said["email"], "password": said["password"]})
    assert right.error == (403, "Your account is not verified.")
    other = await ihopr.post("login", app.credentials | {"email": said["email"], "password": "not the password"})
    assert other.error == CREDENTIALS


# E-mail taken, weak password, unknown role


async def test_an_address_in_use(ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    body = app.credentials | complete() | {"email": person.email.upper()}
    assert (await ihopr.post("signup", body)).fields == {"email": ["The email has already been taken."]}


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_an_address_in_use_is_not_told_where_a_mail_can_tell_it(
    ihopr: Ihopr, otp_app: App, two_step_app: App, policy: str
) -> None:
    chosen = {"otp": otp_app, "two-step": two_step_app}[policy]
    person, first = await ihopr.signup(chosen)
    path, handle, member = CHALLENGES[policy]
    code = await ihopr.mailed_code(person.email)
    await ihopr.success("POST", path, {handle: first[handle], member: code})
    _, second = await ihopr.signup(chosen, person.email)
    assert {**first, handle: ""} == {**second, handle: ""}


@pytest.mark.parametrize("password", ["short", "password", "x" * 257])
async def test_a_weak_password(ihopr: Ihopr, app: App, password: str) -> None:
    answer = await ihopr.post("signup", app.credentials | complete() | {"password": password})
    assert list(answer.fields) == ["password"]


async def test_an_unknown_role(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    for path in ("user/update", "user/update/role"):
        answer = await ihopr.call("PUT", path, {"role": "emperor"}, tokens["access_token"])
        assert answer.fields == {"role": ["The selected role is invalid."]}


# Challenges: token unknown, expired, used, of the wrong kind; code wrong; tries spent


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_an_unknown_challenge(ihopr: Ihopr, policy: str) -> None:
    path, handle, member = CHALLENGES[policy]
    for value in ("0" * 70, "x", "ä", uuid4().hex):
        assert (await ihopr.post(path, {handle: value, member: 123456})).error == CHALLENGE_FAILED


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_a_wrong_code_then_the_right_one_then_again(
    ihopr: Ihopr, otp_app: App, two_step_app: App, policy: str
) -> None:
    chosen = {"otp": otp_app, "two-step": two_step_app}[policy]
    path, handle, member = CHALLENGES[policy]
    person, answer = await ihopr.signup(chosen)
    code = await ihopr.mailed_code(person.email)
    for attempt in (wrong(code), "0", 0, code[:-1], code + "0"):
        if attempt == 0:
            break
        assert (await ihopr.post(path, {handle: answer[handle], member: attempt})).error == CHALLENGE_FAILED
    await ihopr.success("POST", path, {handle: answer[handle], member: code})
    assert (await ihopr.post(path, {handle: answer[handle], member: code})).error == CHALLENGE_FAILED


async def test_the_fifth_wrong_code_ends_the_challenge(ihopr: Ihopr, otp_app: App) -> None:
    person, answer = await ihopr.signup(otp_app)
    code = await ihopr.mailed_code(person.email)
    for _ in range(5):
        body = {"otp_token": answer["otp_token"], "otp_code": wrong(code)}
        assert (await ihopr.post("otp-code", body)).error == CHALLENGE_FAILED
    right = {"otp_token": answer["otp_token"], "otp_code": code}
    assert (await ihopr.post("otp-code", right)).error == CHALLENGE_FAILED


async def test_a_challenge_of_another_kind(ihopr: Ihopr, otp_app: App, app: App) -> None:
    person, answer = await ihopr.signup(otp_app)
    code = await ihopr.mailed_code(person.email)
    body = {"two_step_auth_token": answer["otp_token"], "two_step_auth_code": code}
    assert (await ihopr.post("two-step-auth-code", body)).error == CHALLENGE_FAILED
    body = {"reset_password_token": answer["otp_token"], "reset_password_code": code, "password": NEW_PASSWORD}
    assert (await ihopr.post("reset-password", body)).error == CHALLENGE_FAILED
    other, _ = await ihopr.signed_in(app)
    started = await ihopr.success("POST", "send-reset-password-code", app.credentials | {"email": other.email})
    code = await ihopr.mailed_code(other.email, "reset")
    body = {"otp_token": started["reset_password_token"], "otp_code": code}
    assert (await ihopr.post("otp-code", body)).error == CHALLENGE_FAILED


async def test_a_reset_with_a_wrong_code_and_a_used_one(ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    started = await ihopr.success("POST", "send-reset-password-code", app.credentials | {"email": person.email})
    code = await ihopr.mailed_code(person.email, "reset")
    body = {"reset_password_token": started["reset_password_token"], "password": NEW_PASSWORD}
    assert (await ihopr.post("reset-password", body | {"reset_password_code": wrong(code)})).error == CHALLENGE_FAILED
    await ihopr.success("POST", "reset-password", body | {"reset_password_code": code})
    assert (await ihopr.post("reset-password", body | {"reset_password_code": code})).error == CHALLENGE_FAILED


async def test_an_unknown_address_gets_a_reset_token_that_nothing_answers(ihopr: Ihopr, app: App) -> None:
    known, _ = await ihopr.signed_in(app)
    answers = [
        await ihopr.success("POST", "send-reset-password-code", app.credentials | {"email": email})
        for email in (known.email, new_email())
    ]
    assert len({len(answer["reset_password_token"]) for answer in answers}) == 1
    body = {"reset_password_token": answers[1]["reset_password_token"], "reset_password_code": 123456}
    assert (await ihopr.post("reset-password", body | {"password": NEW_PASSWORD})).error == CHALLENGE_FAILED


async def test_an_expired_challenge(hasty_ihopr: Ihopr, hasty_otp_app: App) -> None:
    person, answer = await hasty_ihopr.signup(hasty_otp_app)
    code = await hasty_ihopr.mailed_code(person.email)
    await asyncio.sleep(1.5)
    body = {"otp_token": answer["otp_token"], "otp_code": code}
    assert (await hasty_ihopr.post("otp-code", body)).error == CHALLENGE_FAILED


# Authorization codes


async def test_a_code_is_good_once_and_its_reuse_ends_what_it_gave(ihopr: Ihopr, app: App) -> None:
    _, signed_up = await ihopr.signup(app)
    tokens = await ihopr.exchange(app, signed_up["code"])
    again = await ihopr.post("api-tauth-token", app.credentials | {"code": signed_up["code"]})
    assert again.error == CODE_INVALID
    assert (await ihopr.call("GET", "user", token=tokens["access_token"])).error == UNAUTHENTICATED


@pytest.mark.parametrize("code", ["0" * 32, "x", "ä", "0" * 5000])
async def test_an_unknown_code(ihopr: Ihopr, app: App, code: str) -> None:
    assert (await ihopr.post("api-tauth-token", app.credentials | {"code": code})).error == CODE_INVALID


async def test_a_code_of_another_client(ihopr: Ihopr, app: App, two_step_app: App) -> None:
    _, signed_up = await ihopr.signup(app)
    body = two_step_app.credentials | {"code": signed_up["code"]}
    assert (await ihopr.post("api-tauth-token", body)).error == CODE_INVALID


async def test_an_expired_code(hasty_ihopr: Ihopr, hasty_app: App) -> None:
    _, signed_up = await hasty_ihopr.signup(hasty_app)
    await asyncio.sleep(1.5)
    body = hasty_app.credentials | {"code": signed_up["code"]}
    assert (await hasty_ihopr.post("api-tauth-token", body)).error == CODE_INVALID


@pytest.mark.parametrize("verifier", [{}, {"code_verifier": "w" * 43}, {"code_verifier": "est"}])
async def test_a_verifier_that_is_missing_or_wrong_spends_the_code(
    ihopr: Ihopr, app: App, verifier: dict[str, str]
) -> None:
    _, signed_up = await ihopr.signup(app, code_challenge=CHALLENGE)
    body = app.credentials | {"code": signed_up["code"]}
    assert (await ihopr.post("api-tauth-token", body | verifier)).error == CODE_INVALID
    assert (await ihopr.post("api-tauth-token", body | {"code_verifier": VERIFIER})).error == CODE_INVALID


async def test_a_verifier_without_a_challenge(ihopr: Ihopr, app: App) -> None:
    _, signed_up = await ihopr.signup(app)
    body = app.credentials | {"code": signed_up["code"], "code_verifier": VERIFIER}
    assert (await ihopr.post("api-tauth-token", body)).error == CODE_INVALID


# Public clients and PKCE


async def test_a_public_client_without_a_challenge(ihopr: Ihopr, public_app: App) -> None:
    body = {"client_id": public_app.client_id} | complete()
    for path in ("login", "signup"):
        assert list((await ihopr.post(path, body)).fields) == ["code_challenge"]


@pytest.mark.parametrize("challenge", ["numquam", "delectus", "x" * 42, "x" * 44, "=" * 43])
async def test_a_challenge_that_cannot_be_one(ihopr: Ihopr, app: App, challenge: str) -> None:
    body = app.credentials | complete() | {"code_challenge": challenge}
    assert list((await ihopr.post("login", body)).fields) == ["code_challenge"]


# Bearer missing, unknown, expired, revoked


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "user"), ("PUT", "user/update"), ("PUT", "user/update/role"), ("POST", "logout")]
)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": f"bearer {'0' * 77}"}])
async def test_a_missing_or_unknown_token(ihopr: Ihopr, method: str, path: str, header: dict[str, str]) -> None:
    body = None if method == "GET" else {"role": "user"}
    answer = await ihopr.call(method, path, body, **header)
    assert answer.error == UNAUTHENTICATED
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_token(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    await ihopr.success("POST", "logout", None, tokens["access_token"])
    assert (await ihopr.call("GET", "user", token=tokens["access_token"])).error == UNAUTHENTICATED
    body = app.credentials | {"refresh_token": tokens["refresh_token"]}
    assert (await ihopr.post("refresh-token", body)).error == UNAUTHENTICATED


async def test_an_expired_token(hasty_ihopr: Ihopr, hasty_app: App) -> None:
    _, tokens = await hasty_ihopr.signed_in(hasty_app)
    await asyncio.sleep(2.5)
    answer = await hasty_ihopr.call("GET", "user", token=tokens["access_token"])
    assert answer.error == UNAUTHENTICATED


async def test_an_expired_refresh_token(hasty_ihopr: Ihopr, hasty_app: App) -> None:
    _, tokens = await hasty_ihopr.signed_in(hasty_app)
    await asyncio.sleep(2.5)
    body = hasty_app.credentials | {"refresh_token": tokens["refresh_token"]}
    assert (await hasty_ihopr.post("refresh-token", body)).error == UNAUTHENTICATED


async def test_a_token_of_another_kind(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    assert (await ihopr.call("GET", "user", token=tokens["refresh_token"])).error == UNAUTHENTICATED
    body = app.credentials | {"refresh_token": tokens["access_token"]}
    assert (await ihopr.post("refresh-token", body)).error == UNAUTHENTICATED


# Role not self-assignable


async def test_a_role_that_users_may_not_take_fails_the_whole_request(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    token = tokens["access_token"]
    body = {"role": "Admin", "first_name": "Eve", "password": NEW_PASSWORD}
    assert (await ihopr.call("PUT", "user/update", body, token)).error == FORBIDDEN
    assert (await ihopr.call("PUT", "user/update/role", {"role": "ADMIN"}, token)).error == FORBIDDEN
    user = (await ihopr.success("GET", "user", token=token))["user"]
    assert (user["role"], user["first_name"]) == ("user", "Ann")


# Password change needs a fresh login


async def test_a_password_change_long_after_the_login_wants_the_present_password(
    hasty: GatepostStack, session: ClientSession, hasty_ihopr: Ihopr, hasty_app: App
) -> None:
    person, tokens = await hasty_ihopr.signed_in(hasty_app)
    await asyncio.sleep(0.1)
    body = {"password": NEW_PASSWORD}
    answer = await hasty_ihopr.call("PUT", "user/update", body, tokens["access_token"])
    if answer.status == 401:  # slower than the second that the token lives
        tokens = await hasty_ihopr.signed_in_again(hasty_app, person)
        answer = await hasty_ihopr.call("PUT", "user/update", body, tokens["access_token"])
    assert list(answer.fields) == ["current_password"]
    answer = await hasty_ihopr.call("PUT", "user/update", body | {"current_password": "x"}, tokens["access_token"])
    assert answer.status in {401, 422}
    tokens = await hasty_ihopr.signed_in_again(hasty_app, person)
    right = body | {"current_password": person.password}
    await hasty_ihopr.success("PUT", "user/update", right, tokens["access_token"])


# Unknown paths and methods


async def test_an_unknown_path(ihopr: Ihopr) -> None:
    assert (await ihopr.call("GET", "users")).error == (404, "Not Found")


async def test_a_wrong_method(ihopr: Ihopr) -> None:
    answer = await ihopr.call("GET", "login")
    assert answer.error == (405, "Method Not Allowed")
    assert answer.headers["Allow"] == "POST"
