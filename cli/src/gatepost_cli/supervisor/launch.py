"""Launches a stack and supervises it until it is told to stop: what `gatepost up` comes to, run by `__main__`.

The order matters: the data folder is locked, then leftovers of a killed run are ended, then the port is checked,
and only then is anything started.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gatepost_cli import console, data_dir, databases, detach, ports, secrets_file, showcase, state
from gatepost_cli.account import unprivileged
from gatepost_cli.embedded import postgres, run_folder, valkey
from gatepost_cli.program import Program
from gatepost_cli.supervisor import forks, remains
from gatepost_cli.supervisor.options import Options
from gatepost_cli.supervisor.plan import STAGES, Plan, Wanted, grace_seconds, plan
from gatepost_cli.supervisor.published import Published
from gatepost_cli.supervisor.stages import Supervisor

CONNECTIONS_PER_SERVICE = 30
SPARE_CONNECTIONS = 40


def launch(options: Options) -> None:
    """Start PostgreSQL, Valkey and all services; return when they have stopped.

    Raises:
        CommandFailed: the folder is in use, a port is taken, or something cannot be started.
    """
    where = data_dir.locate(Path(options.folder) if options.folder else None)
    environ = dict(os.environ)
    given = databases.external(environ)
    data_dir.create(where, unprivileged() if given is None else None)
    with data_dir.lock(where) as lock, ports.Ports() as held:
        asyncio.run(remains.end(where, grace_seconds(environ)))
        claimed = held.claim(options.host, options.port)
        leave = detach.leave_terminal(where.logs) if options.detached else None
        data_dir.sign(lock)
        request = _Request(
            where=where, options=replace(options, port=claimed), ports=held, given_dsns=given, leave=leave
        )
        try:
            asyncio.run(_run(request, environ))
        finally:
            where.state.unlink(missing_ok=True)
            run_folder.remove(where.postgres)
            run_folder.remove(where.valkey)


@dataclass(frozen=True, kw_only=True)
class _Request:
    where: data_dir.DataDir
    options: Options
    ports: ports.Ports
    given_dsns: Mapping[str, str] | None
    leave: Callable[[], None] | None


async def _run(request: _Request, environ: Mapping[str, str]) -> None:
    # A single process shares with nobody: its fork server would take 18 MB of its own.
    if not (request.options.fork and forks.AVAILABLE) or request.options.single_process:
        await _start(request, environ, None)
        return
    logs = request.where.logs if request.leave is not None else None
    server = forks.ForkServer([kind.module for stage in STAGES for kind in stage], logs)
    try:
        await server.start()  # first: it imports for a second, while the storage starts
        await _start(request, environ, server)
    finally:
        await server.close()


async def _start(request: _Request, environ: Mapping[str, str], server: forks.ForkServer | None) -> None:
    where = request.where
    secrets = secrets_file.load(where)
    storage: list[Program] = []
    dsns, url = request.given_dsns, environ.get("GATEPOST_VALKEY_URL")
    if dsns is None:
        if not (where.postgres / "data").exists():
            console.progress(f"making the databases in {where.postgres}")
        services = sum(request.options.instances.values()) - request.options.instances["gateway"]
        cluster = await postgres.open_cluster(
            where.postgres,
            password=secrets.postgres_password,
            max_connections=SPARE_CONNECTIONS + CONNECTIONS_PER_SERVICE * services,
        )
        storage.append(cluster.program())
        dsns = {
            database: environ.get(databases.variable(database)) or cluster.dsn_for(database)
            for database in databases.DATABASES
        }
    elif given := environ.get(databases.SERVER_DSN):
        await databases.ensure(
            given, [name for name in databases.DATABASES if not environ.get(databases.variable(name))]
        )
    if not url:
        embedded = valkey.open_valkey(where.valkey, password=secrets.valkey_password)
        storage.append(embedded.program())
        url = embedded.url
    given_keys = tuple(key.strip() for key in environ.get("GATEPOST_SERVICE_KEYS", "").split(",") if key.strip())
    has_master_key = environ.get("GATEPOST_MASTER_KEY") or environ.get("GATEPOST_MASTER_KEY_FILE")
    wanted = Wanted(
        host=request.options.host,
        port=request.options.port,
        instances=request.options.instances,
        together=request.options.single_process,
        service_keys=given_keys or secrets.service_keys,
        master_key=None if has_master_key else secrets.master_key,
        dsns=dsns,
        valkey_url=url,
        media=where.media,
    )
    await _supervise(request, wanted, plan(wanted, environ, request.ports), storage, server)


async def _supervise(
    request: _Request, wanted: Wanted, planned: Plan, storage: list[Program], server: forks.ForkServer | None
) -> None:
    where = request.where
    first = state.State(
        **state.ourselves(),
        ready=False,
        url=planned.url,
        targets=planned.targets,
        service_keys=wanted.service_keys,
        dsns=wanted.dsns,
        valkey_url=wanted.valkey_url,
        outbox_page=planned.outbox_page,
        processes=(),
    )
    published = Published(where, first)

    def changed(processes: tuple[state.RunningProcess, ...]) -> None:
        published.change(processes=processes)

    async def when_ready() -> None:
        published.change(ready=True)
        await showcase.show(
            where, published.current, with_demo=request.options.with_demo, as_json=request.options.as_json
        )
        if request.leave is not None:
            request.leave()

    stages = [storage, *planned.stages] if storage else planned.stages
    console.progress(f"starting {', '.join(program.label for stage in stages for program in stage)}")
    logs = where.logs if request.leave is not None else None
    await Supervisor(stages, logs, changed, server).run(when_ready)
