"""What apps do over iHopr, end to end: sign up, sign in, refresh, change, recover, leave."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, FormData
from conftest import GatepostStack
from dialects.ihopr_client import CHALLENGE, VERIFIER, App, Ihopr, Person, new_email

NEW_PASSWORD = "another-lantern-43"


async def test_sign_up_sign_in_and_read_oneself_without_a_second_step(ihopr: Ihopr, app: App) -> None:
    person, signed_up = await ihopr.signup(app, meta='{"address": "NJ"}')
    assert re.fullmatch("[0-9a-f]{32}", signed_up["code"])
    tokens = await ihopr.exchange(app, (await ihopr.login(app, person))["code"])
    user = (await ihopr.success("GET", "user", token=tokens["access_token"]))["user"]
    assert user == {key: value for key, value in tokens["user"].items() if key != "provider"}
    assert isinstance(user["id"], int)
    assert re.fullmatch("[0-9a-f]{32}", user["user_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", user["created_at"])
    assert (user["first_name"], user["last_name"], user["mobile_number"]) == ("Ann", "Lee", "11223344")
    assert (user["email"], user["meta"], user["role"]) == (person.email, '{"address": "NJ"}', "user")


async def test_tokens_say_when_they_expire_in_utc(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    expires = datetime.strptime(tokens["expires_at"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs(expires - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
    assert tokens["expires_in"] == pytest.approx(86_400, abs=60)
    assert len(tokens["access_token"]) <= 77
    assert len(tokens["refresh_token"]) <= 77


@pytest.mark.parametrize("typed", [int, str])
async def test_sign_in_by_mailed_code(ihopr: Ihopr, otp_app: App, typed: type[Any]) -> None:
    person, answer = await ihopr.signup(otp_app, password=None)
    first = await ihopr.mailed_code(person.email)
    await ihopr.success("POST", "otp-code", {"otp_token": answer["otp_token"], "otp_code": first})
    seen = len(await ihopr.mails(person.email))
    asked = await ihopr.success("POST", "login", otp_app.credentials | {"email": person.email})
    code = await ihopr.mailed_code(person.email, after=seen)
    done = await ihopr.success("POST", "otp-code", {"otp_token": asked["otp_token"], "otp_code": typed(code)})
    tokens = await ihopr.exchange(otp_app, done["code"])
    assert tokens["user"]["email"] == person.email


async def test_sign_in_in_two_steps(ihopr: Ihopr, two_step_app: App) -> None:
    person, answer = await ihopr.signup(two_step_app)
    code = await ihopr.mailed_code(person.email)
    body = {"two_step_auth_token": answer["two_step_auth_token"], "two_step_auth_code": int(code)}
    done = await ihopr.success("POST", "two-step-auth-code", body)
    assert (await ihopr.exchange(two_step_app, done["code"]))["user"]["email"] == person.email


async def test_an_unknown_address_is_asked_for_a_code_like_any_other(ihopr: Ihopr, otp_app: App) -> None:
    person, signed_up = await ihopr.signup(otp_app)
    code = await ihopr.mailed_code(person.email)
    await ihopr.success("POST", "otp-code", {"otp_token": signed_up["otp_token"], "otp_code": code})
    answers = [
        await ihopr.success("POST", "login", otp_app.credentials | {"email": email})
        for email in (person.email, new_email())
    ]
    assert [sorted(answer) for answer in answers] == [sorted(answers[0])] * 2
    assert [len(answer["otp_token"]) for answer in answers] == [70, 70]


async def test_a_public_app_signs_in_with_a_proof_key_and_no_secret(ihopr: Ihopr, public_app: App) -> None:
    public = App(public_app.project, public_app.client_id, "")
    _, signed_up = await ihopr.signup(public, code_challenge=CHALLENGE)
    tokens = await ihopr.exchange(public, signed_up["code"], code_verifier=VERIFIER)
    body = {"client_id": public.client_id, "refresh_token": tokens["refresh_token"]}
    assert (await ihopr.post("refresh-token", body)).status == 200


async def test_client_id_is_taken_as_a_number_too(ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    body = app.credentials | {"client_id": int(app.client_id), "email": person.email, "password": person.password}
    assert (await ihopr.post("login", body)).status == 200


async def test_a_form_is_taken_like_json(session: ClientSession, stack: GatepostStack, ihopr: Ihopr, app: App) -> None:
    person, _ = await ihopr.signed_in(app)
    form = FormData(app.credentials | {"email": person.email, "password": person.password})
    async with session.post(f"{stack.url}/api/v1/login/", data=form) as answer:
        assert (await answer.json())["project_type"] == "none"


async def test_refreshing_rotates_and_a_lost_answer_is_given_again(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    body = app.credentials | {"refresh_token": tokens["refresh_token"]}
    first = await ihopr.success("POST", "refresh-token", body)
    again = await ihopr.success("POST", "refresh-token", body)
    assert first["refresh_token"] == again["refresh_token"] != tokens["refresh_token"]
    assert first["user"] == tokens["user"]
    await ihopr.success("GET", "user", token=first["access_token"])


async def test_a_refresh_token_two_generations_old_ends_the_session(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    generations = [tokens]
    for _ in range(2):
        body = app.credentials | {"refresh_token": generations[-1]["refresh_token"]}
        generations.append(await ihopr.success("POST", "refresh-token", body))
    stolen = await ihopr.post("refresh-token", app.credentials | {"refresh_token": tokens["refresh_token"]})
    assert stolen.error == (401, "Unauthenticated.")
    newest = await ihopr.call("GET", "user", token=generations[-1]["access_token"])
    assert newest.error == (401, "Unauthenticated.")


async def test_an_update_tells_what_changed_and_nothing_else(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    body = {"first_name": "Bea", "last_name": "Lee", "mobile_number": "(123) 456-78", "role": "editor"}
    answer = await ihopr.success("PUT", "user/update", body, tokens["access_token"])
    updated_at = answer["updated"].pop("updated_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", updated_at)
    assert answer["updated"] == {"first_name": "Bea", "mobile_number": "(123) 456-78", "role": "Editor"}
    assert answer["user"] == (await ihopr.success("GET", "user", token=tokens["access_token"]))["user"]


async def test_an_update_to_the_same_values_changes_nothing(ihopr: Ihopr, app: App) -> None:
    _, tokens = await ihopr.signed_in(app)
    answer = await ihopr.success("PUT", "user/update/role", {"role": "USER"}, tokens["access_token"])
    assert list(answer["updated"]) == ["updated_at"]


async def test_a_fresh_login_may_change_the_password_and_ends_the_other_sessions(ihopr: Ihopr, app: App) -> None:
    person, elsewhere = await ihopr.signed_in(app)
    here = await ihopr.signed_in_again(app, person)
    answer = await ihopr.success("PUT", "user/update", {"password": NEW_PASSWORD}, here["access_token"])
    assert list(answer["updated"]) == ["updated_at"]
    assert NEW_PASSWORD not in str(answer)
    assert (await ihopr.call("GET", "user", token=elsewhere["access_token"])).status == 401
    assert (await ihopr.call("GET", "user", token=here["access_token"])).status == 200
    old = await ihopr.post("login", app.credentials | {"email": person.email, "password": person.password})
    assert old.status == 401
    await ihopr.login(app, Person(person.email, NEW_PASSWORD))


async def test_a_reset_sets_the_password_and_ends_every_session(ihopr: Ihopr, app: App) -> None:
    person, tokens = await ihopr.signed_in(app)
    started = await ihopr.success("POST", "send-reset-password-code", app.credentials | {"email": person.email})
    body = {
        "reset_password_token": started["reset_password_token"],
        "reset_password_code": int(await ihopr.mailed_code(person.email, "reset")),
        "password": NEW_PASSWORD,
    }
    assert await ihopr.success("POST", "reset-password", body) == {"status": "success"}
    assert (await ihopr.call("GET", "user", token=tokens["access_token"])).status == 401
    await ihopr.login(app, Person(person.email, NEW_PASSWORD))


async def test_a_code_is_exchanged_once_however_many_try_at_once(ihopr: Ihopr, app: App) -> None:
    _, signed_up = await ihopr.signup(app)
    body = app.credentials | {"code": signed_up["code"]}
    answers = await asyncio.gather(*(ihopr.post("api-tauth-token", body) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200, *[400] * 19]


async def test_a_page_of_a_listed_origin_may_read_answers(
    session: ClientSession, stack: GatepostStack, public_app: App
) -> None:
    origin = "https://app.example"
    url = f"{stack.url}/api/v1/login"
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with session.options(url, headers=preflight) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, origin)
        assert answer.headers["Access-Control-Allow-Methods"] == "POST"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    async with session.post(url, json={}, headers={"Origin": origin}) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (422, origin)
    async with session.post(url, json={}, headers={"Origin": "https://evil.example"}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
