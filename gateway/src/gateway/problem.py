"""How the house itself speaks, where no dialect does: problem details (RFC 9457), or a page for browsers.

Used by `house` and `outbox_page` as their error table and body; `pages` has its table from here.
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from gateway.dialect import Failure, Rendering
from gateway.reply import Reply
from gateway.web.errors import error_page
from gateway.web.locale import mark as _
from runtime.errors import Reason

_BAD_REQUEST = Rendering(400, _("The request cannot be read."))
_UNAUTHORIZED = Rendering(401, _("Sign in first."))
_FORBIDDEN = Rendering(403, _("This is not allowed."))
_NOT_FOUND = Rendering(404, _("There is nothing here."))
_CONFLICT = Rendering(409, _("This clashes with what is there."))
_INVALID = Rendering(422, _("Something in the request is missing or wrong."))
_INTERNAL = Rendering(500, _("Something went wrong on our side."))
_UNAVAILABLE = Rendering(503, _("This is not available at the moment. Try again soon."))

ERRORS: Mapping[Reason, Rendering] = {
    Reason.MALFORMED_REQUEST: _BAD_REQUEST,
    Reason.MISSING_PARAMETER: _INVALID,
    Reason.INVALID_PARAMETER: _INVALID,
    Reason.PAYLOAD_TOO_LARGE: Rendering(413, _("The request is too large.")),
    Reason.CLIENT_UNKNOWN: _UNAUTHORIZED,
    Reason.CLIENT_BAD_SECRET: _UNAUTHORIZED,
    Reason.BAD_CREDENTIALS: _UNAUTHORIZED,
    Reason.USER_NOT_VALIDATED: _FORBIDDEN,
    Reason.SECOND_FACTOR_REQUIRED: _FORBIDDEN,
    Reason.API_KEY_INVALID: _UNAUTHORIZED,
    Reason.IDENTITY_INVALID: _UNAUTHORIZED,
    Reason.IDENTITY_UNKNOWN: _NOT_FOUND,
    Reason.CODE_INVALID: _BAD_REQUEST,
    Reason.CHALLENGE_FAILED: _BAD_REQUEST,
    Reason.TOKEN_MISSING: _UNAUTHORIZED,
    Reason.TOKEN_INVALID: _UNAUTHORIZED,
    Reason.TOKEN_EXPIRED: _UNAUTHORIZED,
    Reason.SCOPE_MISSING: _FORBIDDEN,
    Reason.EMAIL_TAKEN: _CONFLICT,
    Reason.USERNAME_TAKEN: _CONFLICT,
    Reason.IDENTITY_TAKEN: _CONFLICT,
    Reason.WEAK_PASSWORD: _INVALID,
    Reason.ROLE_UNKNOWN: _INVALID,
    Reason.ROLE_FORBIDDEN: _FORBIDDEN,
    Reason.REAUTH_REQUIRED: _FORBIDDEN,
    Reason.RATE_LIMITED: Rendering(429, _("Too many requests. Try again later.")),
    Reason.UNKNOWN_METHOD: _NOT_FOUND,
    Reason.METHOD_NOT_ALLOWED: Rendering(405, _("This does not take that method.")),
    Reason.DIALECT_DISABLED: _NOT_FOUND,
    Reason.NOT_FOUND: _NOT_FOUND,
    Reason.ALREADY_EXISTS: _CONFLICT,
    Reason.CONFLICT: _CONFLICT,
    Reason.CALLER_REFUSED: _INTERNAL,
    Reason.OVERLOADED: _UNAVAILABLE,
    Reason.UNAVAILABLE: _UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: _UNAVAILABLE,
    Reason.INTERNAL: _INTERNAL,
}


async def body(failure: Failure) -> Reply:
    """Make the body of an error: a page if the client asks for one, else problem details."""
    status, text = failure.rendering.status, failure.rendering.text
    if "text/html" in failure.call.headers.get("Accept", ""):
        return await error_page(failure.call, failure.error, status, text)
    return details(status, text)


def details(status: int, text: str) -> Reply:
    """Make problem details of no particular type (RFC 9457 section 4.2.1)."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": text}
    return Reply(status=status, body=msgspec.json.encode(problem), headers={"Content-Type": "application/problem+json"})
