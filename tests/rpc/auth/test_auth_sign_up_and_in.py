"""Signing up and in over RPC, in the three policies, by confidential and public apps, with and without PKCE."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from rpc.auth.deployment import PASSWORD, PURPOSES, Deployment, address, wrong

from gatepost.auth.v1 import accounts_pb2, apps_pb2, projects_pb2, sign_in_pb2
from gatepost.users.v1 import profiles_pb2
from runtime.errors import Reason, Rule

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PKCE = sign_in_pb2.Pkce(challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
POLICIES = ("none", "otp", "two-step")
HIDING = ("otp", "two-step")
Refused = Callable[..., Any]


@pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])
@pytest.mark.parametrize("proof", [False, True], ids=["without-pkce", "with-pkce"])
@pytest.mark.parametrize("policy", POLICIES)
async def test_who_signs_up_and_then_in_gets_tokens(
    deployment: Deployment, refused: Refused, policy: str, *, proof: bool, public: bool
) -> None:
    client = await deployment.client(policy, public=public)
    more: dict[str, Any] = {"pkce": PKCE} if proof else {}
    email = address()
    if public and not proof:
        error = await refused(client.sign_up(email), Reason.MISSING_PARAMETER)
        assert [(v.field, v.rule) for v in error.violations] == [("code_challenge", Rule.REQUIRED)]
        return
    result = await client.sign_up(email, **more)
    assert (
        result.policy
        == {
            "none": projects_pb2.SIGN_IN_POLICY_NONE,
            "otp": projects_pb2.SIGN_IN_POLICY_OTP,
            "two-step": projects_pb2.SIGN_IN_POLICY_TWO_STEP,
        }[policy]
    )
    code = result.code or await client.answer(result, await client.mailed_code(email, []))
    verifier = VERIFIER if proof else ""
    signed_up = await client.exchange(code, verifier)
    signed_in = await client.exchange(await client.code_for(email, **more), verifier)
    assert signed_in.account.user_id == signed_up.account.user_id
    assert signed_in.account.email == email
    assert signed_in.account.email_verified == (policy != "none")
    assert (await client.authenticate(signed_in.tokens.access_token)).account.user_id == signed_in.account.user_id


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_challenge_begun_with_pkce_cannot_be_finished_without(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email, _ = await client.person()
    code = await client.code_for(email, pkce=PKCE)
    await refused(client.exchange(code), Reason.CODE_INVALID)


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_verifier_without_challenge_is_refused(deployment: Deployment, refused: Refused, policy: str) -> None:
    client = await deployment.client(policy)
    email, _ = await client.person()
    await refused(client.exchange(await client.code_for(email), VERIFIER), Reason.CODE_INVALID)


async def test_a_public_app_needs_no_secret_and_may_send_any(deployment: Deployment) -> None:
    client = await deployment.client("none", public=True)
    for secret in ("", "anything"):
        credentials = sign_in_pb2.ClientCredentials(client_id=client.app.client_id, client_secret=secret)
        assert (await client.sign_up(address(), client=credentials, pkce=PKCE)).code


@pytest.mark.parametrize(
    ("client_id", "secret", "reason"),
    [
        ("", "x", Reason.MISSING_PARAMETER),
        (None, "", Reason.MISSING_PARAMETER),
        (None, "wrong", Reason.CLIENT_BAD_SECRET),
        ("404", "x", Reason.CLIENT_UNKNOWN),
        ("4\x0004", "x", Reason.MALFORMED_REQUEST),
    ],
)
async def test_an_app_that_does_not_prove_itself_is_refused(
    deployment: Deployment, refused: Refused, client_id: str | None, secret: str, reason: Reason
) -> None:
    client = await deployment.client()
    known = client.app.client_id if client_id is None else client_id
    credentials = sign_in_pb2.ClientCredentials(client_id=known, client_secret=secret)
    await refused(client.sign_up(address(), client=credentials), reason)
    await refused(client.sign_in(address(), client=credentials), reason)


async def test_every_secret_of_an_app_works_until_it_is_revoked(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    added = await deployment.apps.CreateAppSecret(apps_pb2.CreateAppSecretRequest(client_id=client.app.client_id))
    new = sign_in_pb2.ClientCredentials(client_id=client.app.client_id, client_secret=added.client_secret)
    assert (await client.sign_up(address(), client=new)).code
    assert (await client.sign_up(address())).code
    old = client.app.secrets[0].id
    revoke = apps_pb2.RevokeAppSecretRequest(client_id=client.app.client_id, secret_id=old)
    await deployment.apps.RevokeAppSecret(revoke)
    await refused(client.sign_up(address()), Reason.CLIENT_BAD_SECRET)
    assert (await client.sign_up(address(), client=new)).code


async def test_a_disabled_app_and_a_disabled_project_are_as_unknown(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    update = apps_pb2.UpdateAppRequest(client_id=client.app.client_id, disabled=True)
    await deployment.apps.UpdateApp(update)
    await refused(client.sign_up(address()), Reason.CLIENT_UNKNOWN)
    other = await deployment.app_of(client.project, "none")
    await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=client.project, disabled=True))
    await refused(other.sign_up(address()), Reason.CLIENT_UNKNOWN)


@pytest.mark.parametrize(
    ("fields", "missing"),
    [({"email": ""}, ["email"]), ({"password": ""}, ["password"]), ({"email": "", "password": ""}, None)],
)
async def test_what_is_missing_is_named(
    deployment: Deployment, refused: Refused, fields: dict[str, str], missing: list[str] | None
) -> None:
    client = await deployment.client("two-step")
    call = {"email": address(), "password": PASSWORD} | fields
    error = await refused(client.sign_up(**call), Reason.MISSING_PARAMETER)
    assert [violation.field for violation in error.violations] == (missing or ["email", "password"])
    error = await refused(client.sign_in(call["email"], call["password"]), Reason.MISSING_PARAMETER)
    assert [violation.field for violation in error.violations] == (missing or ["email", "password"])


@pytest.mark.parametrize(
    "email", ["nobody", "a@", "@b.org", "a b@example.org", "a@example.org\n", f"{'x' * 260}@e.org"]
)
async def test_a_malformed_address_is_refused(deployment: Deployment, refused: Refused, email: str) -> None:
    client = await deployment.client()
    error = await refused(client.sign_up(email), Reason.INVALID_PARAMETER)
    assert error.violations[0].field == "email"


@pytest.mark.parametrize("password", ["short", "password123", "x" * 257, "aaaaaaaaaaaa", "1qaz2wsx"])
@pytest.mark.parametrize("policy", ["none", "two-step"])
async def test_a_weak_password_is_refused(deployment: Deployment, refused: Refused, policy: str, password: str) -> None:
    client = await deployment.client(policy)
    error = await refused(client.sign_up(address(), password), Reason.WEAK_PASSWORD)
    assert (error.violations[0].field, error.metadata["min_length"]) == ("password", "8")


async def test_a_password_may_not_hold_the_address_or_the_name(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    profile = accounts_pb2.NewProfile(first_name="Maximiliane")
    await refused(client.sign_up("jacqueline@example.org", "x-JACQUELINE-7!kd"), Reason.WEAK_PASSWORD)
    await refused(client.sign_up(address(), "kd93-maximiliane-x", profile=profile), Reason.WEAK_PASSWORD)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_name", "x" * 101),
        ("last_name", "two\nlines"),
        ("phone", "1" * 41),
        ("meta", "ü" * 8193),
        ("meta", "nul \x00"),
        ("gender", "unheard of"),
        ("birth_date", "31.12.1999"),
        ("location_id", -1),
        ("latitude", 90.5),
        ("longitude", -180.5),
    ],
)
async def test_a_profile_that_cannot_be_stored_is_refused_before_anything_is_mailed(
    deployment: Deployment, refused: Refused, policy: str, field: str, value: Any
) -> None:
    client = await deployment.client(policy)
    said: dict[str, Any] = {field: value}
    profile = accounts_pb2.NewProfile(**said)
    error = await refused(client.sign_up(address(), profile=profile), Reason.INVALID_PARAMETER)
    assert [violation.field for violation in error.violations] == [field]


@pytest.mark.parametrize("policy", POLICIES)
async def test_the_profile_given_at_sign_up_is_the_users(deployment: Deployment, policy: str) -> None:
    client = await deployment.client(policy)
    said = accounts_pb2.NewProfile(first_name="Zoë", last_name="O'Neill", phone="(123) 456-78", meta='{"a":\n1}')
    _, signed_up = await client.person(profile=said)
    request = profiles_pb2.GetProfileRequest(user_id=signed_up.account.user_id)
    profile = (await deployment.profiles.GetProfile(request)).profile
    assert (profile.first_name, profile.last_name, profile.phone, profile.meta) == (
        said.first_name,
        said.last_name,
        said.phone,
        said.meta,
    )


async def test_an_address_in_use_is_refused_where_the_code_is_in_the_answer(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("none")
    email, _ = await client.person()
    error = await refused(client.sign_up(email.upper()), Reason.EMAIL_TAKEN)
    assert [(v.field, v.rule) for v in error.violations] == [("email", Rule.TAKEN)]


@pytest.mark.parametrize("policy", HIDING)
async def test_an_address_in_use_looks_like_any_other_and_its_owner_is_told(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email, _ = await client.person()
    taken, free = await client.sign_up(email), await client.sign_up(address())
    assert taken.policy == free.policy
    assert len(taken.challenge.handle) == len(free.challenge.handle) == 70
    assert taken.challenge.purpose == free.challenge.purpose == PURPOSES[policy]
    told = await deployment.mail(email, "already_registered")
    assert told.code == ""
    await refused(client.answer(taken, "123456"), Reason.CHALLENGE_FAILED)


@pytest.mark.parametrize("policy", HIDING)
async def test_the_old_password_still_works_after_somebody_signed_up_again(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email, first = await client.person()
    await client.sign_up(email, "the password of an attacker")
    signed_in = await client.exchange(await client.code_for(email))
    assert signed_in.account.user_id == first.account.user_id
    if policy == "two-step":
        await refused(client.sign_in(email, "the password of an attacker"), Reason.USER_NOT_VALIDATED)


@pytest.mark.parametrize("policy", HIDING)
async def test_of_two_sign_ups_only_the_one_that_was_answered_comes_alive(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email = address()
    attackers = await client.sign_up(email, "the password of an attacker")
    first = await client.mailed_code(email, [])
    seen = [message.id for message in await deployment.mails(email)]
    own = await client.sign_up(email)
    second = await client.mailed_code(email, seen)
    await refused(client.answer(attackers, first), Reason.CHALLENGE_FAILED)
    await refused(client.answer(attackers, second), Reason.CHALLENGE_FAILED)
    await client.exchange(await client.answer(own, second))
    if policy == "two-step":
        assert (await client.sign_in(email)).challenge.handle
        await refused(client.sign_in(email, "the password of an attacker"), Reason.BAD_CREDENTIALS)


async def test_whoever_signed_up_unproven_learns_nothing_by_signing_in(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("two-step")
    taken, _ = await client.person()
    free = address()
    for email in (taken, free):
        await client.sign_up(email, "the password of an attacker")
        await refused(client.sign_in(email, "the password of an attacker"), Reason.USER_NOT_VALIDATED)
        await refused(client.sign_in(email, "another password"), Reason.BAD_CREDENTIALS)


async def test_the_password_of_an_unproven_sign_up_is_a_guess_at_the_account_like_any_other(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    await client.sign_up(email, "the password of an attacker")
    for _ in range(9):
        await refused(client.sign_in(email, "a guess of an attacker"), Reason.BAD_CREDENTIALS)
    await refused(client.sign_in(email, "the password of an attacker"), Reason.USER_NOT_VALIDATED)
    await refused(client.sign_in(email, "the password of an attacker"), Reason.RATE_LIMITED)


async def test_signing_up_as_somebody_else_does_not_disturb_his_signing_in(deployment: Deployment) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    before = [message.id for message in await deployment.mails(email)]
    result = await client.sign_in(email)
    code = await client.mailed_code(email, before)
    for _ in range(3):
        await client.sign_up(email, "the password of an attacker")
    assert await client.answer(result, code)


async def test_a_sign_up_repeated_with_its_user_id_gives_a_code_again(deployment: Deployment) -> None:
    client = await deployment.client("none")
    email, user_id = address(), str(uuid4())
    first = await client.sign_up(email, user_id=user_id)
    again = await client.sign_up(email, user_id=user_id)
    assert (await client.exchange(first.code)).account.user_id == user_id
    assert (await client.exchange(again.code)).account.user_id == user_id


async def test_parallel_repeats_of_a_sign_up_make_one_account(deployment: Deployment) -> None:
    client = await deployment.client("none")
    email, user_id = address(), str(uuid4())
    calls = [client.sign_up(email, user_id=user_id) for _ in range(5)]
    results = await asyncio.gather(*calls)
    assert all(result.code for result in results)
    page = await deployment.accounts.ListAccounts(accounts_pb2.ListAccountsRequest(project=client.project))
    assert [account.user_id for account in page.accounts] == [user_id]


async def test_parallel_sign_ups_of_one_address_make_one_account(deployment: Deployment) -> None:
    client = await deployment.client("none")
    email = address()
    outcomes = await asyncio.gather(*(client.sign_up(email) for _ in range(5)), return_exceptions=True)
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, sign_in_pb2.SignInResult)]
    assert len(codes) == 1
    assert [getattr(o, "reason", "") for o in outcomes if isinstance(o, Exception)] == [Reason.EMAIL_TAKEN] * 4


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_user_id_of_another_account_is_refused(deployment: Deployment, refused: Refused, policy: str) -> None:
    client = await deployment.client(policy)
    user_id = str(uuid4())
    await client.sign_up(address(), user_id=user_id)
    await refused(client.sign_up(address(), user_id=user_id), Reason.ALREADY_EXISTS)
    await refused(client.sign_up(address(), user_id="no uuid"), Reason.INVALID_PARAMETER)


@pytest.mark.parametrize("policy", HIDING)
async def test_a_sign_up_repeated_with_its_user_id_mails_a_code_that_works(deployment: Deployment, policy: str) -> None:
    client = await deployment.client(policy)
    email, user_id = address(), str(uuid4())
    await client.sign_up(email, user_id=user_id)
    await client.mailed_code(email, [])
    before = [message.id for message in await deployment.mails(email)]
    again = await client.sign_up(email, user_id=user_id)
    code = await client.answer(again, await client.mailed_code(email, before))
    assert (await client.exchange(code)).account.user_id == user_id


@pytest.mark.parametrize("policy", ["none", "two-step"])
async def test_wrong_password_and_unknown_user_get_one_answer(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email, _ = await client.person()
    errors = [
        await refused(client.sign_in(login, password), Reason.BAD_CREDENTIALS)
        for login, password in ((email, "not the password"), (address(), PASSWORD), ("nobody", PASSWORD))
    ]
    said = {(error.reason, error.message, error.violations, error.retry_after_seconds) for error in errors}
    assert len(said) == 1


@pytest.mark.parametrize("login", ["\x00", "x\x00@example.org", "@", "a@b@c", "ẞ" * 5000, "'; DROP TABLE accounts; --"])
async def test_no_login_is_an_internal_error(deployment: Deployment, refused: Refused, login: str) -> None:
    client = await deployment.client("none")
    await refused(client.sign_in(login), Reason.BAD_CREDENTIALS, Reason.MALFORMED_REQUEST)


async def test_a_user_name_signs_in_whatever_its_case(deployment: Deployment) -> None:
    client = await deployment.client("none")
    request = accounts_pb2.CreateAccountRequest(
        user_id=str(uuid4()), project=client.project, email=address(), password=PASSWORD, username="RosaLux"
    )
    await deployment.accounts.CreateAccount(request)
    assert (await client.sign_in("rosalux")).code
    assert (await client.sign_in("ROSALUX")).code


async def test_an_account_made_unproven_signs_in_with_a_word_about_it_once_the_password_is_right(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("none")
    email = address()
    request = accounts_pb2.CreateAccountRequest(
        user_id=str(uuid4()), project=client.project, email=email, password=PASSWORD, unverified=True
    )
    await deployment.accounts.CreateAccount(request)
    await refused(client.sign_in(email), Reason.USER_NOT_VALIDATED)
    await refused(client.sign_in(email, "not the password"), Reason.BAD_CREDENTIALS)


async def test_an_account_made_unproven_comes_alive_by_mailed_code_without_the_password_it_was_given(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("otp")
    email = address()
    request = accounts_pb2.CreateAccountRequest(
        user_id=str(uuid4()), project=client.project, email=email, password=PASSWORD, unverified=True
    )
    await deployment.accounts.CreateAccount(request)
    signed_in = await client.exchange(await client.code_for(email, ""))
    assert (signed_in.account.state, signed_in.account.email_verified) == (accounts_pb2.ACCOUNT_STATE_ACTIVE, True)
    name = projects_pb2.UpdateProjectRequest(name=client.project, sign_in_policy=projects_pb2.SIGN_IN_POLICY_NONE)
    await deployment.projects.UpdateProject(name)
    await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)


async def test_a_code_project_gives_an_unknown_address_a_challenge_and_mails_nothing(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("otp")
    email, _ = await client.person()
    unknown = address()
    real, decoy = await client.sign_in(email, ""), await client.sign_in(unknown, "")
    assert len(real.challenge.handle) == len(decoy.challenge.handle)
    await refused(client.answer(decoy, "123456"), Reason.CHALLENGE_FAILED)
    await deployment.mail(email, "sign_in_code")
    assert await deployment.mails(unknown) == []


async def test_who_lost_the_code_of_his_sign_up_can_ask_for_one_by_signing_in(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("otp")
    email, user_id = address(), str(uuid4())
    await client.sign_up(email, user_id=user_id)
    await client.mailed_code(email, [])
    signed_in = await client.exchange(await client.code_for(email, ""))
    assert signed_in.account.user_id == user_id
    # Reading the mail proves the address, but not that whoever registered it chose the password.
    policy = projects_pb2.UpdateProjectRequest(name=client.project, sign_in_policy=projects_pb2.SIGN_IN_POLICY_NONE)
    await deployment.projects.UpdateProject(policy)
    await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)


async def test_a_challenge_is_answered_with_its_own_purpose_only(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    before = [message.id for message in await deployment.mails(email)]
    result = await client.sign_in(email)
    code = await client.mailed_code(email, before)
    for purpose in sign_in_pb2.ChallengePurpose.values():
        if purpose != sign_in_pb2.CHALLENGE_PURPOSE_TWO_STEP:
            request = sign_in_pb2.VerifyChallengeRequest(purpose=purpose, handle=result.challenge.handle, code=code)
            await refused(deployment.sign_in.VerifyChallenge(request), Reason.CHALLENGE_FAILED)
    await refused(client.complete_reset(result.challenge, code, "a brand new secret"), Reason.CHALLENGE_FAILED)
    assert await client.answer(result, code)


async def test_the_fifth_wrong_answer_ends_a_challenge(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    before = [message.id for message in await deployment.mails(email)]
    result = await client.sign_in(email)
    code = await client.mailed_code(email, before)
    for _ in range(5):
        await refused(client.answer(result, wrong(code)), Reason.CHALLENGE_FAILED)
    await refused(client.answer(result, code), Reason.CHALLENGE_FAILED)


@pytest.mark.parametrize("policy", HIDING)
async def test_a_right_answer_works_once_under_twenty_parallel_tries_on_two_instances(
    deployment: Deployment, policy: str
) -> None:
    client = await deployment.client(policy)
    email = address()
    result = await client.sign_up(email)
    code = await client.mailed_code(email, [])
    request = sign_in_pb2.VerifyChallengeRequest(purpose=PURPOSES[policy], handle=result.challenge.handle, code=code)
    stubs = [deployment.sign_in, deployment.second_sign_in] * 10
    outcomes = await asyncio.gather(*(stub.VerifyChallenge(request) for stub in stubs), return_exceptions=True)
    successes = [outcome for outcome in outcomes if isinstance(outcome, sign_in_pb2.VerifyChallengeResponse)]
    reasons = [getattr(outcome, "reason", outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(successes) == 1
    assert reasons == [Reason.CHALLENGE_FAILED] * 19


async def test_a_challenge_is_dead_once_the_app_is_disabled(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    before = [message.id for message in await deployment.mails(email)]
    result = await client.sign_in(email)
    code = await client.mailed_code(email, before)
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client.app.client_id, disabled=True))
    await refused(client.answer(result, code), Reason.CHALLENGE_FAILED)


async def test_a_disabled_account_is_as_unknown(deployment: Deployment, refused: Refused) -> None:
    for policy in POLICIES:
        client = await deployment.client(policy)
        email, _ = await client.person()
        if policy == "none":
            await deployment.mail(email, "confirm_email")
        mails = [message.id for message in await deployment.mails(email)]
        state = accounts_pb2.SetAccountStateRequest(
            account=client.ref(email), state=accounts_pb2.ACCOUNT_STATE_DISABLED
        )
        await deployment.accounts.SetAccountState(state)
        if policy == "otp":
            await refused(client.answer(await client.sign_in(email, ""), "123456"), Reason.CHALLENGE_FAILED)
        else:
            await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)
        await client.start_reset(email)
        assert [message.id for message in await deployment.mails(email)] == mails


async def test_a_sign_up_while_user_service_is_down_is_refused_and_leaves_nothing(
    deployment: Deployment, refused: Refused
) -> None:
    client, hiding = await deployment.client("none"), await deployment.client("two-step")
    email = address()
    result = await hiding.sign_up(email)
    code = await hiding.mailed_code(email, [])
    await deployment.users.stop()
    try:
        error = await refused(client.sign_up(email), Reason.UNAVAILABLE)
        assert error.retry_after_seconds
        await refused(hiding.answer(result, code), Reason.UNAVAILABLE)
    finally:
        await deployment.users.start(deployment.keys)
    for each in (client, hiding):
        page = await deployment.accounts.ListAccounts(accounts_pb2.ListAccountsRequest(project=each.project))
        assert list(page.accounts) == []
    assert (await client.sign_up(email)).code
    assert await hiding.answer(result, code)  # given back: the answer works once it can be acted upon


async def test_mails_are_delivered_once_notify_service_is_back(deployment: Deployment) -> None:
    client = await deployment.client("otp")
    email = address()
    await deployment.notify.stop()
    try:
        result = await client.sign_up(email)
        await asyncio.sleep(0.1)
    finally:
        await deployment.notify.start(deployment.keys)
    assert await client.answer(result, await client.mailed_code(email, []))
    assert len(await deployment.mails(email)) == 1


async def test_no_password_code_or_token_stands_in_the_database_in_clear(deployment: Deployment) -> None:
    client = await deployment.client("two-step")
    secret = f"canary {uuid4()}"
    email = address()
    result = await client.sign_up(email, secret)
    mailed = await client.mailed_code(email, [])
    code = await client.answer(result, mailed)
    tokens = (await client.exchange(code)).tokens
    connection = await asyncpg.connect(deployment.auth_dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            for row in await connection.fetch(f'SELECT t::text AS text FROM "{table["tablename"]}" t'):  # noqa: S608
                for canary in (secret, code, tokens.access_token, tokens.refresh_token, client.secret):
                    assert canary not in row["text"], table
    finally:
        await connection.close()
