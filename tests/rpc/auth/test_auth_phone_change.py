"""Proving a phone number over RPC."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from rpc.auth.deployment import PASSWORD, Deployment, wrong

from gatepost.auth.v1 import accounts_pb2
from gatepost.users.v1 import profiles_pb2
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]
_numbers = iter(range(10_000_000, 99_999_999))


def number() -> str:
    """Return a number nobody has."""
    return f"+4915{next(_numbers)}1"


async def start(deployment: Deployment, token: str, phone: str, password: str = "") -> str:
    request = accounts_pb2.StartPhoneChangeRequest(access_token=token, phone=phone, current_password=password)
    return str((await deployment.accounts.StartPhoneChange(request)).handle)


async def complete(deployment: Deployment, token: str, phone: str, handle: str, code: str) -> None:
    await deployment.accounts.CompletePhoneChange(
        accounts_pb2.CompletePhoneChangeRequest(access_token=token, phone=phone, handle=handle, code=code)
    )


async def profile(deployment: Deployment, user_id: str) -> profiles_pb2.Profile:
    answer = await deployment.profiles.GetProfile(profiles_pb2.GetProfileRequest(user_id=user_id))
    found: profiles_pb2.Profile = answer.profile
    return found


async def test_a_number_is_proven_by_the_code_sent_to_it(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, phone = person.tokens.access_token, number()
    handle = await start(deployment, token, f"{phone[:3]} ({phone[3:7]}) {phone[7:]}")
    assert len(handle) == 70
    code = (await deployment.mail(phone, "phone_change_code")).code
    assert (await profile(deployment, person.account.user_id)).phone == ""
    await complete(deployment, token, phone, handle, code)
    stored = await profile(deployment, person.account.user_id)
    assert (stored.phone, stored.phone_verified) == (phone, True)
    await deployment.mail(email, "phone_changed")
    await client.authenticate(token)


async def test_whatever_is_wrong_is_refused_and_spends_nothing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    _, stranger = await client.person()
    token, phone = person.tokens.access_token, number()
    handle = await start(deployment, token, phone)
    code = (await deployment.mail(phone, "phone_change_code")).code
    for said in (
        (token, number(), handle, code),
        (token, "no number", handle, code),
        (stranger.tokens.access_token, phone, handle, code),
        (token, phone, "f" * 70, code),
        (token, phone, handle, wrong(code)),
    ):
        await refused(complete(deployment, *said), Reason.CHALLENGE_FAILED)
    await complete(deployment, token, phone, handle, code)
    await refused(complete(deployment, token, phone, handle, code), Reason.CHALLENGE_FAILED)


async def test_of_twenty_answers_at_once_one_counts(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, phone = person.tokens.access_token, number()
    handle = await start(deployment, token, phone)
    code = (await deployment.mail(phone, "phone_change_code")).code
    tries = (complete(deployment, token, phone, handle, code) for _ in range(20))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert answers.count(None) == 1
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.CHALLENGE_FAILED}


NOBODYS = ["", "0151 2345678", "+", "+49", "+4915" + "1" * 40]
COSTLY = ["+499001234567", "+449012345678", "+19002345678", "+33884012345"]


@pytest.mark.parametrize("phone", [*NOBODYS, *COSTLY])
async def test_what_is_no_number_is_refused(deployment: Deployment, refused: Refused, phone: str) -> None:
    client = await deployment.client()
    _, person = await client.person()
    error = await refused(start(deployment, person.tokens.access_token, phone), Reason.INVALID_PARAMETER)
    assert error.violations[0].field == "phone"


async def test_an_old_sign_in_needs_the_present_password(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    await deployment.age_sign_ins(person.account.user_id)
    await refused(start(deployment, token, number()), Reason.REAUTH_REQUIRED)
    assert await start(deployment, token, number(), PASSWORD)


async def test_a_profile_that_cannot_be_reached_leaves_the_code_usable(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, phone = person.tokens.access_token, number()
    handle = await start(deployment, token, phone)
    code = (await deployment.mail(phone, "phone_change_code")).code
    await deployment.users.stop()
    try:
        await refused(complete(deployment, token, phone, handle, code), Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED)
    finally:
        await deployment.users.start(deployment.keys)
    await complete(deployment, token, phone, handle, code)
    assert (await profile(deployment, person.account.user_id)).phone_verified


async def test_a_number_changed_without_proof_is_not_proven_any_more(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, phone = person.tokens.access_token, number()
    handle = await start(deployment, token, phone)
    await complete(deployment, token, phone, handle, (await deployment.mail(phone, "phone_change_code")).code)
    await deployment.accounts.UpdateOwnAccount(accounts_pb2.UpdateOwnAccountRequest(access_token=token, phone=number()))
    assert not (await profile(deployment, person.account.user_id)).phone_verified
