"""One data folder, several starts: what was there is there again, and nothing else is needed."""

from collections.abc import Callable

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person


@pytest.fixture(scope="module")
def own_stack(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    return make_stack()


async def test_a_second_start_finds_what_the_first_left(own_stack: GatepostStack) -> None:
    demo = own_stack.up()["demo"]
    app, person = App("default", demo["client_id"], demo["client_secret"]), Person(demo["email"], demo["password"])
    async with ClientSession() as session:
        client = Ihopr(session, own_stack.url)
        tokens = await client.signed_in_again(app, person)
        newcomer, unused = await client.signup(app)
    own_stack.down()
    assert own_stack.up("--auth", "2", "--gateways", "2")["demo"] == demo
    async with ClientSession() as session:
        client = Ihopr(session, own_stack.url)
        answer = await client.success("GET", "user", token=tokens["access_token"])
        assert answer["user"]["email"] == person.email
        assert (await client.signed_in_again(app, newcomer))["user"]["email"] == newcomer.email
        assert (await client.exchange(app, unused["code"]))["user"]["email"] == newcomer.email
