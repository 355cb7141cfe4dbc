"""Who may call a route. A guard runs before anything of the body is read; a dialect can make more of its own."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.call import Call
from runtime.errors import GatepostError, Reason

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")  # RFC 6750 section 2.1


@dataclass(frozen=True, slots=True)
class Guard:
    """What a caller must show.

    Args:
        name: For people and tests.
        check: Raises GatepostError if it is not there, else may set `Call.token`.
        admit: Likewise, for what stands among the parameters; None if nothing does. Its refusal goes before that of
            parameters that are wrong: who may not call learns nothing else.
    """

    name: str
    check: Callable[[Call], None]
    admit: Callable[[Call], Awaitable[None]] | None = None


def _nothing(_call: Call) -> None:
    """Nothing is shown in the header; what proves the caller is among the parameters."""


def bearer_token(call: Call, *headers: str) -> str:
    """Return the bearer token that a request shows in one of these headers (RFC 6750 section 2.1), empty without one.

    Raises:
        GatepostError: TOKEN_INVALID if it cannot be a token, or there are several.
    """
    values = [value for header in headers for value in call.headers.getall(header, ())]
    scheme, _, token = values[0].partition(" ") if values else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return ""
    if len(values) > 1 or not _TOKEN.fullmatch(token):
        raise GatepostError(Reason.TOKEN_INVALID, "the bearer token cannot be one of ours")
    return token


def _bearer(call: Call) -> None:
    require_bearer(call, "Authorization")


def require_bearer(call: Call, *headers: str) -> None:
    """Set the call's token from one of these headers.

    Raises:
        GatepostError: TOKEN_MISSING without one, TOKEN_INVALID if it cannot be a token.
    """
    call.token = bearer_token(call, *headers)
    if not call.token:
        raise GatepostError(Reason.TOKEN_MISSING, "a bearer token is required")


# Nobody needs to prove anything.
ANYONE = Guard("anyone", _nothing)
# An app's id and secret, among the parameters; auth-service checks them with the request.
CLIENT = Guard("client", _nothing)
# The handle of a challenge and its answer, among the parameters; auth-service checks them with the request.
CHALLENGE = Guard("challenge", _nothing)
# An access token in the Authorization header (RFC 6750); auth-service says whose it is.
BEARER = Guard("bearer", _bearer)
