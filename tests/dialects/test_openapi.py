"""The OpenAPI documents: served, complete, and true of the running gateway as far as a bounded fuzz can tell."""

from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from aiohttp import ClientSession
from conftest import GatepostStack
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.dialect import Dialect
from gateway.dialects import DIALECTS
from gateway.openapi import document

EXAMPLES = 8
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@each_dialect
async def test_the_document_is_served(dialect: Dialect, stack: GatepostStack) -> None:
    async with ClientSession() as client, client.get(f"{stack.url}/openapi/{dialect.name}.json") as answer:
        assert answer.status == HTTPStatus.OK
        served = await answer.json()
    assert served["openapi"] == "3.1.0"
    assert set(served["paths"]) == {route.path for route in dialect.routes}


async def test_an_unknown_dialect_has_no_document(stack: GatepostStack) -> None:
    async with ClientSession() as client, client.get(f"{stack.url}/openapi/klingon.json") as answer:
        assert answer.status == HTTPStatus.NOT_FOUND


@each_dialect
def test_every_route_says_what_it_does_and_what_it_answers(dialect: Dialect) -> None:
    made = document(dialect, "http://gateway.example", "0")
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"].endswith("."), (path, method)
            assert operation["responses"]["200"], (path, method)


@each_dialect
def test_what_the_gateway_answers_is_what_the_document_says(dialect: Dialect, stack: GatepostStack) -> None:
    """Random requests, well-formed and not, to every operation; the answers must be documented."""
    schema: Any = schemathesis.openapi.from_dict(document(dialect, stack.url, "0"))
    for result in schema.get_all_operations():
        operation = result.ok()
        fuzz(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), stack.url)
        if len(operation.body):  # of a query, whose values are all texts, little can be malformed
            fuzz(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), stack.url)


def test_the_comparison_finds_what_is_not_documented(stack: GatepostStack) -> None:
    made = document(DIALECTS[0], stack.url, "0")
    for operations in made["paths"].values():
        for operation in operations.values():
            operation["responses"] = {"418": {"description": "Never."}}
    schema: Any = schemathesis.openapi.from_dict(made)
    (first, *_) = schema.get_all_operations()
    with pytest.raises(FailureGroup):
        fuzz(first.ok().as_strategy(generation_mode=GenerationMode.POSITIVE), stack.url)


def fuzz(requests: st.SearchStrategy[Any], url: str) -> None:
    @given(data=st.data())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(data: st.DataObject) -> None:
        case = data.draw(requests)
        case.call_and_validate(base_url=url, checks=CHECKS, allow_redirects=False, timeout=20)

    ask()
