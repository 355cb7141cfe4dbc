"""What `up` prints when everything is ready: where to look, and the demo credentials.

Nothing but output: the demo itself is `demo`'s business.
"""

import asyncio
import hashlib
import json
import sys
from asyncio.subprocess import PIPE

from gatepost_cli import console, private_json, report
from gatepost_cli.data_dir import DataDir
from gatepost_cli.state import State


async def show(data_dir: DataDir, running: State, *, with_demo: bool, as_json: bool) -> None:
    """Print the table, or the document of `gatepost status` with `demo` added.

    A demo that cannot be made is told and left out: everything else runs.
    """
    demo = await _demo(data_dir, running) if with_demo else {}
    if as_json:
        console.document(await report.compose(running) | {"demo": demo})
        return
    rows = [("Sign-in API", running.url)]
    if running.outbox_page:
        rows.append(("Outbox", f"{running.url}/outbox"))
    rows.append(("Health", f"{running.url}/healthz  {running.url}/readyz"))
    rows += [
        (f"Metrics of {process.name}" + (f" {process.index}" if process.index else ""), f"{process.metrics}/metrics")
        for process in running.processes
        if process.metrics
    ]
    rows.append(("Data folder", str(data_dir.path)))
    console.table([*rows, *demo.items()])


async def _demo(data_dir: DataDir, running: State) -> dict[str, str]:
    """Return the credentials that were remembered for this database, else have them made."""
    database = hashlib.sha256(running.dsns["auth"].encode()).hexdigest()
    remembered = private_json.read(data_dir.demo)
    if remembered and remembered.get("database") == database:
        return dict(remembered["credentials"])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gatepost_cli.demo", str(data_dir.path), stdout=PIPE, stderr=PIPE
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        for line in ("the demo credentials cannot be made:", *errors.decode(errors="replace").splitlines()[-10:]):
            console.progress(line)
        return {}
    credentials: dict[str, str] = json.loads(output)
    if credentials:
        private_json.write(data_dir.demo, {"database": database, "credentials": credentials})
    return credentials
