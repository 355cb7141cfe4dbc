"""Signing in by Facebook over Shoop, against a local server that inspects tokens as Facebook's does."""

import time
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from secrets import randbelow
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.shoop_client import PASSWORD, Shoop, new_market
from facebook_server import FacebookServer

TOKEN_INVALID = (401, "Your Facebook token is invalid.")
NOT_REGISTERED = (404, "Your Facebook account is not registered.")


@pytest.fixture(scope="module")
async def facebook() -> AsyncIterator[FacebookServer]:
    server = await FacebookServer().start()
    yield server
    await server.stop()


@pytest.fixture(scope="module")
def with_facebook(make_stack: Callable[..., GatepostStack], facebook: FacebookServer) -> GatepostStack:
    """Return a stack for which Facebook is set up."""
    stack = make_stack(
        GATEPOST_FACEBOOK_APP_ID=facebook.app_id,
        GATEPOST_FACEBOOK_APP_SECRET=facebook.app_secret,
        GATEPOST_FACEBOOK_BASE_URL=facebook.base_url,
    )
    stack.up()
    return stack


@pytest.fixture(scope="module", params=["strict", "legacy"])
def market(request: pytest.FixtureRequest, with_facebook: GatepostStack, session: ClientSession) -> Shoop:
    return new_market(with_facebook, session, request.param)


def new_uid() -> str:
    return str(10**14 + randbelow(10**14))


async def login(market: Shoop, token: str, uid: str, **more: Any) -> Any:
    return await market.post("auth/login", fb_token=token, fb_uid=uid, **more)


async def test_who_registered_with_facebook_logs_in_with_it(market: Shoop, facebook: FacebookServer) -> None:
    uid = new_uid()
    email, key = await market.registered(fb_token=facebook.token(uid))
    answer = await login(market, facebook.token(uid), uid, gcm_id="a-device")
    assert (await market.user(answer.success["key"]))["id_user"] == (await market.user(key))["id_user"]
    assert (await market.post("auth/login", email=email, password=PASSWORD)).success["key"]
    user = await market.user(key)
    assert (user["fb_token"], user["fb_uid"]) == ("", "null")


async def test_a_user_of_facebook_nobody_registered_with(market: Shoop, facebook: FacebookServer) -> None:
    uid = new_uid()
    (await login(market, facebook.token(uid), uid)).refused(*NOT_REGISTERED)


async def test_an_address_beside_the_token_links_nobody(market: Shoop, facebook: FacebookServer) -> None:
    uid = new_uid()
    email, _ = await market.registered()
    (await login(market, facebook.token(uid), uid, email=email)).refused(*NOT_REGISTERED)


@pytest.mark.parametrize(
    "said",
    [{"is_valid": False}, {"app_id": "1"}, {"expires_at": int(time.time()) - 10}, {"type": "APP"}],
    ids=["dead", "of another app", "expired", "of an app"],
)
async def test_a_token_that_facebook_does_not_vouch_for(
    market: Shoop, facebook: FacebookServer, said: dict[str, Any]
) -> None:
    uid = new_uid()
    await market.registered(fb_token=facebook.token(uid))
    (await login(market, facebook.token(uid, **said), uid)).refused(*TOKEN_INVALID)
    (await market.register(fb_token=facebook.token(new_uid(), **said))).refused(*TOKEN_INVALID)


async def test_a_token_of_somebody_else_than_the_uid_says(market: Shoop, facebook: FacebookServer) -> None:
    uid = new_uid()
    await market.registered(fb_token=facebook.token(uid))
    (await login(market, facebook.token(new_uid()), uid)).refused(*TOKEN_INVALID)
    (await login(market, "EAAnothing", uid)).refused(*TOKEN_INVALID)


async def test_a_facebook_account_that_is_linked_already(market: Shoop, facebook: FacebookServer) -> None:
    uid = new_uid()
    await market.registered(fb_token=facebook.token(uid))
    answer = await market.register(fb_token=facebook.token(uid))
    answer.refused(409, "Your Facebook account has been registered.")


async def test_facebook_that_is_broken(market: Shoop, facebook: FacebookServer) -> None:
    uid = new_uid()
    await market.registered(fb_token=facebook.token(uid))
    facebook.broken = HTTPStatus.INTERNAL_SERVER_ERROR
    try:
        answer = await login(market, facebook.token(uid), uid)
    finally:
        facebook.broken = None
    answer.refused(503, "Our service is not available. Please try again.")
    assert int(answer.headers["Retry-After"]) >= 1
