"""Leaving the terminal: `up --detach` forks, and the fork becomes the supervisor.

The first process waits and passes on how the start went. The fork keeps the terminal as its output until everything
is ready, so that progress, table and failures are printed as they are without --detach.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gatepost_cli import console
from gatepost_cli.supervisor.output import Output

READY = b"0"
NAME = "gatepost"


def leave_terminal(logs: Path) -> Callable[[], None]:
    """Fork. Return in the fork only, with the function that it calls when it is ready.

    The first process exits: with status 0 when that function was called, else as the fork exits.
    """
    reading, writing = os.pipe()
    fork = os.fork()
    if fork:
        os.close(writing)
        os._exit(_outcome(reading, fork))
    os.close(reading)
    os.setsid()
    _replace(0, os.open(os.devnull, os.O_RDONLY))

    def ready() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        log = Output(NAME, logs)
        console.redirect(lambda message: log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {message}"))
        # What nobody foresaw, such as a traceback, goes to the same file.
        descriptor = os.open(logs / f"{NAME}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        _replace(2, descriptor)
        os.write(writing, READY)
        os.close(writing)

    return ready


def _outcome(reading: int, fork: int) -> int:
    while True:
        try:
            if os.read(reading, 1) == READY:
                return 0
            return os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) and 1
        except KeyboardInterrupt:
            os.kill(fork, signal.SIGTERM)


def _replace(descriptor: int, by: int) -> None:
    os.dup2(by, descriptor)
    os.close(by)
