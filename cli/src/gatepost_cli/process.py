"""Starting one program as a child and stopping it again.

The supervisor and the embedded servers' own `start` call this. A child is the leader of its own process group, so
that the terminal's Ctrl-C reaches the supervisor alone, and on Linux it is signalled when the process that started
it dies.
"""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, Protocol

from gatepost_cli.program import Program

PR_SET_PDEATHSIG = 1  # prctl(2)
POLL_SECONDS = 0.02
KILL_SECONDS = 6.0  # an immediate shutdown of PostgreSQL gives its backends five seconds
UMASK = 0o077
Output = int | IO[Any]


class Running(Protocol):
    """A process under way: asyncio's `Process`, or a fork of the fork server."""

    pid: int
    stdout: asyncio.StreamReader | None

    @property
    def returncode(self) -> int | None:
        """Its exit status, or minus the signal that ended it; None while it runs."""

    async def wait(self) -> int:
        """Return the exit status when it has ended."""

    def send_signal(self, signal: int) -> None:
        """Send it a signal; ProcessLookupError when it is gone."""


async def spawn(program: Program, output: Output, *, descriptors: Sequence[int] = ()) -> Process:
    """Start the program with stdout and stderr going to `output`. Call it from the main thread.

    It inherits `descriptors` besides.

    The kernel ties a child to the thread that forked it, not to the process. A caller that uses gRPC must set
    GRPC_ENABLE_FORK_SUPPORT=0 before it imports it: gRPC's own fork handlers can kill the child.

    Raises:
        OSError: the binary is missing or may not be run.
    """
    account = program.account
    argv = account.command(program.argv, program.stop_signal) if account else program.argv
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=DEVNULL,
        stdout=output,
        stderr=STDOUT,
        env=program.environment,
        process_group=0,
        umask=UMASK,
        pass_fds=descriptors,
        preexec_fn=signalled_when_we_die(program.stop_signal),
        **(account.forked() if account else {}),
    )


async def until_ready(program: Program) -> None:
    """Return as soon as the program says that it is ready; cancel it to give up."""
    while not await program.ready():  # noqa: ASYNC110  another process cannot set our event
        await asyncio.sleep(POLL_SECONDS)


async def stop(program: Program, process: Running) -> None:
    """Ask for an orderly stop, wait for the grace period, then kill. Returns when the process is gone."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(program.stop_signal)
    try:
        await asyncio.wait_for(process.wait(), program.grace_seconds)
    except TimeoutError:
        await kill(program, process)


async def kill(program: Program, process: Running) -> None:
    """End the process and its process group now. Returns when the process is gone."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(program.kill_signal)
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), KILL_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def signalled_when_we_die(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls first, so that the kernel sends it the signal when this process dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return before_exec
