"""What a handler answers: a status and JSON, a page, a redirect, or bytes. `app` puts it on the wire."""

from collections.abc import Mapping
from typing import Any

import msgspec

NO_HEADERS: Mapping[str, str] = {}
# No script, no frame, nothing from elsewhere; a page's own stylesheet is a file of ours.
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Reply(msgspec.Struct, frozen=True):
    """An answer.

    Args:
        status: HTTP status.
        json: Any value msgspec can encode; None when the answer is something else.
        body: The answer when it is not JSON; `headers` then names its Content-Type.
        headers: More headers.
        cookies: Values of Set-Cookie headers.
    """

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = NO_HEADERS
    cookies: tuple[str, ...] = ()


def page(html: str, *, status: int = 200, policy: str = _PAGE_POLICY) -> Reply:
    """Answer with HTML under a strict content security policy."""
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Reply(status=status, body=html.encode(), headers=headers)


def redirect(url: str, *, status: int = 303) -> Reply:
    """Send the browser elsewhere; the caller has checked where."""
    return Reply(status=status, headers={"Location": url})
