"""What a user changes of himself, and password reset, over RPC."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment, address, wrong

from gatepost.auth.v1 import accounts_pb2, projects_pb2, sign_in_pb2, tokens_pb2
from gatepost.users.v1 import profiles_pb2
from runtime.errors import GatepostError, Reason, Rule

Refused = Callable[..., Any]
NEW = "an entirely new password"


async def update(deployment: Deployment, token: str, **changes: Any) -> accounts_pb2.UpdateOwnAccountResponse:
    request = accounts_pb2.UpdateOwnAccountRequest(access_token=token, **changes)
    answer: accounts_pb2.UpdateOwnAccountResponse = await deployment.accounts.UpdateOwnAccount(request)
    return answer


async def profile(deployment: Deployment, user_id: str) -> profiles_pb2.Profile:
    answer: profiles_pb2.GetProfileResponse = await deployment.profiles.GetProfile(
        profiles_pb2.GetProfileRequest(user_id=user_id)
    )
    return answer.profile


async def reset_code(deployment: Deployment, client: Client, email: str) -> tuple[sign_in_pb2.Challenge, str]:
    before = [message.id for message in await deployment.mails(email)]
    challenge = await client.start_reset(email)
    return challenge, await client.mailed_code(email, before)


async def test_only_what_differs_is_reported_as_changed(deployment: Deployment) -> None:
    client = await deployment.client(roles=["user", "Dev"], self_assignable_roles=["Dev"])
    _, person = await client.person(profile=accounts_pb2.NewProfile(first_name="Ada", last_name="King"))
    token = person.tokens.access_token
    changed = await update(deployment, token, first_name="Ada", last_name="Lovelace", role="dev", phone="123")
    assert set(changed.changed) == {"last_name", "phone", "role"}
    assert changed.account.role == "Dev"
    assert (await profile(deployment, person.account.user_id)).last_name == "Lovelace"
    again = await update(deployment, token, first_name="Ada", last_name="Lovelace", role="DEV", phone="123")
    assert list(again.changed) == []
    assert list((await update(deployment, token)).changed) == []


async def test_of_user_names_taken_at_once_one_is_left(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, names = person.tokens.access_token, [f"n{uuid4().hex[:20]}" for _ in range(10)]
    await asyncio.gather(*(update(deployment, token, username=name) for name in names))
    sql = "SELECT value FROM identifiers WHERE account_id = $1 AND kind = 'username'"
    (held,) = await deployment.execute(sql, UUID(person.account.user_id))
    assert held["value"] in names


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": "admin"}, Reason.ROLE_FORBIDDEN),
        ({"role": "emperor"}, Reason.ROLE_UNKNOWN),
        ({"role": ""}, Reason.ROLE_UNKNOWN),
        ({"password": "short"}, Reason.WEAK_PASSWORD),
        ({"password": ""}, Reason.WEAK_PASSWORD),
        ({"last_name": "x" * 101}, Reason.INVALID_PARAMETER),
    ],
)
async def test_a_change_that_is_refused_changes_nothing(
    deployment: Deployment, refused: Refused, changes: dict[str, str], reason: Reason
) -> None:
    client = await deployment.client(roles=["user", "Dev", "admin"], self_assignable_roles=["Dev"])
    email, person = await client.person()
    token = person.tokens.access_token
    before = await profile(deployment, person.account.user_id)
    wanted = {"first_name": "Eve", "role": "Dev", "password": NEW} | changes
    await refused(update(deployment, token, **wanted), reason)
    assert await profile(deployment, person.account.user_id) == before
    assert (await client.authenticate(token)).account.role == "user"
    assert (await client.sign_in(email)).code


async def test_the_present_role_is_no_change_whatever_its_case(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    assert list((await update(deployment, person.tokens.access_token, role="USER")).changed) == []


async def test_no_role_is_self_assignable_unless_the_project_says_so(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    await refused(update(deployment, person.tokens.access_token, role="admin"), Reason.ROLE_FORBIDDEN)


async def test_a_new_password_keeps_this_session_and_ends_the_others(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, this = await client.person()
    other = await client.exchange((await client.sign_in(email)).code)
    changed = await update(deployment, this.tokens.access_token, password=NEW)
    assert list(changed.changed) == ["password"]
    await client.authenticate(this.tokens.access_token)
    await client.refresh(this.tokens.refresh_token)
    await refused(client.authenticate(other.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(other.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)
    assert (await client.sign_in(email, NEW)).code
    await deployment.mail(email, "password_changed")


async def test_new_passwords_at_once_are_set_or_in_conflict_and_their_session_lives(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    answers = await asyncio.gather(
        *(update(deployment, token, password=f"{NEW} {number}") for number in range(10)), return_exceptions=True
    )
    refusals = [answer for answer in answers if isinstance(answer, GatepostError)]
    assert {error.reason for error in refusals} == {Reason.CONFLICT}
    assert len(refusals) < len(answers)
    await client.authenticate(token)


async def test_a_new_password_over_a_session_that_another_ends_meanwhile_is_refused_as_dead(
    deployment: Deployment,
) -> None:
    client = await deployment.client()
    email, first = await client.person()
    second = await client.exchange((await client.sign_in(email)).code)
    tokens = [each.tokens.access_token for each in (first, second)]
    answers = await asyncio.gather(
        *(update(deployment, token, password=f"{NEW} {token[-5:]}") for token in tokens), return_exceptions=True
    )
    assert [answer.reason for answer in answers if isinstance(answer, GatepostError)] == [Reason.TOKEN_INVALID]


async def test_a_password_with_the_users_own_data_is_refused(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = person.tokens.access_token
    await refused(update(deployment, token, password=f"x{email}"), Reason.WEAK_PASSWORD)
    await refused(update(deployment, token, password="kx-Hildegard-9", last_name="hildegard"), Reason.WEAK_PASSWORD)


async def test_a_dead_token_changes_nothing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    await deployment.tokens.EndSession(tokens_pb2.EndSessionRequest(access_token=token))
    await refused(update(deployment, token, first_name="Eve"), Reason.TOKEN_INVALID)
    await refused(update(deployment, person.tokens.refresh_token, first_name="Eve"), Reason.TOKEN_INVALID)


@pytest.mark.parametrize("policy", ["none", "otp", "two-step"])
async def test_a_reset_sets_the_password_and_ends_every_session(
    deployment: Deployment, refused: Refused, policy: str
) -> None:
    client = await deployment.client(policy)
    email, person = await client.person()
    challenge, code = await reset_code(deployment, client, email.upper())
    await client.complete_reset(challenge, code, NEW)
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(person.tokens.refresh_token), Reason.TOKEN_INVALID)
    if policy != "otp":
        await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)
    await client.exchange(await client.code_for(email, NEW))
    await deployment.mail(email, "password_changed")
    await refused(client.complete_reset(challenge, code, "yet another password"), Reason.CHALLENGE_FAILED)


@pytest.mark.parametrize("password", ["short", "password123", "x" * 257])
async def test_a_weak_password_does_not_spend_the_reset(
    deployment: Deployment, refused: Refused, password: str
) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    challenge, code = await reset_code(deployment, client, email)
    for _ in range(6):
        await refused(client.complete_reset(challenge, code, password), Reason.WEAK_PASSWORD)
    await client.complete_reset(challenge, code, NEW)


async def test_the_projects_name_makes_no_password_wherever_one_is_chosen(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    await deployment.projects.UpdateProject(
        projects_pb2.UpdateProjectRequest(name=client.project, display_name="Zanzibar Fair")
    )
    words = "ZanzibarFair99"
    await refused(client.sign_up(address(), words), Reason.WEAK_PASSWORD)
    email, person = await client.person()
    await refused(update(deployment, person.tokens.access_token, password=words), Reason.WEAK_PASSWORD)
    create = accounts_pb2.CreateAccountRequest(
        user_id=str(uuid4()), project=client.project, email=address(), password=words
    )
    await refused(deployment.accounts.CreateAccount(create), Reason.WEAK_PASSWORD)
    challenge, code = await reset_code(deployment, client, email)
    await refused(client.complete_reset(challenge, code, words), Reason.WEAK_PASSWORD)
    decoy = await client.start_reset(address())
    await refused(client.complete_reset(decoy, code, words), Reason.WEAK_PASSWORD)


async def test_a_password_with_the_user_name_does_not_spend_the_reset(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email = address()
    request = accounts_pb2.CreateAccountRequest(
        user_id="6c3b7c9e-5d47-4f0c-8d43-1a6b2f5d9e10", project=client.project, email=email, username="hildegard12"
    )
    await deployment.accounts.CreateAccount(request)
    challenge, code = await reset_code(deployment, client, email)
    await refused(client.complete_reset(challenge, code, "x-hildegard12-y"), Reason.WEAK_PASSWORD)
    await client.complete_reset(challenge, code, NEW)


async def test_a_decoy_reset_is_refused_like_a_wrong_code_and_judges_passwords_alike(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client(password_min_length=12)
    email, _ = await client.person()
    unknown = address()
    real, decoy = await client.start_reset(email), await client.start_reset(unknown)
    code = await client.mailed_code(email, [])
    assert len(real.handle) == len(decoy.handle) == 70
    assert abs(real.expire_time.seconds - decoy.expire_time.seconds) <= 2

    async def outcome(challenge: sign_in_pb2.Challenge, password: str) -> tuple[Any, ...]:
        with pytest.raises(GatepostError) as caught:
            await client.complete_reset(challenge, wrong(code), password)
        return caught.value.reason, caught.value.message, caught.value.violations, caught.value.metadata

    # Too short for this project only; holding the address's own name; fine.
    for password in ("kd93-xm2!kq", "9x-{}", NEW):
        of_real, of_decoy = (password.format(to.split("@")[0]) for to in (email, unknown))
        assert await outcome(real, of_real) == await outcome(decoy, of_decoy)
    assert await deployment.mails(unknown) == []


async def test_a_reset_asked_for_before_a_password_change_is_dead(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    challenge, code = await reset_code(deployment, client, email)
    await update(deployment, person.tokens.access_token, password=NEW)
    await refused(client.complete_reset(challenge, code, "yet another password"), Reason.CHALLENGE_FAILED)
    assert (await client.sign_in(email, NEW)).code


async def test_a_second_step_begun_before_a_reset_is_dead(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    before = [message.id for message in await deployment.mails(email)]
    step = await client.sign_in(email)
    two_step_code = await client.mailed_code(email, before)
    challenge, code = await reset_code(deployment, client, email)
    await client.complete_reset(challenge, code, NEW)
    await refused(client.answer(step, two_step_code), Reason.CHALLENGE_FAILED)


async def test_a_newer_reset_takes_the_place_of_the_older(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    first, first_code = await reset_code(deployment, client, email)
    second, second_code = await reset_code(deployment, client, email)
    for challenge, code in ((first, first_code), (first, second_code)):
        await refused(client.complete_reset(challenge, code, NEW), Reason.CHALLENGE_FAILED)
    await client.complete_reset(second, second_code, NEW)


async def test_the_fifth_wrong_answer_ends_a_reset(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    challenge, code = await reset_code(deployment, client, email)
    for _ in range(5):
        await refused(client.complete_reset(challenge, wrong(code), NEW), Reason.CHALLENGE_FAILED)
    await refused(client.complete_reset(challenge, code, NEW), Reason.CHALLENGE_FAILED)
    assert (await client.sign_in(email, PASSWORD)).code


async def test_a_reset_proves_the_address_of_an_unproven_account(deployment: Deployment) -> None:
    client = await deployment.client()
    email = address()
    request = accounts_pb2.CreateAccountRequest(
        user_id="0a8a5ed4-7a55-4e0b-a0b9-7c3f4f0f2f01", project=client.project, email=email, unverified=True
    )
    await deployment.accounts.CreateAccount(request)
    challenge, code = await reset_code(deployment, client, email)
    await client.complete_reset(challenge, code, NEW)
    signed_in = await client.exchange((await client.sign_in(email, NEW)).code)
    assert signed_in.account.email_verified


async def test_a_reset_without_address_or_with_a_malformed_one_is_refused(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    error = await refused(client.start_reset(""), Reason.MISSING_PARAMETER)
    assert (error.violations[0].field, error.violations[0].rule) == ("email", Rule.REQUIRED)
    await refused(client.start_reset("nobody"), Reason.INVALID_PARAMETER)


@pytest.mark.parametrize("handle", ["", "x", "0" * 70, "f" * 70, "\x00" * 70, "0" * 100_000])
async def test_an_unknown_reset_is_refused(deployment: Deployment, refused: Refused, handle: str) -> None:
    client = await deployment.client()
    await refused(client.complete_reset(sign_in_pb2.Challenge(handle=handle), "123456", NEW), Reason.CHALLENGE_FAILED)
