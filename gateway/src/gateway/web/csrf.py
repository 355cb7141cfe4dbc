"""That a form was sent from a page of ours, by the browser it was shown to.

The form holds a value derived from a secret cookie: the session's, or before there is one the visit's. Other origins
can neither read nor set such a cookie. What the browser itself says of the origin is checked besides, when it says it.
"""

import hmac
import re
import secrets
from urllib.parse import urlsplit

from gateway.call import Call
from gateway.web.cookies import SESSION, VISIT, expired, secure
from runtime.errors import GatepostError, Reason

_SECRET = re.compile(r"[0-9a-f]{64}")
# `none`: by hand of the visitor, such as sending a form once more.
_OWN_SITE = frozenset({"", "same-origin", "none"})
# A page under `no-referrer` sends its forms with the origin `null` (Fetch standard, section 3.2).
_NO_ORIGIN = frozenset({"", "null"})


def token(call: Call) -> str:
    """Return what a form has to hold. A visitor without session or visit gets one; see `cookies`."""
    call.visit = call.visit or _secret(call) or secrets.token_hex(32)
    return _derive(call.visit)


def cookies(call: Call) -> tuple[str, ...]:
    """Return the Set-Cookie values that an answer with a form needs, after `token`."""
    return (secure(VISIT, call.visit),) if call.visit and not _secret(call) else ()


def check(call: Call, given: str) -> None:
    """Refuse a form that is not from a page of ours.

    Raises:
        GatepostError: ROLE_FORBIDDEN.
    """
    secret = _secret(call)
    if not secret or not hmac.compare_digest(_derive(secret).encode(), given.encode()):
        raise GatepostError(Reason.ROLE_FORBIDDEN, "the form is not from a page of ours, or too old")
    if call.header("Sec-Fetch-Site") not in _OWN_SITE or not _own_origin(call):
        raise GatepostError(Reason.ROLE_FORBIDDEN, "the form is from another site")


def forgotten() -> str:
    """Return the Set-Cookie value that ends a visit."""
    return expired(VISIT)


def _secret(call: Call) -> str:
    """What this browser's forms are bound to; empty if it has shown nothing."""
    shown = (call.cookie(name) for name in (SESSION, VISIT))
    return next(filter(_SECRET.fullmatch, shown), "")


def _own_origin(call: Call) -> bool:
    origin = call.header("Origin")
    own = {call.host.lower(), urlsplit(call.public_url).netloc.lower()}
    try:
        return origin in _NO_ORIGIN or urlsplit(origin).netloc.lower() in own
    except ValueError:  # `http://[`
        return False


def _derive(secret: str) -> str:
    return hmac.new(secret.encode(), b"gatepost form", "sha256").hexdigest()
