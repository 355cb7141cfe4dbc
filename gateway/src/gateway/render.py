"""From what happened to what goes on the wire: an error to its dialect's words, a reply to headers and bytes."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import msgspec
from aiohttp import HttpVersion11, web

from gateway.answer import JsonAnswer
from gateway.call import Call
from gateway.credentials import basic
from gateway.dialect import Dialect, Failure, StatusMode
from gateway.reply import Reply
from runtime.context import CallContext, bound, current
from runtime.errors import AWAY, GatepostError, Reason

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": "gatepost",
}
_JSON = {**_HEADERS, "Content-Type": "application/json"}
_JSON_LINES = "".join(f"{name}: {value}\r\n" for name, value in _JSON.items())
_BODILESS_STATUSES = frozenset({204, 205, 304})
_REDIRECTS = frozenset({302, 303})
_RETRY_STATUSES = frozenset({429, 503})
# RFC 6750 section 3.1: no error code when the request carried no token at all.
_CHALLENGES = {
    Reason.TOKEN_MISSING: "Bearer",
    Reason.TOKEN_INVALID: 'Bearer error="invalid_token"',
    Reason.TOKEN_EXPIRED: 'Bearer error="invalid_token", error_description="The token has expired"',
}
# What the gateway refuses on its own, so that no service could tell the mode of the app.
_BEFORE_THE_CORE = frozenset(
    {Reason.MALFORMED_REQUEST, Reason.MISSING_PARAMETER, Reason.INVALID_PARAMETER, Reason.METHOD_NOT_ALLOWED}
)
# Who has waited for these waits little longer for their wording, which may depend on what is away.
_BRIEFLY_SECONDS = 0.15
_CLIENT_ID = re.compile(r"[0-9]{1,20}")
_encode = msgspec.json.Encoder().encode


async def error_reply(dialect: Dialect, error: GatepostError, call: Call, allow: tuple[str, ...]) -> tuple[Reply, int]:
    """Word an error.

    Args:
        dialect: Whose words.
        error: What went wrong.
        call: The request.
        allow: Methods the path takes, for 405.

    Returns:
        The reply as the client gets it, and the strict status for logs and metrics.
    """
    rendering = dialect.errors[error.reason]
    with bound(_briefly() if error.reason in AWAY else current()):
        mode = await _mode(dialect, error, call)
        written = await dialect.error_body(Failure(error, rendering, call, mode))
    own = written.status if written.status != Reply().status else None
    strict = rendering.status if own is None or own in _REDIRECTS else own
    headers = {**written.headers, **_error_headers(error, strict, allow)}
    status = own or strict
    if mode is StatusMode.LEGACY and own not in _REDIRECTS:
        status = own or dialect.legacy_status or strict
        headers["X-Error"] = error.reason.value
    answer = Reply(status=status, json=written.json, body=written.body, headers=headers, cookies=written.cookies)
    return answer, strict


def answer(
    request: web.BaseRequest, reply: Reply, request_id: str, *, cors: bool, permission: Mapping[str, str]
) -> web.StreamResponse:
    """Make the answer to a request.

    Args:
        request: What is answered.
        reply: With what.
        request_id: Named in it.
        cors: Whether the answer depends on who asks.
        permission: Headers that let a page of another origin read it.
    """
    simple = reply.json is not None and not (permission or reply.headers or reply.cookies)
    if (
        simple
        and request.version == HttpVersion11
        and request.method != "HEAD"
        and reply.status not in _BODILESS_STATUSES
    ):
        vary = "Vary: Origin\r\n" if cors else ""
        return JsonAnswer(reply.status, f"{_JSON_LINES}X-Request-Id: {request_id}\r\n{vary}", _encode(reply.json))
    vary_too = {"Vary": "Origin"} if cors else {}
    return response(reply, {"X-Request-Id": request_id, **vary_too, **permission})


def response(reply: Reply, more: Mapping[str, str]) -> web.Response:
    """Put a reply and further headers into a response."""
    if reply.json is None:
        answer = web.Response(status=reply.status, body=reply.body, headers={**_HEADERS, **reply.headers, **more})
    else:
        answer = web.Response(status=reply.status, body=_encode(reply.json), headers={**_JSON, **reply.headers, **more})
    for cookie in reply.cookies:
        answer.headers.add("Set-Cookie", cookie)
    return answer


def _briefly() -> CallContext:
    """Return the context of the call at hand, with little time left."""
    context, soon = current(), monotonic() + _BRIEFLY_SECONDS
    return msgspec.structs.replace(context, deadline=soon if context.deadline is None else min(context.deadline, soon))


async def _mode(dialect: Dialect, error: GatepostError, call: Call) -> StatusMode:
    """An app's own mode travels in the error, because only the service that knows the app can tell; else its project's.

    Where no app is known, the project is the one that the path prefix or the host stands for.
    """
    if dialect.legacy_status is None:
        return StatusMode.STRICT
    given = error.metadata.get("status_mode") or current().error_metadata.get("status_mode", "")
    if not given and dialect.app_parameter and error.reason in _BEFORE_THE_CORE:
        given = await _mode_of_app(dialect.app_parameter, call)
    if not given:
        with suppress(GatepostError):
            given = (await call.project()).status_modes.get(dialect.name, "")
    return StatusMode(given) if given in set(StatusMode) else dialect.default_mode


async def _mode_of_app(parameter: str, call: Call) -> str:
    """The mode of the app that a request names, which no service has been told of yet; empty if it has none."""
    with suppress(GatepostError):
        client_id = call.named(parameter) or (basic(call) or ("",))[0]
        app = await call.clients.app(client_id) if _CLIENT_ID.fullmatch(client_id) else None
        return app.status_mode if app else ""
    return ""


def _error_headers(error: GatepostError, status: int, allow: tuple[str, ...]) -> dict[str, str]:
    headers = {}
    if status in _RETRY_STATUSES:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds or 0)))
    if status == 401 and error.reason in _CHALLENGES:  # noqa: PLR2004 HTTP's word
        headers["WWW-Authenticate"] = _CHALLENGES[error.reason]
    if error.reason is Reason.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allow)
    return headers
