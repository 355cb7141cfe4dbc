"""The browser's session: a cookie that holds a token of form WEB, and who it belongs to.

The token is auth-service's; here it is only carried. `__Host-` cookies are bound to this host and to TLS (RFC 6265bis
section 4.1.3.2); browsers count `http://127.0.0.1` as safe.
"""

import re
from contextlib import suppress
from typing import Final

from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.sign_in_pb2 import IssuedSession
from gatepost.auth.v1.tokens_pb2 import AuthenticateResponse, EndSessionRequest
from gateway.call import Call
from gateway.guards import Guard
from gateway.reply import Reply, redirect
from gateway.web import csrf, devices
from gateway.web.cookies import LONGEST_SECONDS, expired, secure
from gateway.web.cookies import SESSION as NAME
from runtime.errors import GatepostError, Reason

_TOKEN = re.compile(r"[0-9a-f]{64}")
# `prompt` of the sign-in page for who is signed in, but too long ago for what he is about to do.
AGAIN: Final = "again"
DEAD = frozenset({Reason.TOKEN_MISSING, Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED})


def _session(call: Call) -> None:
    token = call.cookie(NAME)
    if not token:
        raise GatepostError(Reason.TOKEN_MISSING, "a session is required")
    if not _TOKEN.fullmatch(token):
        raise GatepostError(Reason.TOKEN_INVALID, "the session cookie cannot be one of ours")
    call.token = token


def _visitor(call: Call) -> None:
    token = call.cookie(NAME)
    call.token = token if _TOKEN.fullmatch(token) else ""


# A session of ours in the cookie, alive or not: the first call of the core with it says.
SESSION = Guard("session", _session)
# Anybody; with a session or without.
VISITOR = Guard("visitor", _visitor)


async def visitor(call: Call, project: str = "") -> AuthenticateResponse | None:
    """Return whose session the browser holds; None without one, and for a dead one.

    Args:
        call: The request.
        project: When given, sessions of other projects count for nothing.

    Raises:
        GatepostError: UNAVAILABLE and the like; it is not known then.
    """
    _visitor(call)
    if not call.token:
        return None
    try:
        answer = await call.clients.authenticate(call.token, TokenForm.TOKEN_FORM_WEB)
    except GatepostError as error:
        if error.reason in DEAD:
            return None
        raise
    return None if project and answer.account.project != project else answer


def cookie(token: str) -> str:
    """Return the Set-Cookie value for a session. It outlives the session, which lives on while used: the core says."""
    return secure(NAME, token, f"Max-Age={LONGEST_SECONDS}")


def cleared() -> str:
    """Return the Set-Cookie value that takes the session from the browser."""
    return expired(NAME)


async def enter(call: Call, session: IssuedSession, target: str, *cookies: str) -> Reply:
    """Begin a session in this browser and go on; one that was there before ends, so that none is ever carried over."""
    with suppress(GatepostError):  # the new session is made; an old one that cannot be ended now ends by its time
        await leave(call)
    begun = cookie(session.token)
    kept = devices.kept(call, session.device)
    return Reply(status=303, headers=redirect(target).headers, cookies=(begun, *kept, csrf.forgotten(), *cookies))


async def leave(call: Call) -> None:
    """End the session the browser holds, if it is alive.

    Raises:
        GatepostError: UNAVAILABLE and the like; it may then be alive still.
    """
    _visitor(call)
    if not call.token:
        return
    request = EndSessionRequest(access_token=call.token, form=TokenForm.TOKEN_FORM_WEB)
    try:
        await call.clients.tokens.EndSession(request)
    except GatepostError as error:
        if error.reason not in DEAD:
            raise
