"""`gatepost up`: PostgreSQL, Valkey and all services, in the foreground or detached.

The order matters: the data folder is locked, then leftovers of a killed run are ended, then the port is checked,
and only then is anything started.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from gatepost_cli import console, data_dir, databases, detach, ports, secrets_file, showcase, state
from gatepost_cli.account import unprivileged
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.embedded import postgres, run_folder, valkey
from gatepost_cli.errors import CommandFailed
from gatepost_cli.program import Program
from gatepost_cli.supervisor import forks, remains
from gatepost_cli.supervisor.plan import STAGES, Plan, Wanted, grace_seconds, plan
from gatepost_cli.supervisor.stages import Supervisor

CONNECTIONS_PER_SERVICE = 30
SPARE_CONNECTIONS = 40
Instances = Annotated[int, typer.Option(min=1, max=32, help="How many instances.")]


def up(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="GATEPOST_PORT", help="Port of the gateway; 0 takes a free one.")
    ] = 8080,
    host: Annotated[str, typer.Option(help="Address of the gateway.")] = "127.0.0.1",
    folder: DataDirOption = None,
    gateways: Instances = 1,
    auth: Instances = 1,
    users: Instances = 1,
    notify: Instances = 1,
    single_process: Annotated[
        bool, typer.Option("--single-process", help="Run all services in one process, for tiny hosts.")
    ] = False,
    with_demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Make a demo app and user to try.")] = True,
    detached: Annotated[bool, typer.Option("--detach", help="Return when everything is ready.")] = False,
    fork: Annotated[
        bool, typer.Option(help="Start the services as forks that share what they import; always off beside Linux.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Start PostgreSQL, Valkey and all services; Ctrl-C stops them."""
    if single_process and max(gateways, auth, users, notify) > 1:
        raise CommandFailed(
            "--single-process holds one instance of each service; for several leave it out, "
            "or leave out --gateways, --auth, --users and --notify"
        )
    where = data_dir.locate(folder)
    environ = dict(os.environ)
    given = databases.external(environ)
    data_dir.create(where, unprivileged() if given is None else None)
    with data_dir.lock(where) as lock:
        asyncio.run(remains.end(where, grace_seconds(environ)))
        claimed = ports.claim(host, port)
        leave = detach.leave_terminal(where.logs) if detached else None
        data_dir.sign(lock)
        request = _Request(
            where=where,
            host=host,
            port=claimed,
            instances={"gateway": gateways, "auth": auth, "users": users, "notify": notify},
            given_dsns=given,
            with_demo=with_demo,
            as_json=as_json,
            leave=leave,
            single_process=single_process,
            # A single process shares with nobody: its fork server would take 18 MB of its own.
            fork=fork and forks.AVAILABLE and not single_process,
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
    host: str
    port: int
    instances: Mapping[str, int]
    given_dsns: Mapping[str, str] | None
    with_demo: bool
    as_json: bool
    leave: Callable[[], None] | None
    single_process: bool
    fork: bool


async def _run(request: _Request, environ: Mapping[str, str]) -> None:
    if not request.fork:
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
        services = sum(request.instances.values()) - request.instances["gateway"]
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
        host=request.host,
        port=request.port,
        instances=request.instances,
        together=request.single_process,
        service_keys=given_keys or secrets.service_keys,
        master_key=None if has_master_key else secrets.master_key,
        dsns=dsns,
        valkey_url=url,
        media=where.media,
    )
    await _supervise(request, wanted, plan(wanted, environ), storage, server)


async def _supervise(
    request: _Request, wanted: Wanted, planned: Plan, storage: list[Program], server: forks.ForkServer | None
) -> None:
    where = request.where
    current = state.State(
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
    state.write(where, current)

    def changed(processes: tuple[state.RunningProcess, ...]) -> None:
        nonlocal current
        current = replace(current, processes=processes)
        state.write(where, current)

    async def when_ready() -> None:
        nonlocal current
        current = replace(current, ready=True)
        state.write(where, current)
        await showcase.show(where, current, with_demo=request.with_demo, as_json=request.as_json)
        if request.leave is not None:
            request.leave()

    stages = [storage, *planned.stages] if storage else planned.stages
    console.progress(f"starting {', '.join(program.label for stage in stages for program in stage)}")
    logs = where.logs if request.leave is not None else None
    await Supervisor(stages, logs, changed, server).run(when_ready)
