"""What a client sent, taken apart: query string, form or JSON body, refused where two readers could differ.

`call.Call` calls it; `fields` checks the values. Nothing here knows a dialect or an endpoint.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from runtime.errors import GatepostError, Reason, Rule, Violation

Values = Mapping[str, object]

NOTHING: Values = {}
_FORM = "application/x-www-form-urlencoded"
_MAX_PAIRS = 100
_MAX_NAME_LENGTH = 64
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[\[\]{}]")


def parse_query(text: str) -> Values:
    """Take a query string apart; values are strings.

    Raises:
        GatepostError: INVALID_PARAMETER for names given twice, MALFORMED_REQUEST for what is not UTF-8 or too much.
    """
    return _parse_pairs(text) if text else NOTHING


def parse_body(body: bytes, content_type: str, depth_limit: int) -> Values:
    """Take a body apart: a form if it says so, else JSON whatever it says (browsers' fetch says text/plain).

    Args:
        body: As received; none at all is an empty object.
        content_type: The header; parameters are ignored, everything is UTF-8 (RFC 8259 section 8.1).
        depth_limit: Deepest nesting of arrays and objects.

    Raises:
        GatepostError: MALFORMED_REQUEST, or INVALID_PARAMETER for form names given twice.
    """
    if not body:
        return NOTHING
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("multipart/"):
        raise _malformed("multipart bodies are not taken here")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("the body is not UTF-8") from None
    if media_type == _FORM:
        return _parse_pairs(text)
    return _parse_object(text, depth_limit)


def _parse_pairs(text: str) -> Values:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PAIRS)
    except ValueError:  # UnicodeDecodeError is one too
        raise _malformed("the parameters cannot be read") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        refuse_twice([name for name, _ in pairs])
    return values


def refuse_twice(names: list[str]) -> NoReturn:
    """Refuse names of which some are there more than once, naming those that can be repeated to the client."""
    twice = {name: None for name in names if names.count(name) > 1}
    raise GatepostError(
        Reason.INVALID_PARAMETER,
        "a parameter is given twice",
        violations=tuple(
            Violation(name, Rule.INVALID, f"The {name} is given more than once.")
            for name in twice
            if len(name) <= _MAX_NAME_LENGTH and name.isprintable()
        ),
    )


def _parse_object(text: str, depth_limit: int) -> Values:
    if _deeper_than(text, depth_limit):
        raise _malformed("the body is nested too deeply")
    try:
        value = _decoder.decode(text)
    except (ValueError, RecursionError):
        raise _malformed("the body is not JSON") from None
    if not isinstance(value, dict):
        raise _malformed("the body is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _malformed("a member is given twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _deeper_than(text: str, limit: int) -> bool:
    """Whether arrays and objects nest deeper; looked at closely only when there are many brackets at all."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > limit:
            return True
    return False


def _malformed(message: str) -> GatepostError:
    return GatepostError(Reason.MALFORMED_REQUEST, message)
