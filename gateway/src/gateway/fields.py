"""Fields of an endpoint, declared once: `email: str = email()`. Reading reports everything that is wrong at once.

A dialect declares a frozen dataclass with its wire names; `read` fills it. Parameters it does not declare are
ignored, so nothing unknown is ever assigned.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from functools import cache
from math import isfinite
from typing import Any, TypeVar, cast

from gateway.multipart import Upload
from gateway.params import Values
from runtime.errors import GatepostError, Reason, Rule, Violation

Form = TypeVar("Form")
_Check = Callable[[object], Any]

_REQUIRED: Any = object()
# Local part, one @, a domain; the rest (RFC 5321 and what can be delivered to) is auth-service's to judge.
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")


class Takes(Enum):
    """Where an endpoint reads its parameters.

    A body may be multipart only with UPLOAD, which can hold files, and with QUERY_AND_BODY.
    """

    QUERY = auto()
    BODY = auto()
    QUERY_AND_BODY = auto()
    UPLOAD = auto()


@dataclass(frozen=True, slots=True)
class _Spec:
    check: _Check
    required: bool


class _WrongError(Exception):
    """What a value must be; put behind the field's name."""


def text(*, default: Any = _REQUIRED, secret: bool = False) -> Any:
    """Declare a string; with a `default`, an optional one. A secret is left out of the repr."""
    return _declare(_text, default, secret=secret)


def text_or_int(*, default: Any = _REQUIRED, secret: bool = False) -> Any:
    """Declare a string that clients may also send as an integer (`client_id`, phone numbers)."""
    return _declare(_text_or_int, default, secret=secret)


def digits(*, default: Any = _REQUIRED, secret: bool = False) -> Any:
    """Declare a typed code: an integer or a string of digits; read as a string."""
    return _declare(_digits, default, secret=secret)


def number(*, default: Any = _REQUIRED) -> Any:
    """Declare a decimal number, in JSON or as text; read as a float. Empty text counts as absent."""
    return _declare(_number, default, secret=False)


def email(*, default: Any = _REQUIRED) -> Any:
    """Declare an e-mail address, checked for its outer form only."""
    return _declare(_email, default, secret=False)


def upload(*, default: Any = _REQUIRED) -> Any:
    """Declare a file, read as `Upload`; one that is empty counts as absent. The route must take uploads."""
    return _declare(_upload, default, secret=False)


def read(form: type[Form], takes: Takes, query: Values, body: Values) -> Form:
    """Fill `form` from what was sent.

    JSON null counts as absent, and so does an empty string for a required field.

    Raises:
        GatepostError: MISSING_PARAMETER or INVALID_PARAMETER with a violation for every field at fault, in order.
    """
    values: dict[str, Any] = {}
    violations: list[Violation] = []
    for name, spec in _specs(cast("Hashable", form)):
        try:
            value = _pick(name, takes, query, body)
            if value is not None:
                values[name] = spec.check(value)
        except _WrongError as wrong:
            violations.append(Violation(name, Rule.INVALID, f"The {name} {wrong}."))
        else:
            if spec.required and values.get(name) in {None, ""}:
                violations.append(Violation(name, Rule.REQUIRED, f"The {name} field is required."))
    if violations:
        missing = any(violation.rule is Rule.REQUIRED for violation in violations)
        reason = Reason.MISSING_PARAMETER if missing else Reason.INVALID_PARAMETER
        raise GatepostError(reason, violations=tuple(violations))
    return form(**values)


@dataclass(frozen=True, slots=True)
class Described:
    """A field as documentation needs it: its wire name, JSON schema, and whether it must be there."""

    name: str
    schema: Mapping[str, object]
    required: bool


def describe(form: type) -> tuple[Described, ...]:
    """Say what a form takes, in its order."""
    return tuple(Described(name, _SCHEMAS[spec.check], spec.required) for name, spec in _specs(cast("Hashable", form)))


def _declare(check: _Check, default: Any, *, secret: bool) -> Any:
    required = default is _REQUIRED
    # A required field gets a default too, never used, so that fields can stand in the order of the wire's tables.
    return field(default=None if required else default, repr=not secret, metadata={"spec": _Spec(check, required)})


@cache
def _specs(form: Any) -> tuple[tuple[str, _Spec], ...]:
    return tuple((declared.name, declared.metadata["spec"]) for declared in fields(form))


def _pick(name: str, takes: Takes, query: Values, body: Values) -> object:
    in_query, in_body = query.get(name), body.get(name)
    if takes is Takes.QUERY or in_query is None:
        return in_query if takes is Takes.QUERY else in_body
    if in_body is None:
        if takes is not Takes.QUERY_AND_BODY:
            raise _WrongError("must be sent in the body")  # a URL ends up in logs
        return in_query
    if _as_text(in_body) != in_query:
        raise _WrongError("differs between query and body")
    return in_body


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongError("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # a lone surrogate
            raise _WrongError("contains characters that are not allowed") from None
    if "\0" in value:
        raise _WrongError("contains characters that are not allowed")
    return value


def _text_or_int(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _WrongError("must be a string or an integer")
    return _text(value)


def _digits(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and (not value or (value.isascii() and value.isdigit())):
        return value
    raise _WrongError("must be an integer")


def _number(value: object) -> float | None:
    if value == "":
        return None
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool) and isfinite(found := float(value)):
            return found
    except (ValueError, OverflowError):
        pass
    raise _WrongError("must be a number")


def _email(value: object) -> str:
    if isinstance(value, str) and (not value or _EMAIL.fullmatch(value)):
        return _text(value)
    raise _WrongError("must be a valid email address")


def _upload(value: object) -> Upload | None:
    if not isinstance(value, Upload):
        raise _WrongError("must be a file")
    return value if value.content else None  # a browser sends an empty one when nothing was chosen


_SCHEMAS: Mapping[_Check, Mapping[str, object]] = {
    _text: {"type": "string"},
    _text_or_int: {"type": ["string", "integer"]},
    _digits: {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]*$"}]},
    _number: {"anyOf": [{"type": "number"}, {"type": "string"}]},
    _email: {"type": "string", "format": "email"},
    _upload: {"type": "string", "format": "binary"},
}
