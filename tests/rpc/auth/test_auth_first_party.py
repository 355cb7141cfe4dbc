"""The gateway's own door: people sign up and in for a project without an app, and recover by mail."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from rpc.auth.deployment import PASSWORD, POLICIES, Deployment, address, wrong
from rpc.auth.visitor import FORMS, PAIR, SESSION_KEY, SHORT_PAIR, SINGLE, WEB, Door, door

from gatepost.auth.v1 import apps_pb2, projects_pb2, sign_in_pb2, tokens_pb2
from runtime.context import CallContext, bound
from runtime.errors import Reason

Refused = Callable[..., Any]
NEW_PASSWORD = "another password altogether"
SHAPES = {SINGLE: "[0-9a-f]{64}", SESSION_KEY: "[0-9a-f]{40}", WEB: "[0-9a-f]{64}"}
own_forms = pytest.mark.parametrize("form", list(SHAPES), ids=["single", "session key", "web"])


@own_forms
async def test_signing_up_opens_a_session_of_the_form(deployment: Deployment, form: Any) -> None:
    here = (await door(deployment)).of(form)
    email = address()
    session = (await here.sign_up(email)).session
    assert re.fullmatch(SHAPES[form], session.token)
    who = await here.authenticate(session.token)
    assert (who.account.email, who.account.project, who.account.has_password) == (email, here.project, True)
    assert (who.session.form, who.session.client_id, who.session.app_name) == (form, "", "")
    assert who.account.user_id == session.account.user_id


@own_forms
async def test_signing_in_opens_a_session_of_the_form(deployment: Deployment, form: Any) -> None:
    here = (await door(deployment)).of(form)
    email = address()
    first = (await here.sign_up(email)).session
    second = (await here.sign_in(email)).session
    assert second.token != first.token
    assert (await here.authenticate(second.token)).account.email == email


@pytest.mark.parametrize("form", [PAIR, SHORT_PAIR], ids=["pair", "short pair"])
async def test_a_form_that_only_apps_can_have_is_refused(deployment: Deployment, refused: Refused, form: Any) -> None:
    here = (await door(deployment)).of(form)
    await refused(here.sign_up(address()), Reason.INVALID_PARAMETER)
    await refused(here.sign_in(address()), Reason.INVALID_PARAMETER)


async def test_a_sign_up_sent_again_makes_one_account(deployment: Deployment) -> None:
    here = await door(deployment)
    said = {"email": address(), "user_id": str(uuid4())}
    first, second = (await here.sign_up(**said)).session, (await here.sign_up(**said)).session
    assert first.account.user_id == second.account.user_id == said["user_id"]


async def test_a_sign_up_that_needs_no_proof_mails_a_link_that_gives_it(deployment: Deployment) -> None:
    here = await door(deployment)
    email = address()
    session = (await here.sign_up(email)).session
    mail = await deployment.mail(email, "confirm_email")
    assert re.fullmatch(r"http://127.0.0.1:8080/confirm-email\?token=[0-9a-f]{64}", mail.link)
    assert not session.account.email_verified


async def test_an_address_in_use_is_refused_where_the_wire_demands_it(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    email = address()
    await here.sign_up(email)
    await refused(here.sign_up(email.upper()), Reason.EMAIL_TAKEN)


async def test_one_signs_in_by_the_user_name_given_at_sign_up(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    name = f"Ada{uuid4().hex[:8]}"
    session = (await here.sign_up(address(), username=name)).session
    assert session.account.username == name
    assert (await here.sign_in(name.lower())).session.account.user_id == session.account.user_id
    await refused(here.sign_up(address(), username=name.upper()), Reason.USERNAME_TAKEN)


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_a_user_name_lost_while_the_address_was_proven_does_not_keep_its_owner_out(
    deployment: Deployment, policy: str
) -> None:
    here = await door(deployment, policy)
    name = f"Ada{uuid4().hex[:8]}"
    first, second = address(), address()
    results = [await here.sign_up(email, username=name) for email in (first, second)]
    sessions = [
        await here.answer(result, await mailed_code(deployment, email))
        for result, email in zip(results, (first, second), strict=True)
    ]
    assert [session.account.username for session in sessions] == [name, ""]


async def mailed_code(deployment: Deployment, email: str, template: str = "sign_up_code") -> str:
    return str((await deployment.mail(email, template)).code)


@pytest.mark.parametrize(("policy", "template"), [("otp", "sign_in_code"), ("two-step", "two_step_code")])
async def test_a_code_sent_by_mail_opens_a_session_and_no_code_for_an_app(
    deployment: Deployment, refused: Refused, policy: str, template: str
) -> None:
    here = await door(deployment, policy)
    email = address()
    up = await here.sign_up(email)
    made = await here.answer(up, await mailed_code(deployment, email))
    assert made.account.email_verified
    step = await here.sign_in(email, "" if policy == "otp" else PASSWORD)
    assert (step.code, step.session.token) == ("", "")
    code = await mailed_code(deployment, email, template)
    await refused(here.answer(step, wrong(code)), Reason.CHALLENGE_FAILED)
    session = await here.answer(step, code)
    assert (await here.authenticate(session.token)).account.user_id == made.account.user_id
    await refused(here.answer(step, code), Reason.CHALLENGE_FAILED)


async def test_who_knows_the_password_and_not_the_code_is_told_of_to_its_owner(
    deployment: Deployment, refused: Refused
) -> None:
    here = await door(deployment, "two-step")
    email = address()
    await here.answer(await here.sign_up(email), await mailed_code(deployment, email))
    step = await here.sign_in(email)
    code = await mailed_code(deployment, email, "two_step_code")
    for _ in range(4):
        await refused(here.answer(step, wrong(code)), Reason.CHALLENGE_FAILED)
    again = await here.sign_in(email)  # ends what was guessed at so far
    code = str((await deployment.mail(email, "two_step_code", 2)).code)
    for _ in range(6):
        await refused(here.answer(again, wrong(code)), Reason.CHALLENGE_FAILED)
    await deployment.mail(email, "second_step_failed")
    assert [each.template for each in await deployment.mails(email)].count("second_step_failed") == 1


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_nobody_is_told_of_wrong_codes_without_a_password(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    """Neither whom a code alone lets in, nor whose address somebody signs up with."""
    here = await door(deployment, policy)
    email, newcomer = address(), address()
    await here.answer(await here.sign_up(email), await mailed_code(deployment, email))
    steps = [await here.sign_up(email), await here.sign_up(newcomer)]
    if policy == "otp":
        steps.append(await here.sign_in(email, ""))
    for step in steps:
        for _ in range(5):
            await refused(here.answer(step, "100000"), Reason.CHALLENGE_FAILED)
    await here.start_reset(email)
    await deployment.mail(email, "reset_link")  # what came before has been sent
    for to in (email, newcomer):
        assert "second_step_failed" not in [each.template for each in await deployment.mails(to)]


async def test_a_challenge_is_answered_in_the_dialect_it_was_put_in(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment, "two-step")
    for asked, answered in (("", "ihopr"), ("ihopr", "")):
        email = address()
        with bound(CallContext(dialect=asked)):
            step = await here.sign_up(email)
        code = await mailed_code(deployment, email)
        with bound(CallContext(dialect=answered)):
            await refused(here.answer(step, code), Reason.CHALLENGE_FAILED)
        await refused(here.sign_in(email), Reason.USER_NOT_VALIDATED)  # nothing was made


@pytest.mark.parametrize("policy", ["otp", "two-step"])
async def test_a_caller_of_one_step_is_told_of_the_second_after_the_right_password_only(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    here = await door(deployment, policy)
    email = address()
    await here.answer(await here.sign_up(email), await mailed_code(deployment, email))
    before = len(await deployment.mails(email))
    await refused(here.sign_in(email, single_step=True), Reason.SECOND_FACTOR_REQUIRED)
    await refused(here.sign_in(email, "not the password", single_step=True), Reason.BAD_CREDENTIALS)
    await refused(here.sign_in(address(), single_step=True), Reason.BAD_CREDENTIALS)
    await refused(here.sign_in(email, "", single_step=True), Reason.MISSING_PARAMETER)
    assert len(await deployment.mails(email)) == before


async def test_a_caller_of_one_step_gets_in_where_one_is_enough(deployment: Deployment) -> None:
    here = await door(deployment)
    email = address()
    await here.sign_up(email)
    assert (await here.sign_in(email, single_step=True)).session.token


async def test_wrong_password_and_unknown_address_are_told_alike(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    email = address()
    await here.sign_up(email)
    errors = [
        await refused(here.sign_in(login, "not the password"), Reason.BAD_CREDENTIALS) for login in (email, address())
    ]
    assert errors[0].message == errors[1].message
    assert errors[0].metadata == errors[1].metadata


async def test_an_unknown_address_gets_a_challenge_like_any_other(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment, "otp")
    step = await here.sign_in(address(), "")
    assert re.fullmatch("[0-9a-f]{70}", step.challenge.handle)
    await refused(here.answer(step, "123456"), Reason.CHALLENGE_FAILED)


async def test_a_project_unknown_or_disabled_is_not_found(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    email = address()
    session = (await here.sign_up(email)).session
    await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=here.project, disabled=True))
    await refused(here.sign_in(email), Reason.NOT_FOUND)
    await refused(here.sign_in(email, project="no-such-project"), Reason.NOT_FOUND)
    await refused(here.authenticate(session.token), Reason.TOKEN_INVALID)


async def test_a_project_refuses_dialects_that_it_does_not_serve(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    here = await door(deployment)
    email = address()
    session = (await here.sign_up(email)).session
    for project in (client.project, here.project):
        dialects = projects_pb2.StringList(values=["shoop"])
        await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=project, dialects=dialects))
    with bound(CallContext(dialect="ihopr")):
        await refused(client.sign_in(email), Reason.DIALECT_DISABLED)
        await refused(here.sign_in(email), Reason.DIALECT_DISABLED)
        await refused(here.authenticate(session.token), Reason.DIALECT_DISABLED)
        await refused(here.start_reset(email), Reason.DIALECT_DISABLED)
    for dialect in ("shoop", ""):
        with bound(CallContext(dialect=dialect)):
            assert (await here.sign_in(email)).session.token
            await here.authenticate(session.token)


async def test_errors_say_how_an_app_wants_them_marked(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    assert "status_mode" not in (await refused(client.sign_in(address()), Reason.BAD_CREDENTIALS)).metadata
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, status_mode="legacy"))
    error = await refused(client.sign_in(address()), Reason.BAD_CREDENTIALS)
    assert error.metadata["status_mode"] == "legacy"
    credentials = sign_in_pb2.ClientCredentials(client_id=client.app.client_id, client_secret="wrong")
    error = await refused(client.sign_in(address(), client=credentials), Reason.CLIENT_BAD_SECRET)
    assert error.metadata["status_mode"] == "legacy"


async def test_what_language_a_person_prefers_is_kept(deployment: Deployment) -> None:
    here = await door(deployment)
    email = address()
    with bound(CallContext(language="de-AT")):
        session = (await here.sign_up(email)).session
    assert session.account.language == "de-AT"
    with bound(CallContext(language="fr")):
        assert (await here.sign_in(email)).session.account.language == "fr"
    with bound(CallContext(language="no tag at all")):
        assert (await here.sign_in(email)).session.account.language == "fr"
    assert (await here.sign_in(email)).session.account.language == "fr"


@pytest.mark.parametrize("typed", ["code", "token"])
async def test_a_password_is_reset_with_the_address_and_what_was_mailed(
    deployment: Deployment, refused: Refused, typed: str
) -> None:
    here = await door(deployment)
    email = address()
    session = (await here.sign_up(email)).session
    await here.start_reset(email)
    mail = await deployment.mail(email, "reset_link")
    said = {
        "email": email.upper(),
        "project": here.project,
        "code": mail.code if typed == "code" else mail.link.partition("?token=")[2],
    }
    await refused(here.complete_reset("short", **said), Reason.WEAK_PASSWORD)
    await here.complete_reset(NEW_PASSWORD, **said)
    await refused(here.authenticate(session.token), Reason.TOKEN_INVALID)
    await refused(here.sign_in(email), Reason.BAD_CREDENTIALS)
    assert (await here.sign_in(email, NEW_PASSWORD)).session.account.email_verified
    await refused(here.complete_reset(PASSWORD, **said), Reason.CHALLENGE_FAILED)


async def test_five_wrong_codes_for_an_address_end_its_code(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    email = address()
    await here.sign_up(email)
    challenge = await here.start_reset(email)
    code = await mailed_code(deployment, email, "reset_link")
    said = {"email": email, "project": here.project}
    for _ in range(5):
        await refused(here.complete_reset(NEW_PASSWORD, code=wrong(code), **said), Reason.CHALLENGE_FAILED)
    await refused(here.complete_reset(NEW_PASSWORD, code=code, **said), Reason.CHALLENGE_FAILED)
    await refused(here.complete_reset(NEW_PASSWORD, code=code, handle=challenge.handle), Reason.CHALLENGE_FAILED)


async def test_four_wrong_codes_for_an_address_do_not(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    email = address()
    await here.sign_up(email)
    await here.start_reset(email)
    code = await mailed_code(deployment, email, "reset_link")
    said = {"email": email, "project": here.project}
    for _ in range(4):
        await refused(here.complete_reset(NEW_PASSWORD, code=wrong(code), **said), Reason.CHALLENGE_FAILED)
    await here.complete_reset(NEW_PASSWORD, code=code, **said)


async def test_a_reset_by_address_fails_alike_for_somebody_unknown_and_where_none_was_started(
    deployment: Deployment, refused: Refused
) -> None:
    here = await door(deployment)
    known, unknown, never = address(), address(), address()
    await here.sign_up(known)
    for email in (known, unknown):
        await here.start_reset(email)
    errors = [
        await refused(
            here.complete_reset(NEW_PASSWORD, email=email, project=here.project, code="000000"), Reason.CHALLENGE_FAILED
        )
        for email in (known, unknown, never)
    ]
    assert len({(error.message, str(error.metadata)) for error in errors}) == 1


async def test_a_reset_that_an_app_asked_for_takes_its_handle(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    challenge = await client.start_reset(email)
    code = await mailed_code(deployment, email, "reset_code")
    here = await door(deployment)
    said = {"email": email, "project": client.project}
    await refused(here.complete_reset(NEW_PASSWORD, code=code, **said), Reason.CHALLENGE_FAILED)
    await client.complete_reset(challenge, code, NEW_PASSWORD)


@pytest.fixture
async def arrivals(deployment: Deployment) -> Any:
    """Return a function that says how often an account was told of a new client, by which channel."""

    async def count(user_id: str, email: str) -> tuple[int, int]:
        connection = await asyncpg.connect(deployment.auth_dsn)
        try:
            while await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE failure IS NULL AND message IS NOT NULL"
            ):
                pass
            refused = await connection.fetch("SELECT message ->> 'to' AS whom FROM outbox WHERE failure IS NOT NULL")
        finally:
            await connection.close()
        assert not {row["whom"] for row in refused} & {user_id, email}
        by_push, by_mail = [
            len([message for message in await deployment.mails(to) if message.template == "new_sign_in"])
            for to in (user_id, email)
        ]
        return by_push, by_mail

    return count


def client_at(client_address: str, user_agent: str = "Mozilla/5.0 (X11; Linux)") -> Any:
    return bound(CallContext(client_address=client_address, user_agent=user_agent))


async def test_a_person_is_told_of_a_client_not_seen_before(deployment: Deployment, arrivals: Any) -> None:
    here = await door(deployment)
    email = address()
    with client_at("192.0.2.1"):
        user_id = (await here.sign_up(email)).session.account.user_id
        await here.sign_in(email)
    assert await arrivals(user_id, email) == (0, 0)
    with client_at("192.0.2.2"):
        await here.sign_in(email)
        await here.sign_in(email)
    assert await arrivals(user_id, email) == (1, 1)
    with client_at("192.0.2.2", "curl/8"):
        await here.sign_in(email)
    assert await arrivals(user_id, email) == (2, 2)
    await here.sign_in(email)  # nothing is known of this one
    assert await arrivals(user_id, email) == (2, 2)


async def test_whoever_comes_with_a_new_client_each_time_floods_no_mailbox(
    deployment: Deployment, arrivals: Any
) -> None:
    here = await door(deployment)
    email = address()
    with client_at("192.0.2.1"):
        user_id = (await here.sign_up(email)).session.account.user_id
    for number in range(12):
        with client_at("192.0.2.1", f"Browser/{number}"):
            await here.sign_in(email)
    assert await arrivals(user_id, email) == (5, 5)


async def test_an_app_that_gets_tokens_somewhere_new_is_told_to_devices_only(
    deployment: Deployment, arrivals: Any
) -> None:
    client = await deployment.client()
    with client_at("192.0.2.1"):
        email, person = await client.person()
    with client_at("192.0.2.2"):
        await client.exchange(await client.code_for(email))
    assert await arrivals(person.account.user_id, email) == (1, 0)


async def test_a_session_says_where_it_was_opened(deployment: Deployment) -> None:
    here = await door(deployment)
    with client_at("192.0.2.7", "Browser/1 " + "x" * 300):
        token = (await here.sign_up(address())).session.token
    session = (await here.authenticate(token)).session
    assert session.client_address == "192.0.2.7"
    assert session.user_agent == ("Browser/1 " + "x" * 300)[:200]


async def test_a_user_sees_his_sessions_his_own_first(deployment: Deployment) -> None:
    client = await deployment.client()
    here = Door(deployment, client.project, "none")
    email, _ = await client.person()
    mine = (await here.sign_in(email)).session.token
    await here.of(SESSION_KEY).sign_in(email)
    found = await here.sessions(mine)
    assert [(session.form, session.app_name) for session in found] == [(WEB, ""), (SESSION_KEY, ""), (PAIR, "App")]
    assert found[0].id == (await here.authenticate(mine)).session.id
    assert found[2].client_id == client.app.client_id


async def test_a_user_ends_one_session_and_no_other_persons(deployment: Deployment, refused: Refused) -> None:
    here = await door(deployment)
    email, other = address(), address()
    await here.sign_up(email)
    mine, lost = (await here.sign_in(email)).session.token, (await here.sign_in(email)).session.token
    theirs = (await here.sign_up(other)).session.token
    ids = {token: (await here.authenticate(token)).session.id for token in (lost, theirs)}

    async def end(session_id: str) -> None:
        request = tokens_pb2.EndOwnSessionRequest(access_token=mine, form=WEB, session_id=session_id)
        await deployment.tokens.EndOwnSession(request)

    await end(ids[lost])
    await refused(here.authenticate(lost, second=True), Reason.TOKEN_INVALID)
    await refused(end(ids[lost]), Reason.NOT_FOUND)
    await refused(end(ids[theirs]), Reason.NOT_FOUND)
    await refused(end(str(uuid4())), Reason.NOT_FOUND)
    await refused(end("no uuid"), Reason.INVALID_PARAMETER)
    await here.authenticate(theirs)
    await here.authenticate(mine)


async def test_a_user_ends_all_his_sessions_of_every_form(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    here = Door(deployment, client.project, "none")
    email, person = await client.person()
    tokens = {form: (await here.of(form).sign_in(email)).session.token for form in SHAPES}
    tokens[PAIR] = person.tokens.access_token
    request = tokens_pb2.EndAllOwnSessionsRequest(access_token=tokens[SESSION_KEY], form=SESSION_KEY)
    await deployment.tokens.EndAllOwnSessions(request)
    for form, token in tokens.items():
        await refused(here.authenticate(token, form, second=True), Reason.TOKEN_INVALID)


async def test_ending_sessions_wants_a_fresh_sign_in_and_signing_out_does_not(
    deployment: Deployment, refused: Refused
) -> None:
    here = await door(deployment)
    email = address()
    token = (await here.sign_up(email)).session.token
    before = await here.authenticate(token)
    await deployment.age_sign_ins(before.account.user_id)
    now = await here.authenticate(token)
    assert now.stale_time.ToDatetime() < now.session.last_use_time.ToDatetime() < before.stale_time.ToDatetime()
    one = tokens_pb2.EndOwnSessionRequest(access_token=token, form=WEB, session_id=now.session.id)
    await refused(deployment.tokens.EndOwnSession(one), Reason.REAUTH_REQUIRED)
    every = tokens_pb2.EndAllOwnSessionsRequest(access_token=token, form=WEB)
    await refused(deployment.tokens.EndAllOwnSessions(every), Reason.REAUTH_REQUIRED)
    await here.authenticate(token)
    await deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=token, form=WEB))
    await refused(here.authenticate(token, second=True), Reason.TOKEN_INVALID)


@own_forms
async def test_signing_out_ends_a_session_at_once(deployment: Deployment, refused: Refused, form: Any) -> None:
    here = (await door(deployment)).of(form)
    token = (await here.sign_up(address())).session.token
    for wrong_form in FORMS.values():
        if wrong_form != form:
            request = tokens_pb2.EndSessionRequest(access_token=token, form=wrong_form)
            await refused(deployment.tokens.EndSession(request), Reason.TOKEN_INVALID)
    await deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=token, form=form))
    await refused(here.authenticate(token, second=True), Reason.TOKEN_INVALID)


async def test_who_proves_an_address_by_mail_shares_the_account_with_nobody_who_did_not(
    deployment: Deployment, refused: Refused
) -> None:
    here, email = await door(deployment), address()
    stranger = (await here.sign_up(email)).session.token
    policy = projects_pb2.UpdateProjectRequest(name=here.project, sign_in_policy=POLICIES["otp"])
    await deployment.projects.UpdateProject(policy)
    here = replace(here, policy="otp")
    step = await here.sign_in(email, "")
    session = await here.answer(step, (await deployment.mail(email, "sign_in_code")).code)
    account = (await here.authenticate(session.token)).account
    assert (account.email_verified, account.has_password) == (True, False)
    await refused(here.authenticate(stranger), Reason.TOKEN_INVALID)
