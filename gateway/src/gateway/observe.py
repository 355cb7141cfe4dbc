"""What is written down of each request: one log line and one observation. Never a query string, a body or a header."""

from time import perf_counter

import msgspec

from gateway.routing import Match
from runtime.logs import Line, line_writer
from runtime.metrics import Durations

HTTP_SECONDS = Durations(
    "gatepost_http_seconds",
    "Time to answer a public request, by dialect, route (empty if unknown) and strict status.",
    ("dialect", "route", "status"),
)


class Outcome(msgspec.Struct, frozen=True):
    """How a request ended.

    Args:
        status: Strict status.
        wire_status: Status the client got; another one in legacy mode.
        reason: Why it failed, `ok` if it did not.
    """

    status: int
    wire_status: int
    reason: str


class _Line(Line, kw_only=True):
    event: str = "request"
    method: str
    path: str
    dialect: str
    status: int
    wire_status: int
    reason: str
    client_address: str
    ms: float


class Observer:
    """Writes it down."""

    def __init__(self) -> None:
        self._write = line_writer()

    def record(self, match: Match, method: str, path: str, address: str, outcome: Outcome, started: float) -> None:
        """Record one request; call it inside the request's context, so that the line has its id.

        Args:
            match: Where it belonged.
            method: As sent.
            path: As sent, without query.
            address: Of the client.
            outcome: How it ended.
            started: `perf_counter` at its begin.
        """
        seconds = perf_counter() - started
        dialect = match.dialect.name
        HTTP_SECONDS.observe(seconds, dialect, match.route.path if match.route else "", str(outcome.status))
        self._write(
            _Line(
                method=method,
                path=path,
                dialect=dialect,
                status=outcome.status,
                wire_status=outcome.wire_status,
                reason=outcome.reason,
                client_address=address,
                ms=round(seconds * 1000, 2),
            )
        )
