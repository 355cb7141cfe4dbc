"""`gatepost migrate`: bring the three databases up to date before anything of the new release is started.

Services migrate their own database when they start, so this is for deployments that want it as a step of its own.
Each service does it in its own process, as `python -m <package> migrate`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from gatepost_cli import by_hand, console, databases, stack
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.supervisor.plan import AUTH, NOTIFY, USERS, Kind


def migrate(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Apply the migrations that the databases lack."""
    dsns = _dsns(folder)
    applied = {kind.word: _applied(kind, dsns[kind.word]) for kind in (AUTH, USERS, NOTIFY)}
    if as_json:
        console.document({"applied": applied})
        return
    for word, names in applied.items():
        console.output(f"{word}: {', '.join(names) if names else 'up to date'}")


def _dsns(folder: Path | None) -> Mapping[str, str]:
    """Return the DSNs: of the environment if it names all and no folder is given, else of the running stack."""
    own = databases.external(os.environ) if folder is None else None
    return own or stack.load(folder).dsns


def _applied(kind: Kind, dsn: str) -> list[str]:
    """Migrate a database; return the names of the migrations that it lacked."""
    logged = by_hand.run(kind, ["migrate"], by_hand.environment(kind, dsn))
    return [entry["migration"] for entry in logged if entry.get("event") == "migration applied"]
