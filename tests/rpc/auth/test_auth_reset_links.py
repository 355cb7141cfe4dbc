"""Mailed links to set a new password: good once, and good whatever strangers do meanwhile."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from rpc.auth.deployment import PASSWORD, Deployment, address, wrong
from rpc.auth.visitor import Door, door

from runtime.errors import Reason

Refused = Callable[..., Any]
NEW_PASSWORD = "another password altogether"
# The limits there are unless they are set.
_MAILS, _WRONG_CODES, _TRIES = 10, 30, 5


@pytest.fixture
async def here(deployment: Deployment) -> Door:
    return await door(deployment)


@pytest.fixture
async def email(here: Door) -> str:
    """Return the address of somebody who has just signed up."""
    email = address()
    await here.sign_up(email)
    return email


async def asked(here: Door, email: str, number: int = 1) -> str:
    """Ask for a reset, the number-th; return the token of the link."""
    await here.start_reset(email)
    return await here.deployment.link(email, "reset_link", number)


async def test_the_link_leads_to_the_page_of_the_project(here: Door, email: str) -> None:
    await here.start_reset(email)
    mail = await here.deployment.mail(email, "reset_link")
    page = f"http://127.0.0.1:8080/t/{here.project}/reset-password"
    assert re.fullmatch(re.escape(page) + r"\?token=[0-9a-f]{84}", mail.link)
    assert mail.code not in mail.link


async def test_a_link_sets_one_password(here: Door, email: str, refused: Refused) -> None:
    token = await asked(here, email)
    await refused(here.complete_reset("short", handle=token), Reason.WEAK_PASSWORD)
    await here.complete_reset(NEW_PASSWORD, handle=token)
    assert (await here.sign_in(email, NEW_PASSWORD)).session.account.email_verified
    await refused(here.complete_reset(PASSWORD, handle=token), Reason.CHALLENGE_FAILED)


async def test_who_asks_again_ends_no_link_and_whoever_follows_one_ends_all(
    here: Door, email: str, refused: Refused
) -> None:
    tokens = [await asked(here, email, number) for number in (1, 2, 3)]
    code = (await here.deployment.mail(email, "reset_link", 3)).code
    await here.complete_reset(NEW_PASSWORD, handle=tokens[1])
    for token in tokens:
        await refused(here.complete_reset(PASSWORD, handle=token), Reason.CHALLENGE_FAILED)
    said = {"email": email, "project": here.project}
    await refused(here.complete_reset(PASSWORD, code=code, **said), Reason.CHALLENGE_FAILED)


async def test_a_password_that_is_set_with_the_code_ends_the_link(here: Door, email: str, refused: Refused) -> None:
    token = await asked(here, email)
    code = (await here.deployment.mail(email, "reset_link")).code
    await here.complete_reset(NEW_PASSWORD, code=code, email=email, project=here.project)
    await refused(here.complete_reset(PASSWORD, handle=token), Reason.CHALLENGE_FAILED)


async def test_strangers_who_guess_at_codes_end_no_link_and_keep_nobody_from_asking_for_one(
    here: Door, email: str, refused: Refused
) -> None:
    said = {"email": email, "project": here.project}
    rounds = _WRONG_CODES // _TRIES
    tokens = []
    for number in range(1, rounds + 1):
        tokens.append(await asked(here, email, number))
        code = (await here.deployment.mail(email, "reset_link", number)).code
        for _ in range(_TRIES):
            await refused(here.complete_reset(NEW_PASSWORD, code=wrong(code), **said), Reason.CHALLENGE_FAILED)
    last = await asked(here, email, rounds + 1)
    # There is an end to guessing: no code is right any more.
    code = (await here.deployment.mail(email, "reset_link", rounds + 1)).code
    await refused(here.complete_reset(NEW_PASSWORD, code=code, **said), Reason.RATE_LIMITED)
    await here.complete_reset(NEW_PASSWORD, handle=tokens[0])
    await refused(here.complete_reset(NEW_PASSWORD, handle=last), Reason.CHALLENGE_FAILED)
    assert (await here.sign_in(email, NEW_PASSWORD)).session.token


async def test_codes_that_were_mailed_for_apps_keep_nobody_from_asking_for_a_link(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    for _ in range(_MAILS):
        await client.start_reset(email)
    await refused(client.start_reset(email), Reason.RATE_LIMITED)
    here = Door(deployment, client.project, "none")
    await here.complete_reset(NEW_PASSWORD, handle=await asked(here, email))
    assert (await here.sign_in(email, NEW_PASSWORD)).session.token


async def test_the_link_of_one_address_resets_no_other(here: Door, email: str, refused: Refused) -> None:
    theirs = address()
    await here.sign_up(theirs)
    said = {"code": await asked(here, email), "project": here.project}
    await refused(here.complete_reset(NEW_PASSWORD, email=theirs, **said), Reason.CHALLENGE_FAILED)
    await here.complete_reset(NEW_PASSWORD, email=email, **said)


async def test_the_link_of_one_project_resets_nothing_in_another(
    deployment: Deployment, here: Door, email: str, refused: Refused
) -> None:
    elsewhere = await door(deployment)
    await elsewhere.sign_up(email)
    said = {"email": email, "code": await asked(here, email)}
    await refused(here.complete_reset(NEW_PASSWORD, project=elsewhere.project, **said), Reason.CHALLENGE_FAILED)
    await here.complete_reset(NEW_PASSWORD, project=here.project, **said)


async def test_the_link_of_an_account_that_is_gone_leads_nowhere(here: Door, email: str, refused: Refused) -> None:
    token = await asked(here, email)
    await here.deployment.execute(
        "DELETE FROM accounts WHERE id = (SELECT account_id FROM identifiers WHERE normalized = $1)", email
    )
    await refused(here.complete_reset(NEW_PASSWORD, handle=token), Reason.CHALLENGE_FAILED)


async def test_the_link_of_an_account_that_an_operator_closed_leads_nowhere(
    here: Door, email: str, refused: Refused
) -> None:
    token = await asked(here, email)
    await here.deployment.execute(
        "UPDATE accounts SET state = 'disabled' WHERE id = (SELECT account_id FROM identifiers WHERE normalized = $1)",
        email,
    )
    await refused(here.complete_reset(NEW_PASSWORD, handle=token), Reason.CHALLENGE_FAILED)
