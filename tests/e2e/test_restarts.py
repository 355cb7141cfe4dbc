"""One data folder, several starts: what was there is there again, and nothing else is needed."""

import json
import subprocess
import sys
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


def test_a_demo_whose_making_was_interrupted_is_made_with_the_same_credentials(
    make_stack: Callable[..., GatepostStack],
) -> None:
    stack = make_stack()
    stack.up("--no-demo")
    # What it answers is not remembered, as if `up` had ended before.
    making = [sys.executable, "-m", "gatepost_cli.demo", str(stack.data_dir)]
    first, second = (
        json.loads(subprocess.run(making, env=stack.environment, check=True, capture_output=True).stdout)
        for _ in range(2)
    )
    assert first | {"client_secret": ""} == second | {"client_secret": ""}
    (secret,) = stack.cli("app", "show", second["client_id"])["secrets"]
    assert secret["hint"] == second["client_secret"][-4:]
