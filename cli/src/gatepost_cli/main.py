"""The command `gatepost`: finds the subcommand and turns a failure into one sentence and exit status 1.

A new noun is one module in `commands/` and one line here. Only the module of the subcommand that was asked for is
imported, so that `up` does not pay for gRPC. Exit status 2 is a mistake on the command line.
"""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from gatepost_cli import console

USAGE = 2
SUBCOMMANDS = (
    "up",
    "down",
    "status",
    "project",
    "app",
    "key",
    "user",
    "location",
    "outbox",
    "keys",
    "audit",
    "passwords",
    "doctor",
    "migrate",
    "backup",
    "restore",
    "service-token",
)


class Subcommands(TyperGroup):
    """Imports `commands.<name>` when it is asked for; the module defines `<name>`, a function or a Typer of its own."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  the signature is typer's
        """Return the names in the order of the help."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the subcommand, or None when there is none of this name."""
        if cmd_name not in SUBCOMMANDS:
            return None
        word = cmd_name.replace("-", "_")
        found = getattr(import_module(f"gatepost_cli.commands.{word}"), word)
        if not isinstance(found, typer.Typer):
            verb = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            verb.command(cmd_name)(found)
            found = verb
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="gatepost",
    cls=Subcommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def gatepost() -> None:
    """Start Gatepost and administer it."""


def main() -> None:
    """Run the command line of this process."""
    as_json = "--json" in sys.argv[1:]
    try:
        with console.telling_failures(as_json=as_json):
            app()
    except SystemExit as end:
        if end.code == USAGE and as_json:
            console.document({"error": "the command line is not right; stderr says what"})
        raise
