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


class StatusMode(StrEnum):
    """How errors are marked to clients; `project` leaves it to the project."""

    PROJECT = "project"
    LEGACY = "legacy"
    STRICT = "strict"

    @property
    def wire(self) -> str:
        """The word of the contract."""
        return "" if self is StatusMode.PROJECT else self.value


StatusModeOption = Annotated[
    StatusMode,
    typer.Option("--status-mode", help="HTTP status of errors: always 200, as old clients want, or what they mean."),
]


class Service(StrEnum):
    """The services that are called by gRPC, by the name that credentials are addressed to."""

    AUTH = "auth-service"
    USERS = "user-service"
    NOTIFY = "notify-service"
