"""Signing in by Facebook, whose token inspection a server on loopback speaks."""

import time
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from facebook_server import FacebookServer
from rpc.auth.deployment import PASSWORD, Deployment, address
from rpc.auth.visitor import SESSION_KEY, Door, door

from gatepost.auth.v1 import accounts_pb2, sign_in_pb2
from runtime.errors import Reason

Refused = Callable[..., Any]


def identity(token: str, subject: str = "", provider: str = "facebook") -> sign_in_pb2.ExternalIdentity:
    return sign_in_pb2.ExternalIdentity(provider=provider, token=token, subject=subject)


def facebook_id() -> str:
    return str(uuid4().int % 10**15 + 1)


@pytest_asyncio.fixture(loop_scope="session")
async def here(deployment: Deployment) -> Door:
    return (await door(deployment)).of(SESSION_KEY)


@pytest_asyncio.fixture(loop_scope="session")
async def outage(facebook: FacebookServer) -> AsyncIterator[FacebookServer]:
    facebook.broken = HTTPStatus.INTERNAL_SERVER_ERROR
    yield facebook
    facebook.broken = None


async def test_one_who_signed_up_with_facebook_signs_in_with_it(here: Door, facebook: FacebookServer) -> None:
    user, email = facebook_id(), address()
    made = (await here.sign_up(email, identity=identity(facebook.token(user), user))).session
    for subject in ("", user):
        session = await here.with_facebook(facebook.token(user), subject)
        assert session.account.user_id == made.account.user_id
        assert (await here.authenticate(session.token)).account.email == email


async def test_a_password_works_beside_it(here: Door, facebook: FacebookServer) -> None:
    email = address()
    await here.sign_up(email, identity=identity(facebook.token(facebook_id())))
    assert (await here.sign_in(email, PASSWORD)).session.token


async def test_nobody_linked_is_unknown(here: Door, facebook: FacebookServer, refused: Refused) -> None:
    await refused(here.with_facebook(facebook.token(facebook_id())), Reason.IDENTITY_UNKNOWN)


async def test_a_link_counts_in_its_project_only(
    deployment: Deployment, here: Door, facebook: FacebookServer, refused: Refused
) -> None:
    user = facebook_id()
    await here.sign_up(address(), identity=identity(facebook.token(user)))
    elsewhere = (await door(deployment)).of(SESSION_KEY)
    await refused(elsewhere.with_facebook(facebook.token(user)), Reason.IDENTITY_UNKNOWN)


async def test_an_identity_is_linked_to_one_account(here: Door, facebook: FacebookServer, refused: Refused) -> None:
    user, email = facebook_id(), address()
    await here.sign_up(address(), identity=identity(facebook.token(user)))
    await refused(here.sign_up(email, identity=identity(facebook.token(user))), Reason.IDENTITY_TAKEN)
    await refused(here.sign_in(email), Reason.BAD_CREDENTIALS)  # nothing was made


async def test_an_identity_is_never_linked_to_an_account_that_is_there(
    here: Door, facebook: FacebookServer, refused: Refused
) -> None:
    user, email = facebook_id(), address()
    await here.sign_up(email)
    await refused(here.sign_up(email, identity=identity(facebook.token(user))), Reason.EMAIL_TAKEN)
    await refused(here.with_facebook(facebook.token(user)), Reason.IDENTITY_UNKNOWN)


BAD: dict[str, dict[str, Any]] = {
    "not valid": {"is_valid": False},
    "valid as a word": {"is_valid": "true"},
    "another app's": {"app_id": "111"},
    "of no app": {"app_id": None},
    "expired": {"expires_at": int(time.time()) - 1},
    "without end": {"expires_at": None},
    "of nobody": {"user_id": None},
    "of a page": {"type": "PAGE"},
    "of a strange id": {"user_id": "1:2"},
}


@pytest.mark.parametrize("said", BAD.values(), ids=BAD.keys())
async def test_a_token_that_is_not_good_for_our_app_is_refused(
    here: Door, facebook: FacebookServer, refused: Refused, said: dict[str, Any]
) -> None:
    user = facebook_id()
    await here.sign_up(address(), identity=identity(facebook.token(user)))
    token = facebook.token(user, **said)
    await refused(here.with_facebook(token), Reason.IDENTITY_INVALID)
    await refused(here.sign_up(address(), identity=identity(token)), Reason.IDENTITY_INVALID)


