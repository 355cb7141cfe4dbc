"""What every dialect must do alike, each in its own words: a table of requests and the reason each is refused for.

A new dialect brings one `Adapter` (see `adapters`) and passes. No core is needed: what must reach it finds it away.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from gateway.dialect import Dialect
from runtime.errors import Reason

OVERSIZED_BYTES = 70_000


@dataclass(frozen=True)
class Sample:
    """A complete request of a dialect.

    Args:
        method: Such as POST.
        path: Of a route.
        parameters: All of them right; strings only, so that they can be sent in every way.
    """

    method: str
    path: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Adapter:
    """What the suite must know of a dialect.

    Args:
        dialect: The value under test.
        unknown_path: Below one of its prefixes, where nothing is.
        form: A request with parameters in its body that needs the core.
        secured: A request that needs a token.
        token_headers: How a token is shown.
        is_error: Says whether a decoded body is an error in the dialect's own shape.
        instead: Scenarios, by name, that it refuses for another reason.
    """

    dialect: Dialect
    unknown_path: str
    form: Sample
    secured: Sample
    token_headers: Callable[[str], Mapping[str, str]]
    is_error: Callable[[Any], bool]
    instead: Mapping[str, Reason] = field(default_factory=dict)

    def reason(self, scenario: "Scenario") -> Reason:
        """Say what it refuses a scenario for."""
        return self.instead.get(scenario.name, scenario.reason)


@dataclass(frozen=True)
class Ask:
    """A request as sent."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Scenario:
    """A request that is refused, and why.

    Args:
        name: Reads on from "is refused:".
        ask: Makes the request of a dialect's samples.
        reason: Which the dialect renders.
        headers: Names of headers that the answer has besides.
    """

    name: str
    ask: Callable[[Adapter], Ask]
    reason: Reason
    headers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def _form(adapter: Adapter, body: bytes, *, content_type: str = "application/json", query: str = "") -> Ask:
    return Ask(adapter.form.method, adapter.form.path + query, body, content_type)


def _with(adapter: Adapter, value: object) -> bytes:
    """The sample's body as JSON, with its last parameter changed."""
    return json.dumps({**adapter.form.parameters, list(adapter.form.parameters)[-1]: value}).encode()


def _whole(adapter: Adapter) -> bytes:
    return json.dumps(adapter.form.parameters).encode()


def _doubled_json(adapter: Adapter) -> bytes:
    return _whole(adapter)[:-1] + b"," + _whole(adapter)[1:]


def _doubled_pairs(adapter: Adapter) -> str:
    return urlencode([*adapter.form.parameters.items(), *adapter.form.parameters.items()])


def _disagreeing(adapter: Adapter) -> str:
    return "?" + urlencode(dict.fromkeys(adapter.form.parameters, "something else"))


SCENARIOS = (
    Scenario("an unknown path", lambda a: Ask("GET", a.unknown_path), Reason.UNKNOWN_METHOD),
    Scenario("an unknown path by POST", lambda a: Ask("POST", a.unknown_path, b"{}"), Reason.UNKNOWN_METHOD),
    Scenario("a wrong method", lambda a: Ask("DELETE", a.form.path), Reason.METHOD_NOT_ALLOWED, ("Allow",)),
    Scenario("a plain OPTIONS", lambda a: Ask("OPTIONS", a.form.path), Reason.METHOD_NOT_ALLOWED, ("Allow",)),
    Scenario("no parameters", lambda a: _form(a, b"{}"), Reason.MISSING_PARAMETER),
    Scenario("no body", lambda a: _form(a, b""), Reason.MISSING_PARAMETER),
    Scenario("an empty parameter", lambda a: _form(a, _with(a, "")), Reason.MISSING_PARAMETER),
    Scenario("an oversized body", lambda a: _form(a, b"x" * OVERSIZED_BYTES), Reason.PAYLOAD_TOO_LARGE),
    Scenario("malformed JSON", lambda a: _form(a, b'{"a":'), Reason.MALFORMED_REQUEST),
    Scenario("an object that was never serialised", lambda a: _form(a, b"[object Object]"), Reason.MALFORMED_REQUEST),
    Scenario("a JSON list", lambda a: _form(a, b"[]"), Reason.MALFORMED_REQUEST),
    Scenario("JSON nested without end", lambda a: _form(a, b'{"a":' + b"[" * 1000), Reason.MALFORMED_REQUEST),
    Scenario("a JSON member twice", lambda a: _form(a, _doubled_json(a)), Reason.MALFORMED_REQUEST),
    Scenario("bytes that are not UTF-8", lambda a: _form(a, b'{"a":"\xff"}'), Reason.MALFORMED_REQUEST),
    Scenario(
        "a multipart body",
        lambda a: _form(a, b"--x--\r\n", content_type="multipart/mixed; boundary=x"),
        Reason.MALFORMED_REQUEST,
    ),
    Scenario(
        "a form parameter twice",
        lambda a: _form(a, _doubled_pairs(a).encode(), content_type="application/x-www-form-urlencoded"),
        Reason.INVALID_PARAMETER,
    ),
    Scenario(
        "a query parameter twice",
        lambda a: _form(a, _whole(a), query=f"?{_doubled_pairs(a)}"),
        Reason.INVALID_PARAMETER,
    ),
    Scenario(
        "query and body that disagree",
        lambda a: _form(a, _whole(a), query=_disagreeing(a)),
        Reason.INVALID_PARAMETER,
    ),
    Scenario("a NUL", lambda a: _form(a, _with(a, "a\0b")), Reason.INVALID_PARAMETER),
    Scenario("a lone surrogate", lambda a: _form(a, _with(a, "\ud800")), Reason.INVALID_PARAMETER),
    Scenario("a list for a text", lambda a: _form(a, _with(a, [])), Reason.INVALID_PARAMETER),
    Scenario("a truth for a text", lambda a: _form(a, _with(a, True)), Reason.INVALID_PARAMETER),
    Scenario("no core", lambda a: _form(a, _whole(a)), Reason.UNAVAILABLE, ("Retry-After",)),
    Scenario(
        "no core, asked by a form",
        lambda a: _form(
            a, urlencode(a.form.parameters).encode(), content_type="application/x-www-form-urlencoded; charset=utf-8"
        ),
        Reason.UNAVAILABLE,
        ("Retry-After",),
    ),
    Scenario(
        "no core, asked with a slash at the end and the body called text",
        lambda a: Ask(a.form.method, f"{a.form.path}/", _whole(a), "text/plain;charset=UTF-8"),
        Reason.UNAVAILABLE,
        ("Retry-After",),
    ),
    Scenario("no token", lambda a: Ask(a.secured.method, a.secured.path), Reason.TOKEN_MISSING),
    Scenario(
        "no core to check a token",
        lambda a: Ask(a.secured.method, a.secured.path, headers=a.token_headers("abc123")),
        Reason.UNAVAILABLE,
        ("Retry-After",),
    ),
)
