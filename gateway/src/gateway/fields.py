"""Fields of an endpoint, declared once: `email: str = email()`. Reading reports everything that is wrong at once.

A dialect declares a frozen dataclass with its wire names; `read` fills it. Parameters it does not declare are
ignored, so nothing unknown is ever assigned.
"""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from functools import cache
from typing import Any, TypeVar, cast

from gateway.params import Values
from runtime.errors import GatepostError, Reason, Rule, Violation

Form = TypeVar("Form")
_Check = Callable[[object], str]

_REQUIRED: Any = object()
# Local part, one @, a domain; the rest (RFC 5321 and what can be delivered to) is auth-service's to judge.
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")


class Takes(Enum):
    """Where an endpoint reads its parameters."""

    QUERY = auto()
    BODY = auto()
    QUERY_AND_BODY = auto()


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


def email(*, default: Any = _REQUIRED) -> Any:
    """Declare an e-mail address, checked for its outer form only."""
    return _declare(_email, default, secret=False)


def read(form: type[Form], takes: Takes, query: Values, body: Values) -> Form:
    """Fill `form` from what was sent.

    JSON null counts as absent, and so does an empty string for a required field.

    Raises:
        GatepostError: MISSING_PARAMETER or INVALID_PARAMETER with a violation for every field at fault, in order.
    """
    values: dict[str, str] = {}
    violations: list[Violation] = []
    for name, spec in _specs(cast("Hashable", form)):
        try:
            value = _pick(name, takes, query, body)
            if value is not None:
                values[name] = spec.check(value)
        except _WrongError as wrong:
            violations.append(Violation(name, Rule.INVALID, f"The {name} {wrong}."))
        else:
            if spec.required and not values.get(name):
                violations.append(Violation(name, Rule.REQUIRED, f"The {name} field is required."))
    if violations:
        missing = any(violation.rule is Rule.REQUIRED for violation in violations)
        reason = Reason.MISSING_PARAMETER if missing else Reason.INVALID_PARAMETER
        raise GatepostError(reason, violations=tuple(violations))
    return form(**values)


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
        if takes is Takes.BODY:
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


def _email(value: object) -> str:
    if isinstance(value, str) and (not value or _EMAIL.fullmatch(value)):
        return _text(value)
    raise _WrongError("must be a valid email address")
