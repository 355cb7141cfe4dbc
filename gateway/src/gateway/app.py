"""The way of every public request, top to bottom: identify, route, guard, handle, word errors, CORS, headers, record.

The one place where exceptions become answers. `server` calls it; it knows dialects only as values.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import Any

from aiohttp import web

from gateway import origins
from gateway.addresses import Addresses
from gateway.body import receive
from gateway.call import Call
from gateway.clients import Clients
from gateway.dialect import Route
from gateway.fields import Takes
from gateway.limits import Limit, Limits
from gateway.observe import Observer, Outcome
from gateway.origins import Origins
from gateway.params import NOTHING, parse_query
from gateway.render import answer, error_reply
from gateway.reply import NO_HEADERS, Reply
from gateway.routing import Match, RouteTable
from gateway.settings import GatewaySettings
from gateway.web import locale
from runtime.context import CallContext, bound
from runtime.errors import AWAY, GatepostError, Reason
from runtime.logs import get_logger

_MAX_HOST_LENGTH = 255
_MAX_USER_AGENT_LENGTH = 200
_WRONG_PARAMETERS = frozenset({Reason.MISSING_PARAMETER, Reason.INVALID_PARAMETER})


@dataclass(frozen=True, slots=True)
class App:
    """Everything a request needs; made once by `main`."""

    settings: GatewaySettings
    table: RouteTable
    clients: Clients
    addresses: Addresses
    origins: Origins
    limits: Limits
    observer: Observer

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        started = perf_counter()
        path = request.rel_url.raw_path
        address, request_id = self.addresses.identify(request.remote or "", request.headers)
        deadline = monotonic() + self.settings.request_timeout_seconds
        match = self.table.find(request.method, path)
        call = self._call(request, match)
        context = CallContext(
            request_id=request_id,
            client_address=address,
            deadline=deadline,
            user_agent=_user_agent(request),
            language=locale.choose(call),
            dialect="" if match.dialect.everywhere else match.dialect.name,
        )
        with bound(context):
            reply, outcome = await self._answer(request, match, call)
            permission, cors = NO_HEADERS, match.dialect.cors
            if cors and "Origin" in request.headers:
                reply, outcome, permission = await self._share(request, match, reply, outcome)
            answered = answer(request, reply, request_id, cors=cors, permission=permission)
            self.observer.record(match, request.method, path, address, outcome, started)
        return answered

    def _call(self, request: web.BaseRequest, match: Match) -> Call:
        limit = match.route.limit if match.route else Limit.ORDINARY
        return Call(
            clients=self.clients,
            method=request.method,
            takes=match.route.takes_for(request.method) if match.route else Takes.QUERY,
            query=NOTHING,
            headers=request.headers,
            receive=partial(
                receive, request, self.limits.body_bytes(limit), self.settings.request_body_timeout_seconds
            ),
            json_depth=self.settings.json_depth_limit_levels,
            segments=match.segments,
            host=_host(request),
            mount=match.mount,
            target=request.rel_url.raw_path_qs,
            public_url=self.settings.public_url,
        )

    async def _answer(self, request: web.BaseRequest, match: Match, call: Call) -> tuple[Reply, Outcome]:
        try:
            reply = await self._serve(request, match, call)
        except GatepostError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001 the one place where what nobody foresaw becomes an answer
            get_logger().error("request failed", dialect=match.dialect.name, exc_info=exc)
            error = GatepostError(Reason.INTERNAL)
        else:
            return reply, Outcome(reply.status, reply.status, "ok")
        reply, strict_status = await error_reply(match.dialect, error, call, match.allow)
        return reply, Outcome(strict_status, reply.status, error.reason.value)

    async def _serve(self, request: web.BaseRequest, match: Match, call: Call) -> Reply:
        route = match.route
        if route is None:
            raise GatepostError(Reason.METHOD_NOT_ALLOWED if match.allow else Reason.UNKNOWN_METHOD)
        route.guard.check(call)
        call.query = parse_query(request.rel_url.raw_query_string)
        if route.limit is not Limit.UPLOAD:  # which is large: memory is what its room is for
            await call.arrive()  # who sends a body slowly takes no place from others
        with self.limits.at_work(route.limit):
            form = await _read(route, call)
            return await (route.handler(call) if form is None else route.handler(call, form))

    async def _share(
        self, request: web.BaseRequest, match: Match, reply: Reply, outcome: Outcome
    ) -> tuple[Reply, Outcome, Mapping[str, str]]:
        """Let a page of a listed origin read the answer; its preflight becomes a 204 (Fetch, section 3.2.2)."""
        origin = request.headers["Origin"]
        if not await self.origins.allows(origin):
            return reply, outcome, NO_HEADERS
        permission = origins.permit(origin)
        if request.method == "OPTIONS" and match.allow and "Access-Control-Request-Method" in request.headers:
            return Reply(status=204), Outcome(204, 204, "ok"), permission | self.origins.preflight(match.allow)
        return reply, outcome, permission


async def _read(route: Route, call: Call) -> Any:
    """Fill the route's form, None without one, and let its guard see the parameters; the guard has the first word.

    Only not when it cannot say anything, because the services are away: then what is wrong with the parameters is told.
    """
    admit = route.guard.admit
    try:
        form = None if route.form is None else await call.read(route.form)
    except GatepostError as wrong:
        if admit is not None and wrong.reason in _WRONG_PARAMETERS:
            with _unless_away():
                await admit(call)
        raise
    if admit is not None:
        await admit(call)
    return form


@contextmanager
def _unless_away() -> Iterator[None]:
    try:
        yield
    except GatepostError as refused:
        if refused.reason not in AWAY:
            raise


def _user_agent(request: web.BaseRequest) -> str:
    """What the client calls itself, shortened; for people, in lists of their sessions."""
    given = request.headers.get("User-Agent", "")[:_MAX_USER_AGENT_LENGTH]
    return given if given.isprintable() else "".join(filter(str.isprintable, given))


def _host(request: web.BaseRequest) -> str:
    """Host as the client sent it; of an absolute target, the target's (RFC 9112 section 3.2.2)."""
    if "Host" not in request.headers:
        return ""
    host = request.host or ""
    return host if host.isascii() and len(host) <= _MAX_HOST_LENGTH else ""
