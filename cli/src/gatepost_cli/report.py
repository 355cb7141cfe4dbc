"""The answer of `gatepost status`: every process asked, at this moment, whether it is ready.

`commands.status` prints it; `up --json` too.
"""

import asyncio
from typing import Any

from gatepost_cli import leftovers, probes
from gatepost_cli.state import RunningProcess, State

NOTHING: dict[str, Any] = {
    "ready": False,
    "url": None,
    "processes": [],
    "postgres": {"dsn": None, "dsns": {}},
    "valkey": {"url": None},
}


async def compose(running: State | None) -> dict[str, Any]:
    """Return the document; `ready` only when the supervisor lives and every process is healthy."""
    if running is None or not running.supervisor_runs():
        return NOTHING
    healthy = await asyncio.gather(*(_healthy(process, running) for process in running.processes))
    return {
        "ready": running.ready and bool(healthy) and all(healthy),
        "url": running.url,
        "processes": [
            {
                "name": process.name,
                "index": process.index,
                "pid": process.pid,
                "address": process.address,
                "metrics": process.metrics,
                "healthy": well,
            }
            for process, well in zip(running.processes, healthy, strict=True)
        ],
        "postgres": {"dsn": running.dsns["auth"], "dsns": dict(running.dsns)},
        "valkey": {"url": running.valkey_url},
    }


async def _healthy(process: RunningProcess, running: State) -> bool:
    if process.pid is None or process.created is None or leftovers.recorded(process.pid, process.created) is None:
        return False
    if process.metrics is not None:
        return await probes.http_ready(process.metrics)
    if process.name == "valkey":
        return await probes.valkey_ready(running.valkey_url)
    return await probes.postgres_ready(running.dsns["auth"])
