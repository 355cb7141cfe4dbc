"""Guards that look at parameters have the first word, and numbers are read as such."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from dialects.local_gateway import LocalGateway, local_gateway
from unit.gateway.toy import toy

from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import Takes, number, text
from gateway.guards import ANYONE, Guard
from gateway.limits import Limit
from gateway.reply import Reply
from runtime.errors import GatepostError, Reason


@dataclass(frozen=True, slots=True)
class _Key:
    key: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Place(_Key):
    height: float = number()
    depth: float | None = number(default=None)


async def admit(call: Call) -> None:
    match (await call.read(_Key)).key:
        case "right":
            return
        case "asked of the core":
            await call.clients.authenticate("x")
        case _:
            raise GatepostError(Reason.API_KEY_INVALID)


async def measure(_call: Call, form: _Place) -> Reply:
    return Reply(json={"height": form.height, "depth": form.depth})


GUARD = Guard("key", ANYONE.check, admit)


@pytest.fixture(scope="module")
async def measured() -> AsyncIterator[LocalGateway]:
    route = Route("POST", "/toy/measure", measure, GUARD, Limit.ORDINARY, Takes.QUERY_AND_BODY)
    async with local_gateway((toy(routes=(route,)),)) as running:
        yield running


async def ask(gateway: LocalGateway, body: dict[str, Any]) -> Any:
    async with gateway.client.post("/toy/measure", json=body) as answer:
        return await answer.json()


async def test_who_may_not_call_is_refused_before_the_parameters_are_looked_at(measured: LocalGateway) -> None:
    for body in ({"height": 1}, {"height": "high"}, {}):
        assert (await ask(measured, body))["toy"] == "toy says api_key_invalid"


async def test_who_may_call_is_told_what_is_wrong_with_the_parameters(measured: LocalGateway) -> None:
    answer = await ask(measured, {"key": "right", "height": "high"})
    assert answer["fields"] == {"height": "The height must be a number."}


async def test_wrong_parameters_are_told_when_nobody_can_say_who_may_call(measured: LocalGateway) -> None:
    key = {"key": "asked of the core"}
    assert (await ask(measured, key | {"height": "high"}))["toy"] == "toy says invalid_parameter"
    assert (await ask(measured, key | {"height": 1}))["toy"] == "toy is away"


@pytest.mark.parametrize(
    ("sent", "read"), [(0, 0.0), (-7, -7.0), (1.5, 1.5), ("112.75", 112.75), ("-0.5", -0.5), (" 1 ", 1.0)]
)
async def test_a_number_is_read_from_json_and_text(measured: LocalGateway, sent: object, read: float) -> None:
    assert await ask(measured, {"key": "right", "height": sent, "depth": ""}) == {"height": read, "depth": None}


@pytest.mark.parametrize("sent", ["x", "nan", "inf", "1e999", True, [1], {}, 10**400, "1,5"])
async def test_what_is_no_number_is_refused(measured: LocalGateway, sent: object) -> None:
    answer = await ask(measured, {"key": "right", "height": sent})
    assert answer["fields"] == {"height": "The height must be a number."}


async def test_a_number_that_must_be_there_is_missed(measured: LocalGateway) -> None:
    answer = await ask(measured, {"key": "right", "height": ""})
    assert answer["fields"] == {"height": "The height field is required."}
