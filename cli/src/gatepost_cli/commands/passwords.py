"""`gatepost passwords`: the list of breached passwords that nobody may choose. Works on files, without any service."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gatepost_cli import console, private_file
from gatepost_cli.commands.options import JsonOption
from gatepost_cli.errors import CommandFailed
from runtime.breached import compile_list

passwords = typer.Typer(
    help="Make the list of breached passwords that nobody may choose.", no_args_is_help=True, add_completion=False
)


@passwords.callback()
def lists() -> None:
    """Make the list of breached passwords that nobody may choose."""


@passwords.command("compile")
def compile_file(
    *,
    source: Annotated[Path, typer.Argument(metavar="IN", help="Lines SHA1:COUNT in order, as Have I Been Pwned has.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="For GATEPOST_BREACHED_PASSWORDS_FILE.")],
    at_least: Annotated[int, typer.Option(min=1, help="Leave out passwords seen more rarely.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Make a list that auth-service looks passwords up in, 5 bytes for each. Replaces OUT once it is whole."""
    try:
        count = _compile(source, target, at_least)
        size = target.stat().st_size
    except OSError as error:
        raise CommandFailed(f"{error.filename or target}: {error.strerror}") from error
    except ValueError as error:
        raise CommandFailed(f"{source}: {error}") from error
    console.answer({"passwords": count, "bytes": size, "file": str(target)}, as_json=as_json)


def _compile(source: Path, target: Path, at_least: int) -> int:
    with source.open(encoding="ascii", errors="replace") as lines, private_file.replacing(target) as out:
        os.fchmod(out.fileno(), 0o644)  # no secret, and perhaps another user's process reads it
        return compile_list(lines, out, at_least=at_least)
