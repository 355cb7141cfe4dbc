"""Options and arguments that several subcommands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Data folder of the stack; default: GATEPOST_DATA_DIR, else .gatepost."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ProjectOption = Annotated[str, typer.Option("--project", help="Name of the project.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Show at most so many.")]
DEFAULT_PROJECT = "default"


class Service(StrEnum):
    """The services that are called by gRPC, by the name that credentials are addressed to."""

    AUTH = "auth-service"
    USERS = "user-service"
    NOTIFY = "notify-service"
