"""What each field of a profile may hold. `profiles` passes everything through `clean` before it is stored.

Text is Unicode NFC, counted in code points after normalising, without control characters, surrogates or line ends, and
without what turns the direction of text. A biography may have lines, tabs and directions; CRLF becomes LF. `meta`
belongs to the app: it is checked, never altered.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import GatepostError, Reason, Rule, Violation, invalid
from user_service import language

_MAX_META_BYTES = 16384
_MAX_LANGUAGE_LENGTH = 100  # RFC 5646 section 4.4.1 asks for 35 at least
# NFC makes one code point of four at most; what is longer is refused before the work of normalising it.
_MAX_SHRINKING = 4
_NOT_IN_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, surrogate, line and paragraph separator
# What turns the direction of all that follows (Unicode annex 9, section 2): a name could dress up its surroundings.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINES = frozenset("\n\t")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HIGHEST_ID = 2**63 - 1
_NOT_IN_URL = re.compile(r'[\s<>"\\^`{|}]')  # RFC 3986 section 2; a backslash is read differently by different readers

Value = str | int | float | None
"""A value as it came. Only `meta`, `latitude` and `longitude` may be None; true and false are of int."""

_Rule = Callable[[str, Any], Any]


def _text(limit: int, allowed: frozenset[str] = frozenset()) -> Callable[[str, str], str]:
    def check(field: str, value: str) -> str:
        if len(value) <= limit * _MAX_SHRINKING:
            _refuse_controls(field, value, allowed)
            value = unicodedata.normalize("NFC", value)
        if len(value) > limit:
            raise invalid(field, f"The {field} field may have at most {limit} characters.")
        return value

    return check


def _biography(field: str, value: str) -> str:
    return _text(2000, _LINES | _DIRECTION)(field, value.replace("\r\n", "\n"))


def _meta(field: str, value: str) -> str:
    if len(value) > _MAX_META_BYTES:
        raise invalid(field, f"The {field} field may have at most {_MAX_META_BYTES} bytes.")
    _refuse_controls(field, value, _LINES | _DIRECTION | {"\r", "\u2028", "\u2029"})
    if len(value.encode()) > _MAX_META_BYTES:
        raise invalid(field, f"The {field} field may have at most {_MAX_META_BYTES} bytes.")
    return value


def _gender(field: str, value: str) -> str:
    if value not in {"", "male", "female", "other"}:
        raise invalid(field, f"The {field} field must be male, female, other or empty.")
    return value


def _birth_date(field: str, value: str) -> date | None:
    if not value:
        return None
    try:
        if _ISO_DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise invalid(field, f"The {field} field must be a date written YYYY-MM-DD.")


def _website(field: str, value: str) -> str:
    value = _text(500)(field, value)
    if value and not _is_web_url(value):
        raise invalid(field, f"The {field} field must be an http or https URL.")
    return value


def _is_web_url(value: str) -> bool:
    if _NOT_IN_URL.search(value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port  # reading it checks it
    except ValueError:
        return False
    # A user name before the host is deprecated, and dresses a link up as another's (RFC 9110 section 4.2.4).
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _language(field: str, value: str) -> str:
    if value and (len(value) > _MAX_LANGUAGE_LENGTH or not language.well_formed(value)):
        raise invalid(field, f"The {field} field must be a BCP 47 language tag.")
    return value


def _id(field: str, value: int) -> int:
    if not 0 <= value <= _HIGHEST_ID:
        raise invalid(field, f"The {field} field must be the id of a location, or 0 for none.")
    return value


def _degrees(limit: float) -> Callable[[str, float], float]:
    def check(field: str, value: float) -> float:
        if not (math.isfinite(value) and -limit <= value <= limit):
            raise invalid(field, f"The {field} field must be between -{limit:g} and {limit:g} degrees.")
        return value

    return check


def _flag(_field: str, value: int) -> bool:
    return bool(value)


_RULES: Mapping[str, _Rule] = {
    "first_name": _text(100),
    "last_name": _text(100),
    "phone": _text(40),
    "gender": _gender,
    "birth_date": _birth_date,
    "biography": _biography,
    "website": _website,
    "relationship": _text(40),
    "language": _language,
    "meta": _meta,
    "location_id": _id,
    "latitude": _degrees(90),
    "longitude": _degrees(180),
    "address": _text(200),
    "phone_verified": _flag,
    "badge": _flag,
}


def clean(said: Mapping[str, Value]) -> dict[str, Any]:
    """Return the values as they are to be stored, by field of `Details`, in the order given.

    Args:
        said: Values as they came, by field of `Details`.

    Raises:
        GatepostError: INVALID_PARAMETER with a violation for each field at fault.
    """
    cleaned: dict[str, Any] = {}
    violations: list[Violation] = []
    for field, value in said.items():
        try:
            cleaned[field] = None if value is None else _RULES[field](field, value)
        except GatepostError as error:
            violations.extend(error.violations)
    if violations:
        raise GatepostError(Reason.INVALID_PARAMETER, violations[0].description, violations=tuple(violations))
    return cleaned


def check_mask(mask: Sequence[str]) -> None:
    """Refuse names that are no editable fields.

    Raises:
        GatepostError: INVALID_PARAMETER for `update_mask`.
    """
    if not set(mask) <= _RULES.keys():
        raise invalid("update_mask", f"The update_mask field may only name {', '.join(_RULES)}.", Rule.UNKNOWN)


def place_name(field: str, value: str) -> str:
    """Return the name of a place as it is to be stored: 1 to 100 characters, without space around them.

    Raises:
        GatepostError: INVALID_PARAMETER for the field.
    """
    name = _text(100)(field, value).strip()
    if not name:
        raise invalid(field, f"The {field} field is required.", Rule.REQUIRED)
    return name


def _refuse_controls(field: str, value: str, allowed: frozenset[str]) -> None:
    if value.isprintable():  # most are; 0.1 µs in place of 2
        return
    suspects = set(value) - allowed
    if suspects & _DIRECTION or any(unicodedata.category(character) in _NOT_IN_TEXT for character in suspects):
        raise invalid(field, f"The {field} field has characters that text cannot have.")
