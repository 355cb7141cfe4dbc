"""A stand-in for a service: reads the same environment, serves the same metrics paths, does nothing else.

`python -m auth_service` and its sisters find it through the packages that the fixture `services` writes. FAKE_EXIT
names services that exit at once, FAKE_DEAF those that ignore SIGTERM, FAKE_REPORT a folder where each instance writes
its environment.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web


def named(variable: str) -> list[str]:
    """Return the services that a variable names."""
    return os.environ.get(variable, "").split(",")


async def serve(word: str) -> None:
    """Listen as the service `word` until SIGTERM."""
    if word in named("FAKE_EXIT"):
        print(f"{word}: no such setting", flush=True)  # noqa: T201  what a service prints is what is tested
        sys.exit(3)
    if folder := os.environ.get("FAKE_REPORT"):
        report = {name: value for name, value in os.environ.items() if name.startswith("GATEPOST_")}
        Path(folder, f"{word}-{os.getpid()}.json").write_text(json.dumps(report), encoding="utf-8")  # noqa: ASYNC240

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text=word)

    stopped = asyncio.Event()
    deaf = word in named("FAKE_DEAF")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, (lambda: None) if deaf else stopped.set)
    app = web.Application()
    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app)
    await runner.setup()
    for kind in ("LISTEN", "METRICS_LISTEN"):
        host, _, port = os.environ[f"GATEPOST_{word.upper()}_{kind}"].rpartition(":")
        await web.TCPSite(runner, host.strip("[]"), int(port), reuse_port=word == "gateway").start()
    print(f"{word} listens", flush=True)  # noqa: T201
    await stopped.wait()
    print(f"{word} stops", flush=True)  # noqa: T201
    await runner.cleanup()


def main(word: str) -> None:
    """Run the service `word`."""
    asyncio.run(serve(word))
