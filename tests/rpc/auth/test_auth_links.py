"""Mailed links over RPC: looking changes nothing, using works once."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment, address

from gatepost.auth.v1 import accounts_pb2, apps_pb2, directory_pb2, links_pb2
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]


async def look(deployment: Deployment, token: str) -> links_pb2.Link:
    link: links_pb2.Link = (await deployment.links.GetLink(links_pb2.GetLinkRequest(token=token))).link
    return link


async def use(deployment: Deployment, token: str) -> links_pb2.Link:
    link: links_pb2.Link = (await deployment.links.UseLink(links_pb2.UseLinkRequest(token=token))).link
    return link


async def pending(deployment: Deployment, client: Client) -> tuple[str, str]:
    """Make an account that its address is to be proven of; return address and id."""
    made = await deployment.api_keys.CreateApiKey(
        apps_pb2.CreateApiKeyRequest(id=str(uuid4()), project=client.project, scopes=["user:create"])
    )
    email, user_id = address(), str(uuid4())
    await deployment.directory.AddAccount(
        directory_pb2.AddAccountRequest(api_key=made.token, user_id=user_id, email=email, password=PASSWORD)
    )
    return email, user_id


async def account_of(deployment: Deployment, user_id: str) -> accounts_pb2.Account:
    ref = accounts_pb2.AccountRef(user_id=user_id)
    answer = await deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=ref))
    account: accounts_pb2.Account = answer.account
    return account


async def test_looking_at_a_link_never_acts(deployment: Deployment) -> None:
    client = await deployment.client()
    email, user_id = await pending(deployment, client)
    token = await deployment.link(email, "confirm_email")
    before = await account_of(deployment, user_id)
    link = await look(deployment, token)
    assert await look(deployment, token) == link
    assert (link.purpose, link.project, link.email) == (links_pb2.LINK_PURPOSE_VERIFY_EMAIL, client.project, email)
    assert link.expire_time.seconds > before.create_time.seconds
    assert await account_of(deployment, user_id) == before
    assert before.state == accounts_pb2.ACCOUNT_STATE_PENDING


async def test_using_a_link_proves_the_address_and_a_pending_account_comes_alive(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, user_id = await pending(deployment, client)
    await refused(client.sign_in(email), Reason.USER_NOT_VALIDATED)
    token = await deployment.link(email, "confirm_email")
    await use(deployment, token)
    account = await account_of(deployment, user_id)
    assert (account.state, account.email_verified) == (accounts_pb2.ACCOUNT_STATE_ACTIVE, True)
    assert (await client.sign_in(email)).code
    for call in (look, use):
        await refused(call(deployment, token), Reason.CHALLENGE_FAILED)


async def test_of_twenty_uses_at_once_over_two_instances_one_works(deployment: Deployment) -> None:
    client = await deployment.client()
    email, _ = await pending(deployment, client)
    request = links_pb2.UseLinkRequest(token=await deployment.link(email, "confirm_email"))
    stubs = (deployment.links, deployment.second_links) * 10
    answers = await asyncio.gather(*(stub.UseLink(request) for stub in stubs), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, links_pb2.UseLinkResponse)]) == 1
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.CHALLENGE_FAILED}


async def test_an_expired_link_does_nothing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, user_id = await pending(deployment, client)
    token = await deployment.link(email, "confirm_email")
    await deployment.execute("UPDATE links SET expires_at = now() WHERE account_id = $1", UUID(user_id))
    for call in (look, use):
        await refused(call(deployment, token), Reason.CHALLENGE_FAILED)


async def test_a_link_of_an_account_closed_by_an_operator_proves_nothing(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, user_id = await pending(deployment, client)
    token = await deployment.link(email, "confirm_email")
    ref = accounts_pb2.AccountRef(user_id=user_id)
    disable = accounts_pb2.SetAccountStateRequest(account=ref, state=accounts_pb2.ACCOUNT_STATE_DISABLED)
    await deployment.accounts.SetAccountState(disable)
    for call in (look, use):
        await refused(call(deployment, token), Reason.CHALLENGE_FAILED)
    assert (await account_of(deployment, user_id)).state == accounts_pb2.ACCOUNT_STATE_DISABLED


async def test_a_link_dies_with_its_account(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, user_id = await pending(deployment, client)
    token = await deployment.link(email, "confirm_email")
    ref = accounts_pb2.AccountRef(user_id=user_id)
    await deployment.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=ref))
    await refused(use(deployment, token), Reason.CHALLENGE_FAILED)


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "\x00" * 64, "0" * 100_000])
async def test_an_unknown_link_is_refused(deployment: Deployment, refused: Refused, token: str) -> None:
    for call in (look, use):
        await refused(call(deployment, token), Reason.CHALLENGE_FAILED)


async def test_a_token_is_not_kept_as_it_is(deployment: Deployment) -> None:
    client = await deployment.client()
    email, user_id = await pending(deployment, client)
    token = await deployment.link(email, "confirm_email")
    rows = await deployment.execute("SELECT links::text AS row FROM links WHERE account_id = $1", UUID(user_id))
    assert rows
    assert not [row for row in rows if token in row["row"]]
