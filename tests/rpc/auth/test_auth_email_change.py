"""Moving to another address and proving one, over RPC."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment, address, wrong

from gatepost.auth.v1 import accounts_pb2, links_pb2, sign_in_pb2, tokens_pb2
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]
NEW = "an entirely new password"


async def start(deployment: Deployment, token: str, email: str, password: str = "") -> str:
    request = accounts_pb2.StartEmailChangeRequest(access_token=token, email=email, current_password=password)
    return str((await deployment.accounts.StartEmailChange(request)).handle)


async def complete(deployment: Deployment, token: str, email: str, handle: str, code: str) -> accounts_pb2.Account:
    request = accounts_pb2.CompleteEmailChangeRequest(access_token=token, email=email, handle=handle, code=code)
    account: accounts_pb2.Account = (await deployment.accounts.CompleteEmailChange(request)).account
    return account


async def move(deployment: Deployment, token: str, email: str) -> accounts_pb2.Account:
    before = len([each for each in await deployment.mails(email) if each.template == "email_change_code"])
    handle = await start(deployment, token, email)
    code = (await deployment.mail(email, "email_change_code", before + 1)).code
    return await complete(deployment, token, email, handle, code)


async def use(deployment: Deployment, token: str) -> links_pb2.Link:
    link: links_pb2.Link = (await deployment.links.UseLink(links_pb2.UseLinkRequest(token=token))).link
    return link


async def account_of(deployment: Deployment, user_id: str) -> accounts_pb2.Account:
    ref = accounts_pb2.AccountRef(user_id=user_id)
    answer = await deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=ref))
    account: accounts_pb2.Account = answer.account
    return account


async def test_a_change_moves_the_address_keeps_this_session_and_ends_the_others(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, this = await client.person()
    other = await client.exchange((await client.sign_in(email)).code)
    new = address()
    moved = await move(deployment, this.tokens.access_token, new.upper())
    assert (moved.email.casefold(), moved.email_verified) == (new, True)
    await client.authenticate(this.tokens.access_token)
    await refused(client.authenticate(other.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)
    assert (await client.sign_in(new)).code
    told = await deployment.mail(email, "email_changed")
    assert new not in told.text
    assert "/undo-email-change?token=" in told.link


async def test_an_old_sign_in_needs_the_present_password(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    await deployment.age_sign_ins(person.account.user_id)
    for password in ("", "not the password at all"):
        error = await refused(start(deployment, token, address(), password), Reason.REAUTH_REQUIRED)
        assert error.violations[0].field == "current_password"
    assert await start(deployment, token, address(), PASSWORD)


async def test_an_address_in_use_gets_the_same_answer_and_its_owner_a_note(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = person.tokens.access_token
    taken, _ = await client.person()
    handle = await start(deployment, token, taken)
    assert len(handle) == 70
    await deployment.mail(taken, "already_registered")
    assert not [message for message in await deployment.mails(taken) if message.code]
    await refused(complete(deployment, token, taken, handle, "123456"), Reason.CHALLENGE_FAILED)
    assert (await client.sign_in(email)).code


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c.org"])
async def test_a_malformed_address_is_refused(deployment: Deployment, refused: Refused, email: str) -> None:
    client = await deployment.client()
    _, person = await client.person()
    await refused(start(deployment, person.tokens.access_token, email), Reason.INVALID_PARAMETER)


async def test_the_present_address_is_no_change(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await refused(start(deployment, person.tokens.access_token, email.upper()), Reason.INVALID_PARAMETER)


async def test_another_address_account_session_handle_or_code_is_refused_and_spends_nothing(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    _, stranger = await client.person()
    token = person.tokens.access_token
    second = (await client.exchange((await client.sign_in(email)).code)).tokens.access_token
    new = address()
    handle = await start(deployment, token, new)
    code = (await deployment.mail(new, "email_change_code")).code
    for said in (
        (token, address(), handle, code),
        (token, "nobody", handle, code),
        (stranger.tokens.access_token, new, handle, code),
        (second, new, handle, code),
        (token, new, "0" * 70, code),
        (token, new, handle, wrong(code)),
    ):
        await refused(complete(deployment, *said), Reason.CHALLENGE_FAILED)
    assert (await complete(deployment, token, new, handle, code)).email == new
    await refused(complete(deployment, token, new, handle, code), Reason.CHALLENGE_FAILED)


async def test_a_code_of_another_purpose_is_refused(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    challenge = await client.start_reset(email)
    code = await client.mailed_code(email, [])
    token = person.tokens.access_token
    await refused(complete(deployment, token, email, challenge.handle, code), Reason.CHALLENGE_FAILED)
    new = address()
    handle = await start(deployment, token, new)
    mailed = (await deployment.mail(new, "email_change_code")).code
    change = sign_in_pb2.Challenge(handle=handle)
    await refused(client.complete_reset(change, mailed, NEW), Reason.CHALLENGE_FAILED)


async def test_of_twenty_answers_at_once_one_moves_the_address(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, new = person.tokens.access_token, address()
    handle = await start(deployment, token, new)
    code = (await deployment.mail(new, "email_change_code")).code
    tries = (complete(deployment, token, new, handle, code) for _ in range(20))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert len([answer for answer in answers if not isinstance(answer, BaseException)]) == 1
    reasons = {answer.reason for answer in answers if isinstance(answer, GatepostError)}
    assert reasons <= {Reason.CHALLENGE_FAILED}
    await deployment.mail(email, "email_changed")
    rows = await deployment.execute(
        "SELECT count(*) AS n FROM links l JOIN identifiers i ON i.account_id = l.account_id AND i.value = $1 "
        "WHERE l.purpose = 'undo-email-change'",
        new,
    )
    assert rows[0]["n"] == 1


async def test_a_change_begun_before_a_new_password_is_dead(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, new = person.tokens.access_token, address()
    handle = await start(deployment, token, new)
    code = (await deployment.mail(new, "email_change_code")).code
    await deployment.accounts.UpdateOwnAccount(accounts_pb2.UpdateOwnAccountRequest(access_token=token, password=NEW))
    await refused(complete(deployment, token, new, handle, code), Reason.CHALLENGE_FAILED)


async def test_an_address_that_another_proves_first_is_not_taken_from_him(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, new = person.tokens.access_token, address()
    handle = await start(deployment, token, new)
    code = (await deployment.mail(new, "email_change_code")).code
    await client.sign_up(new)
    await refused(complete(deployment, token, new, handle, code), Reason.CHALLENGE_FAILED)
    assert (await client.authenticate(token)).account.email == email


async def test_a_change_does_not_make_the_sign_in_younger(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, new = person.tokens.access_token, address()
    handle = await start(deployment, token, new)
    await deployment.age_sign_ins(person.account.user_id)
    await complete(deployment, token, new, handle, (await deployment.mail(new, "email_change_code")).code)
    await refused(start(deployment, token, address()), Reason.REAUTH_REQUIRED)


@pytest.mark.parametrize("policy", ["none", "otp", "two-step"])
async def test_the_old_address_is_kept_for_its_owner(deployment: Deployment, refused: Refused, policy: str) -> None:
    client = await deployment.client(policy)
    email, person = await client.person()
    _, stranger = await client.person()
    await move(deployment, person.tokens.access_token, address())
    if policy == "none":
        await refused(client.sign_up(email), Reason.EMAIL_TAKEN)
    else:
        await client.sign_up(email)
        await deployment.mail(email, "already_registered")
    create = accounts_pb2.CreateAccountRequest(user_id=str(uuid4()), project=client.project, email=email.upper())
    await refused(deployment.accounts.CreateAccount(create), Reason.EMAIL_TAKEN)
    handle = await start(deployment, stranger.tokens.access_token, email)
    await refused(complete(deployment, stranger.tokens.access_token, email, handle, "123456"), Reason.CHALLENGE_FAILED)
    assert not [each for each in await deployment.mails(email) if each.template == "email_change_code"]


async def test_nobody_slips_in_while_an_address_is_given_up(deployment: Deployment) -> None:
    client = await deployment.client()
    for _ in range(5):
        email, person = await client.person()
        token, new = person.tokens.access_token, address()
        handle = await start(deployment, token, new)
        code = (await deployment.mail(new, "email_change_code")).code
        sign_ups = (client.sign_up(email) for _ in range(10))
        moved, *others = await asyncio.gather(
            complete(deployment, token, new, handle, code), *sign_ups, return_exceptions=True
        )
        assert isinstance(moved, accounts_pb2.Account)
        assert {each.reason for each in others if isinstance(each, GatepostError)} == {Reason.EMAIL_TAKEN}
        assert all(isinstance(each, GatepostError) for each in others)


async def test_a_sign_up_begun_before_cannot_take_the_old_address(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client("otp")
    email, new = address(), address()
    first = await client.sign_up(email)  # never proven
    code = await client.mailed_code(email, [])
    request = accounts_pb2.CreateAccountRequest(user_id=str(uuid4()), project=client.project, email=email)
    await deployment.accounts.CreateAccount(request)
    before = [message.id for message in await deployment.mails(email)]
    step = await client.sign_in(email)
    one_time = await client.answer(step, await client.mailed_code(email, before))
    person = await client.exchange(one_time)
    await move(deployment, person.tokens.access_token, new)
    await refused(client.answer(first, code), Reason.CHALLENGE_FAILED)


async def test_the_owner_may_go_back_to_a_kept_address(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = person.tokens.access_token
    await move(deployment, token, address())
    assert (await move(deployment, token, email)).email == email


async def test_undoing_goes_back_ends_every_session_and_asks_for_a_new_password(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    new = address()
    await move(deployment, person.tokens.access_token, new)
    used = await use(deployment, await deployment.link(email, "email_changed"))
    assert (used.purpose, used.email) == (links_pb2.LINK_PURPOSE_UNDO_EMAIL_CHANGE, email)
    account = await account_of(deployment, person.account.user_id)
    assert (account.email, account.email_verified, account.has_password) == (email, True, False)
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    for login in (email, new):
        await refused(client.sign_in(login), Reason.BAD_CREDENTIALS)
    reset = next(each for each in await _mails_with_code(deployment, email))
    assert reset.template in {"reset_link", "reset_code"}


async def _mails_with_code(deployment: Deployment, email: str) -> list[Any]:
    async with asyncio.timeout(10):
        while True:
            found = [each for each in await deployment.mails(email) if each.template.startswith("reset_")]
            if found:
                return found
            await asyncio.sleep(0.02)


async def test_whoever_moves_an_account_twice_loses_it_to_the_first_owner(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, second, third = person.tokens.access_token, address(), address()
    await move(deployment, token, second)
    await move(deployment, token, third)
    await use(deployment, await deployment.link(second, "email_changed"))  # his own link first: to no avail
    assert (await account_of(deployment, person.account.user_id)).email == second
    await use(deployment, await deployment.link(email, "email_changed"))
    assert (await account_of(deployment, person.account.user_id)).email == email
    await refused(use(deployment, await deployment.link(second, "email_changed")), Reason.CHALLENGE_FAILED)


async def test_undoing_the_first_change_ends_the_links_of_later_ones(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, second = person.tokens.access_token, address()
    await move(deployment, token, second)
    await move(deployment, token, address())
    later = await deployment.link(second, "email_changed")
    await use(deployment, await deployment.link(email, "email_changed"))
    await refused(use(deployment, later), Reason.CHALLENGE_FAILED)
    assert (await account_of(deployment, person.account.user_id)).email == email
    await client.sign_up(second)  # nor is the thief's address kept any more


async def test_undoing_kills_a_change_under_way_and_a_closing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, second, third = person.tokens.access_token, address(), address()
    await move(deployment, token, second)
    handle = await start(deployment, token, third)
    code = (await deployment.mail(third, "email_change_code")).code
    await deployment.accounts.CloseOwnAccount(accounts_pb2.CloseOwnAccountRequest(access_token=token))
    await use(deployment, await deployment.link(email, "email_changed"))
    account = await account_of(deployment, person.account.user_id)
    assert (account.email, account.state) == (email, accounts_pb2.ACCOUNT_STATE_ACTIVE)
    assert not account.HasField("close_time")
    await refused(complete(deployment, token, third, handle, code), Reason.TOKEN_INVALID)


async def test_of_twenty_undos_at_once_one_works(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await move(deployment, person.tokens.access_token, address())
    request = links_pb2.UseLinkRequest(token=await deployment.link(email, "email_changed"))
    stubs = (deployment.links, deployment.second_links) * 10
    answers = await asyncio.gather(*(stub.UseLink(request) for stub in stubs), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, links_pb2.UseLinkResponse)]) == 1
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.CHALLENGE_FAILED}


async def test_two_links_of_one_account_used_at_once_do_not_wait_for_each_other_forever(
    deployment: Deployment,
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, second = person.tokens.access_token, address()
    await move(deployment, token, second)
    await move(deployment, token, address())
    both = [await deployment.link(to, "email_changed") for to in (email, second)]
    answers = await asyncio.gather(*(use(deployment, each) for each in both * 5), return_exceptions=True)
    assert {each.reason for each in answers if isinstance(each, GatepostError)} <= {Reason.CHALLENGE_FAILED}
    assert (await account_of(deployment, person.account.user_id)).email == email


async def test_an_old_sign_in_cannot_be_used_after_an_undo(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await move(deployment, person.tokens.access_token, address())
    await use(deployment, await deployment.link(email, "email_changed"))
    await refused(client.refresh(person.tokens.refresh_token), Reason.TOKEN_INVALID)
    end = tokens_pb2.EndSessionRequest(access_token=person.tokens.access_token)
    await refused(deployment.tokens.EndSession(end), Reason.TOKEN_INVALID)


async def send_proof(deployment: Deployment, client: Client, token: str) -> None:
    await deployment.accounts.SendEmailProof(accounts_pb2.SendEmailProofRequest(access_token=token))


async def proofs(deployment: Deployment, email: str) -> int:
    return len([each for each in await deployment.mails(email) if each.template == "confirm_email"])


async def test_a_mailed_link_proves_the_present_address(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    assert not person.account.email_verified
    await deployment.mail(email, "confirm_email")  # of the sign-up
    await send_proof(deployment, client, person.tokens.access_token)
    await use(deployment, await deployment.link(email, "confirm_email", 2))
    assert (await client.authenticate(person.tokens.access_token)).account.email_verified
    await send_proof(deployment, client, person.tokens.access_token)
    await asyncio.sleep(0.2)
    assert await proofs(deployment, email) == 2


async def test_proofs_are_not_mailed_without_end(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    answers = await asyncio.gather(*(send_proof(deployment, client, token) for _ in range(20)), return_exceptions=True)
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.RATE_LIMITED}


async def test_changes_are_not_begun_without_end(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = person.tokens.access_token
    answers = await asyncio.gather(*(start(deployment, token, address()) for _ in range(20)), return_exceptions=True)
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.RATE_LIMITED}


async def test_a_link_for_an_address_given_up_proves_nothing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await send_proof(deployment, client, person.tokens.access_token)
    link = await deployment.link(email, "confirm_email")
    await move(deployment, person.tokens.access_token, address())
    await refused(use(deployment, link), Reason.CHALLENGE_FAILED)