async def test_a_token_that_never_expires_is_good(here: Door, facebook: FacebookServer) -> None:
    user = facebook_id()
    await here.sign_up(address(), identity=identity(facebook.token(user)))
    assert (await here.with_facebook(facebook.token(user, expires_at=0))).token


async def test_a_token_of_somebody_else_than_the_client_says_is_refused(
    here: Door, facebook: FacebookServer, refused: Refused
) -> None:
    user = facebook_id()
    await here.sign_up(address(), identity=identity(facebook.token(user)))
    await refused(here.with_facebook(facebook.token(facebook_id()), user), Reason.IDENTITY_INVALID)


@pytest.mark.parametrize("token", ["", "no token", "EAAunknown", "x" * 5000])
async def test_what_is_no_token_is_refused(here: Door, refused: Refused, token: str) -> None:
    await refused(here.with_facebook(token), Reason.IDENTITY_INVALID)


async def test_a_provider_that_we_do_not_know_is_refused(
    here: Door, facebook: FacebookServer, refused: Refused
) -> None:
    said = identity(facebook.token(facebook_id()), provider="myspace")
    await refused(here.sign_up(address(), identity=said), Reason.IDENTITY_INVALID)


async def test_an_outage_of_facebook_is_said_to_be_one(here: Door, outage: FacebookServer, refused: Refused) -> None:
    email = address()
    token = outage.token(facebook_id())
    error = await refused(here.with_facebook(token), Reason.UNAVAILABLE)
    assert token not in str(error)
    await refused(here.sign_up(email, identity=identity(token)), Reason.UNAVAILABLE)
    outage.broken = None
    await here.sign_up(email, identity=identity(token))


async def test_our_own_secret_being_wrong_is_nobodys_fault(
    here: Door, facebook: FacebookServer, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facebook, "app_secret", "changed at Facebook")
    await refused(here.with_facebook(facebook.token(facebook_id())), Reason.UNAVAILABLE)


async def test_a_disabled_account_is_as_unknown(
    deployment: Deployment, here: Door, facebook: FacebookServer, refused: Refused
) -> None:
    user = facebook_id()
    made = (await here.sign_up(address(), identity=identity(facebook.token(user)))).session
    ref = accounts_pb2.AccountRef(user_id=made.account.user_id)
    state = accounts_pb2.SetAccountStateRequest(account=ref, state=accounts_pb2.ACCOUNT_STATE_DISABLED)
    await deployment.accounts.SetAccountState(state)
    await refused(here.with_facebook(facebook.token(user)), Reason.IDENTITY_UNKNOWN)


async def test_a_link_is_lost_when_somebody_else_proves_the_address(
    deployment: Deployment, here: Door, facebook: FacebookServer, refused: Refused
) -> None:
    user, email = facebook_id(), address()
    await here.sign_up(email, identity=identity(facebook.token(user)))
    await here.start_reset(email)
    code = (await deployment.mail(email, "reset_link")).code
    await here.complete_reset("another password altogether", email=email, project=here.project, code=code)
    await refused(here.with_facebook(facebook.token(user)), Reason.IDENTITY_UNKNOWN)


async def test_a_sign_up_that_is_proven_by_mail_is_linked_when_its_own_code_is_answered(
    deployment: Deployment, facebook: FacebookServer
) -> None:
    here = (await door(deployment, "two-step")).of(SESSION_KEY)
    user, email = facebook_id(), address()
    step = await here.sign_up(email, identity=identity(facebook.token(user)))
    made = await here.answer(step, (await deployment.mail(email, "sign_up_code")).code)
    assert (await here.with_facebook(facebook.token(user))).account.user_id == made.account.user_id


async def test_a_sign_up_that_somebody_else_proves_is_not_linked(
    deployment: Deployment, facebook: FacebookServer, refused: Refused
) -> None:
    here = (await door(deployment, "otp")).of(SESSION_KEY)
    user, email = facebook_id(), address()
    await here.sign_up(email, "", identity=identity(facebook.token(user)))
    step = await here.sign_in(email, "")
    await here.answer(step, (await deployment.mail(email, "sign_in_code")).code)
    await refused(here.with_facebook(facebook.token(user)), Reason.IDENTITY_UNKNOWN)
