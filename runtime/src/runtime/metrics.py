"""Prometheus metrics and the small private listener that serves them with /healthz and /readyz.

Never mounted on the public listener. Labels are bounded: method names, outcomes; no user data.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from runtime.context import CallContext, bound

RPC_SECONDS = Histogram(
    "gatepost_rpc_seconds",
    "Time to answer an RPC, by method and reason (`ok` when it succeeded).",
    ["method", "reason"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LOOP_FAILURES = Counter("gatepost_loop_failures_total", "Failed rounds of background loops, by loop.", ["loop"])

ReadyCheck = Callable[[], Awaitable[dict[str, bool]]]


class Checks:
    """A ReadyCheck that a service fills as it starts: not ready until it has one, then while all of them hold."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[], Awaitable[bool]]] = {}

    def add(self, name: str, check: Callable[[], Awaitable[bool]]) -> None:
        """Ask `check` from now on whether the dependency `name` can be used."""
        self._checks[name] = check

    async def __call__(self) -> dict[str, bool]:
        """Ask all at once."""
        answers = await asyncio.gather(*(check() for check in self._checks.values()))
        return dict(zip(self._checks, answers, strict=True))


async def serve(listen: str, ready: ReadyCheck) -> web.AppRunner:
    """Start the listener on `host:port` and return its runner; the caller cleans it up.

    Args:
        listen: Address, host:port.
        ready: Returns each dependency by name and whether it can be used now; none means not started yet.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        with bound(CallContext(work="readiness")):
            checks = await ready()
        usable = bool(checks) and all(checks.values())
        return web.json_response({"ready": usable, "checks": checks}, status=200 if usable else 503)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    return runner
