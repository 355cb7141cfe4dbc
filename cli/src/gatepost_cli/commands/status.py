"""`gatepost status`: what runs, and whether it is ready."""

import asyncio

import typer

from gatepost_cli import console, data_dir, report, state
from gatepost_cli.commands.options import DataDirOption, JsonOption


def status(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show the processes; exit status 0 when everything is ready, else 1."""
    where = data_dir.locate(folder)
    answer = asyncio.run(report.compose(state.read(where)))
    if as_json:
        console.document(answer)
    elif not answer["processes"]:
        console.progress(f"nothing runs in {where.path}")
    else:
        console.table(
            [
                ("ready" if answer["ready"] else "not ready", str(answer["url"])),
                *(
                    (
                        f"{process['name']} {process['index']}",
                        f"{'healthy' if process['healthy'] else 'NOT HEALTHY'}  {process['address']}",
                    )
                    for process in answer["processes"]
                ),
            ]
        )
    raise typer.Exit(0 if answer["ready"] else 1)
