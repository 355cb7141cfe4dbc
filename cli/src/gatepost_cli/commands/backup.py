"""`gatepost backup`: a consistent copy of databases and pictures in one file, while everything runs."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gatepost_cli import console, data_dir, databases, state
from gatepost_cli.backup import installation, snapshots, taking
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.errors import CommandFailed


def backup(
    *,
    file: Annotated[Path, typer.Argument(help="Where to write it; nothing may be there.", show_default=False)],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Put secrets.json, the master key, into it too.")
    ] = False,
    without_pictures: Annotated[
        bool, typer.Option("--without-pictures", help="Leave the pictures out, as where their bucket is backed up.")
    ] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a backup of the databases and pictures, of one moment, while everything runs."""
    where = data_dir.locate(folder)

    async def work() -> dict[str, Any]:
        async def take(dsns: dict[str, str]) -> dict[str, Any]:
            return await taking.take(
                file.absolute(), where, dsns, with_pictures=not without_pictures, with_secrets=with_secrets
            )

        running = state.read(where)
        if running is not None and running.supervisor_runs():
            return await take(dict(running.dsns))
        if (own := databases.external(os.environ)) is not None:
            return await take(own)
        if not (where.postgres / "data").exists():
            raise CommandFailed(f"there is nothing to back up in {where.path}")
        async with installation.at_rest(where) as found:
            return await take(found.dsns)

    with snapshots.explained():
        answer = asyncio.run(work())
    if as_json:
        console.document(answer)
    else:
        console.record(answer)
