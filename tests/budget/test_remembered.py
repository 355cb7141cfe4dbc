"""What a gateway that remembers asks its services for: nothing that it knows. `budgets.csv` counts without memory."""

from collections.abc import Callable

import pytest
from aiohttp import ClientSession
from budget.cases import Case, Place
from budget.meter import Meter
from budget.test_budget import CASES
from conftest import GatepostStack

_READS = 5
_TRIES = 3  # what is remembered unheard is good for 0.3 s, which a busy machine may take for five reads
_KNOWN = {"/gatepost.auth.v1.TokenService/Authenticate", "/gatepost.users.v1.ProfileService/GetProfile"}
_REPEATED = [case for case in CASES if case.repeated]


@pytest.fixture(scope="module")
def remembering_stack(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    stack = make_stack()
    stack.up()
    return stack


@pytest.mark.parametrize("case", _REPEATED, ids=lambda case: case.name)
async def test_a_token_that_was_just_read_costs_neither_its_check_nor_its_profile_again(
    case: Case, remembering_stack: GatepostStack, counting_session: ClientSession
) -> None:
    processes = remembering_stack.status()["processes"]
    meter = Meter(counting_session, [each["metrics"] for each in processes if each["metrics"]])
    send = await case.prepare(Place(remembering_stack, counting_session))
    asked = set[str]()
    for _ in range(_TRIES):
        await send()
        before = await meter.read()
        for _ in range(_READS):
            await send()
        asked = {work for kind, work in await meter.read() - before if kind == "rpc"}
        if not asked & _KNOWN:
            return
    pytest.fail(f"{_READS} reads, tried {_TRIES} times, asked for {asked}")
