"""The databases of an installation that nobody uses at the moment: ours, started for a while, or the operator's."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gatepost_cli import console, data_dir, databases, secrets_file
from gatepost_cli.account import unprivileged
from gatepost_cli.data_dir import DataDir
from gatepost_cli.embedded import postgres
from gatepost_cli.supervisor import remains
from gatepost_cli.supervisor.plan import grace_seconds


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What is at rest.

    Attributes:
        where: its data folder, locked.
        dsns: of the three databases, which exist.
        valkey_url: of the operator's own Valkey; None for ours, which does not run.
    """

    where: DataDir
    dsns: dict[str, str] = field(repr=False)
    valkey_url: str | None = field(repr=False)


@asynccontextmanager
async def at_rest(where: DataDir) -> AsyncIterator[Installation]:
    """Yield an installation that no `gatepost up` can use meanwhile; made if there is none.

    Raises:
        CommandFailed: a stack runs in its folder, or its PostgreSQL cannot be used.
    """
    environ = dict(os.environ)
    given = databases.external(environ)
    url = environ.get("GATEPOST_VALKEY_URL")
    data_dir.create(where, unprivileged() if given is None else None)
    with data_dir.lock(where):
        await remains.end(where, grace_seconds(environ))
        if given is not None:
            if server := environ.get(databases.SERVER_DSN):
                missing = [name for name in databases.DATABASES if not environ.get(databases.variable(name))]
                await databases.ensure(server, missing)
            yield Installation(where=where, dsns=given, valkey_url=url)
            return
        secrets = secrets_file.load(where)
        console.progress(f"starting PostgreSQL in {where.postgres}")
        running = await postgres.start(
            where.postgres, password=secrets.postgres_password, databases=databases.DATABASES
        )
        try:
            dsns = {
                name: environ.get(databases.variable(name)) or running.dsn_for(name) for name in databases.DATABASES
            }
            yield Installation(where=where, dsns=dsns, valkey_url=url)
        finally:
            await running.stop()
