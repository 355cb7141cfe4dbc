"""Whatever is sent, the parsers either take it or refuse it with an error of the closed list."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.toy import Everything

from gateway import fields, params
from gateway.fields import Takes
from runtime.errors import GatepostError, Reason

REFUSALS = {Reason.MALFORMED_REQUEST, Reason.INVALID_PARAMETER, Reason.MISSING_PARAMETER}
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
names = st.sampled_from(["name", "number", "code", "address", "other"])
clean_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def attempt(body: bytes, content_type: str = "application/json", query: str = "") -> Everything | None:
    try:
        values = params.parse_body(body, content_type, 16)
        return fields.read(Everything, Takes.QUERY_AND_BODY, params.parse_query(query), values)
    except GatepostError as exc:
        if exc.reason not in REFUSALS:
            raise
        return None


@given(st.binary())
def test_any_bytes_as_json(body: bytes) -> None:
    attempt(body)


@given(st.dictionaries(names, anything))
def test_any_json_object(value: dict[str, Any]) -> None:
    form = attempt(json.dumps(value).encode())
    if form is not None:
        for text in (form.name, form.number, form.code, form.address):
            assert "\0" not in text
            text.encode()  # no lone surrogate gets through to where it cannot be stored


@given(st.binary(), st.text())
def test_any_bytes_as_form_and_any_text_as_query(body: bytes, query: str) -> None:
    attempt(body, "application/x-www-form-urlencoded", query)


@given(clean_text)
def test_a_text_arrives_as_sent_by_every_way(name: str) -> None:
    by_json = attempt(json.dumps({"name": name}).encode())
    by_form = attempt(urlencode({"name": name}).encode(), "application/x-www-form-urlencoded")
    by_query = attempt(b"", query=urlencode({"name": name}))
    assert [form.name for form in (by_json, by_form, by_query) if form] == [name] * 3


@given(st.integers(1, 20))
def test_nesting_is_allowed_up_to_the_limit(depth: int) -> None:
    body = b'{"name":"ann","deep":' + b"[" * depth + b"]" * depth + b"}"
    assert (attempt(body) is not None) == (depth < 16)
