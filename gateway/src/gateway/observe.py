"""What is written down of each request: one log line and one observation. Never a query string, a body or a header."""

from dataclasses import dataclass
from time import perf_counter

from prometheus_client import Histogram

from gateway.routing import Match
from runtime.logs import get_logger

HTTP_SECONDS = Histogram(
    "gatepost_http_seconds",
    "Time to answer a public request, by dialect, route (empty if unknown) and strict status.",
    ["dialect", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended.

    Args:
        status: Strict status.
        wire_status: Status the client got; another one in legacy mode.
        reason: Why it failed, `ok` if it did not.
    """

    status: int
    wire_status: int
    reason: str


class Observer:
    """Writes it down."""

    def __init__(self) -> None:
        self._log = get_logger()

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
        HTTP_SECONDS.labels(dialect, match.route.path if match.route else "", outcome.status).observe(seconds)
        self._log.info(
            "request",
            method=method,
            path=path,
            dialect=dialect,
            status=outcome.status,
            wire_status=outcome.wire_status,
            reason=outcome.reason,
            client_address=address,
            ms=round(seconds * 1000, 2),
        )
