"""Ending what a supervisor that was killed left running.

`up` calls this before it starts anything, `down` when it finds no supervisor. On Linux the kernel has asked those
processes to stop already; here they are waited for, and killed when they do not.
"""

import signal

from gatepost_cli import console, leftovers, state
from gatepost_cli.data_dir import DataDir
from gatepost_cli.embedded import postgres


async def end(where: DataDir, grace_seconds: float) -> bool:
    """End every living process that the folder's state records; tell whether there were any.

    A service gets `grace_seconds` before it is killed.
    """
    earlier = state.read(where)
    service = ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 3.0))
    found_any = False
    for process in reversed(earlier.processes if earlier else ()):
        if process.pid is None or process.created is None:
            continue
        found = leftovers.recorded(process.pid, process.created)
        if found is not None:
            found_any = True
            console.progress(f"ending {process.name} (process {process.pid}) of an earlier run")
            escalation = postgres.ESCALATION if process.name == "postgres" else service
            await leftovers.end([found], escalation)
    return found_any
