"""What the operator said to `gatepost up`, on its way from the command line's process to the supervisor's."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NoReturn

MODULE = "gatepost_cli.supervisor"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `gatepost up`; no secrets.

    Attributes:
        port: of the gateways; 0 for a free one.
        host: where the gateways listen.
        folder: data folder, or None for where the environment says.
        instances: how many of each service, by its word in the settings.
        single_process: run all services in one process.
        with_demo: make a demo app and user.
        detached: leave the terminal when everything is ready.
        fork: start the services as forks.
        as_json: print one JSON document.
    """

    port: int
    host: str
    folder: str | None
    instances: Mapping[str, int]
    single_process: bool
    with_demo: bool
    detached: bool
    fork: bool
    as_json: bool


def become_supervisor(options: Options) -> NoReturn:
    """Go on as the supervisor, which stays: with the same process id, but without what read the command line, 8 MB."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, "-m", MODULE, json.dumps(asdict(options))])  # noqa: S606  no shell


def given(argument: str) -> Options:
    """Return what the process before said."""
    return Options(**json.loads(argument))
