"""Prometheus metrics and the small private listener that serves them with /healthz and /readyz.

Never mounted on the public listener. Labels are bounded: method names, outcomes; no user data.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

RPC_SECONDS = Histogram(
    "gatepost_rpc_seconds",
    "Time to answer an RPC, by method and reason (`ok` when it succeeded).",
    ["method", "reason"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LOOP_FAILURES = Counter("gatepost_loop_failures_total", "Failed rounds of background loops, by loop.", ["loop"])

ReadyCheck = Callable[[], Awaitable[dict[str, bool]]]


async def serve(listen: str, ready: ReadyCheck) -> web.AppRunner:
    """Start the listener on `host:port` and return its runner; the caller cleans it up.

    Args:
        listen: Address, host:port.
        ready: Returns each dependency by name and whether it can be used now.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        checks = await ready()
        return web.json_response(
            {"ready": all(checks.values()), "checks": checks}, status=200 if all(checks.values()) else 503
        )

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    return runner
