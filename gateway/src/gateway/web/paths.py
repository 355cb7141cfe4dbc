"""Addresses of our own pages: below a project's prefix where the request was, and never off this origin."""

from urllib.parse import urlencode

from gateway.call import Call

_MAX_LENGTH = 2048


def url(call: Call, path: str, **query: str) -> str:
    """Return the address of one of our pages, below the same `/t/{project}` as the request; empty values are left out.

    Args:
        call: The request.
        path: Such as `/sign-in`.
        query: Parameters; a trailing underscore of a name is dropped.
    """
    given = {name.removesuffix("_"): value for name, value in query.items() if value}
    prefix = f"/t/{call.mount}" if call.mount else ""
    return f"{prefix}{path}?{urlencode(given)}" if given else f"{prefix}{path}"


def is_local(target: str) -> bool:
    """Say whether a path with or without query leads to this origin, however a browser reads it.

    Browsers take a backslash for a slash, drop tabs and line breaks, and read `//host` as an address elsewhere (URL
    standard, section 4.4).
    """
    return (
        target.startswith("/")
        and len(target) <= _MAX_LENGTH
        and target.isascii()
        and target.isprintable()
        and not {" ", "\\"} & set(target)
        and "//" not in target.partition("?")[0]
    )


def next_or(target: str, otherwise: str) -> str:
    """Return where a form's or a link's `next` leads, or `otherwise` if that is nowhere or elsewhere."""
    return target if is_local(target) else otherwise
