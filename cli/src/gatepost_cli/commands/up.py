"""`gatepost up`: PostgreSQL, Valkey and all services, in the foreground or detached. Only its command line."""

from typing import Annotated

import typer

from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.supervisor.options import Options, become_supervisor

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
        raise typer.BadParameter(
            "--single-process holds one instance of each service; for several leave it out, "
            "or leave out --gateways, --auth, --users and --notify"
        )
    become_supervisor(
        Options(
            port=port,
            host=host,
            folder=str(folder) if folder else None,
            instances={"gateway": gateways, "auth": auth, "users": users, "notify": notify},
            single_process=single_process,
            with_demo=with_demo,
            detached=detached,
            fork=fork,
            as_json=as_json,
        )
    )
