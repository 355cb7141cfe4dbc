"""What templates may be given: each value has a kind, and a kind knows what it takes. No template text here.

Everything is checked before rendering, so that nothing can reach a header, a link or the queue that should not.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from runtime.errors import Rule, Violation

Check = Callable[[object], object]

_CODE = re.compile(r"[0-9A-Za-z-]{4,64}")
_DOMAIN_DOT = re.compile(r"\.(?=[^\W\d_])")
_LINKING = frozenset("/:@<>")
_MOST_TEXT = 200
_MOST_DEVICE = 100
_MOST_MINUTES = 60 * 24 * 31
# Control characters, surrogates, line and paragraph separators: nothing that ends a header or a line.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Characters that turn the reading direction around, and so make text look like what it is not (UTS #55).
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def text(value: object) -> str:
    """One line of text for people, 1 to 200 characters: the name of a project or role, an address to be read."""
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_TEXT:
        raise ValueError(f"must be text of 1 to {_MOST_TEXT} characters")
    if any(map(_is_refused, value)):
        raise ValueError("must be one line without control characters")
    return value.strip()


def device(value: object) -> str:
    """What a client calls itself, cleaned and not refused: whoever signs in chooses it, and must not stop the notice.

    What mail programs would make a link of is taken apart. At most 100 characters; empty if nothing is left.
    """
    given = value if isinstance(value, str) else ""
    spaced = "".join(" " if _is_refused(character) or character in _LINKING else character for character in given)
    return " ".join(_DOMAIN_DOT.sub(" ", spaced).split())[:_MOST_DEVICE].strip()


def code(value: object) -> str:
    """A code people type: 4 to 64 ASCII letters, digits and hyphens."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("must be 4 to 64 letters, digits or hyphens")
    return value


def minutes(value: object) -> int:
    """A whole number of minutes, 1 to a month; the wire knows floating point only."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError("must be a whole number")
    if not 1 <= value <= _MOST_MINUTES:
        raise ValueError(f"must be 1 to {_MOST_MINUTES}")
    return int(value)


def time(value: object) -> datetime:
    """A moment, RFC 3339 with its offset."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a time in RFC 3339") from None
    if moment.tzinfo is None:
        raise ValueError("must be a time with its offset")
    return moment.astimezone(UTC)


def link(value: object) -> str:
    """A web address that needs no escaping anywhere; where it may lead is `is_below`."""
    refused = set(" \\\"'<>`")
    if (
        not isinstance(value, str)
        or not value
        or not value.isascii()
        or not value.isprintable()
        or refused & set(value)
    ):
        raise ValueError("must be a URL")
    urlsplit(value)  # raises ValueError where it cannot be read
    return value


def _is_refused(character: str) -> bool:
    return character in _DIRECTION or unicodedata.category(character) in _REFUSED_CATEGORIES


def is_below(public_url: str, url: str) -> bool:
    """Say whether a link leads to the public URL: same scheme, host and port, and a path below its path."""
    allowed, asked = urlsplit(public_url.rstrip("/")), urlsplit(url)
    inside = asked.path == allowed.path or asked.path.startswith(f"{allowed.path}/")
    return (asked.scheme, asked.netloc) == (allowed.scheme, allowed.netloc) and inside and "/.." not in asked.path


def check(given: Mapping[str, object], declared: Mapping[str, Check]) -> tuple[dict[str, object], list[Violation]]:
    """Check values against what a template declares; return the good ones and what is wrong with the rest."""
    values: dict[str, object] = {}
    violations = [
        Violation(f"data.{name}", Rule.UNKNOWN, f"The template has no value called {name[:40]!r}.")
        for name in sorted(given.keys() - declared.keys())
    ]
    for name, kind in declared.items():
        if name not in given:
            violations.append(Violation(f"data.{name}", Rule.REQUIRED, f"The template needs {name}."))
            continue
        try:
            values[name] = kind(given[name])
        except ValueError as exc:
            violations.append(Violation(f"data.{name}", Rule.INVALID, f"{name} {exc}."))
    return values, violations
