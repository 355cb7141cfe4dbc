"""`gatepost down`: stop what `up` started, and wait until it is gone."""

import asyncio
import os
import signal

from gatepost_cli import console, data_dir, leftovers, state
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.errors import CommandFailed
from gatepost_cli.supervisor import remains
from gatepost_cli.supervisor.plan import grace_seconds

# Every stage has its grace period; the second signal kills what has not used it to stop.
ESCALATION = ((signal.SIGTERM, 75.0), (signal.SIGTERM, 15.0), (signal.SIGKILL, 3.0))


def down(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Stop everything; succeeds too when nothing runs."""
    where = data_dir.locate(folder)
    running = state.read(where)
    supervisor = leftovers.recorded(running.supervisor_pid, running.supervisor_created) if running else None
    if supervisor is None:
        stopped = asyncio.run(remains.end(where, grace_seconds(os.environ)))
    else:
        asyncio.run(leftovers.end([supervisor], ESCALATION))
        stopped = not leftovers.alive(supervisor)
        if not stopped:
            raise CommandFailed(f"the supervisor (process {supervisor.pid}) does not stop")
    console.progress("stopped" if stopped else f"nothing runs in {where.path}")
    if as_json:
        console.document({"stopped": stopped})
