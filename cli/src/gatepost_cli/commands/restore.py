"""`gatepost restore`: an installation of a backup, in which nothing is back that was taken away since."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from gatepost_cli import console, data_dir
from gatepost_cli.backup import archive, installation, restoring, snapshots
from gatepost_cli.commands.options import DataDirOption, JsonOption


def restore(
    *,
    file: Annotated[Path, typer.Argument(help="What `gatepost backup` wrote.", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Put it in place of the installation there is.")] = False,
    deletions: Annotated[
        Path | None,
        typer.Option(help="Events since the backup, a JSON document a line, where the installation itself is lost."),
    ] = None,
    accept_missing_history: Annotated[
        bool,
        typer.Option("--accept-missing-history", help="Restore although nothing says what was taken away since."),
    ] = False,
    without_pictures: Annotated[
        bool, typer.Option("--without-pictures", help="Leave the pictures as they are.")
    ] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an installation of a backup; its stack must be stopped. Everybody has to sign in again."""
    where = data_dir.locate(folder)
    wish = restoring.Wish(
        replace=replace,
        deletions=deletions,
        without_history=accept_missing_history,
        with_pictures=not without_pictures,
    )

    async def work(backup: archive.Reader) -> dict[str, Any]:
        restoring.install_secrets(backup, where)
        async with installation.at_rest(where) as found:
            return await restoring.restore(backup, found, wish)

    with archive.reading(file) as backup, snapshots.explained():
        answer = {"file": str(file)} | asyncio.run(work(backup))
    if as_json:
        console.document(answer)
    else:
        console.record(answer)
