"""Services as forks of one process that has imported them, instead of four that import the same each by itself.

`launch` makes one `ForkServer` on Linux; a `Child` starts its program through it as it would through
`process.spawn`, and holds a `Fork` as it would hold a `Process`. It pays for itself when nobody asks for anything:
150 MB instead of 235 for the four services, the fork server's own share included, and 0.9 s of CPU time instead of
2.3 to import what they need. Without it (`--no-fork`) everything works the same.

A service can be killed and is forked again. When the fork server is killed, the kernel ends its forks in order, and
all are started again from a new one.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gatepost_cli import leftovers, state
from gatepost_cli.process import spawn
from gatepost_cli.program import Program
from gatepost_cli.supervisor.output import Output

NAME = "fork-server"
MODULE = "gatepost_cli.supervisor.fork_server"
MESSAGE_BYTES = 256
KILL_SECONDS = 3.0
AVAILABLE = sys.platform == "linux"  # memfd, pidfd; and forks without exec are not safe on macOS


class Fork:
    """A process that the fork server started; the part of `asyncio.subprocess.Process` that a `Child` uses.

    Attributes:
        pid: its process id.
        program: what it runs.
        stdout: what it prints, errors included.
        returncode: its exit status, or minus the signal that ended it; None while it runs.
    """

    def __init__(self, pid: int, program: Program, stdout: asyncio.StreamReader) -> None:
        self.pid = pid
        self.program = program
        self.created = state.created(pid)
        self.stdout: asyncio.StreamReader | None = stdout
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def end(self, status: int) -> None:
        """Note that it has ended."""
        self.returncode = status
        self._ended.set()

    async def wait(self) -> int:
        """Return its exit status when it has ended."""
        await self._ended.wait()
        return self.returncode or 0

    def send_signal(self, number: int) -> None:
        """Send it a signal.

        Raises:
            ProcessLookupError: it is gone.
        """
        if self.returncode is not None:
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, number)


class ForkServer:
    """Started by `start`, and again when it was killed.

    Args:
        modules: imported beforehand.
        logs: folder of log files, or None for the terminal.
    """

    def __init__(self, modules: Sequence[str], logs: Path | None) -> None:
        self._modules = modules
        self._output = Output(NAME, logs)
        self._process: Process | None = None
        self._ours: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._asked: deque[tuple[Program, asyncio.StreamReader, asyncio.Future[Fork]]] = deque()
        self._running: dict[int, Fork] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start it; it imports while other things start."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            program = Program(
                name=NAME,
                argv=(sys.executable, "-m", MODULE, str(theirs.fileno()), *self._modules),
                # gRPC's own handlers of forks would start threads in what is to have none.
                environment={**os.environ, "PYTHONUNBUFFERED": "1", "GRPC_ENABLE_FORK_SUPPORT": "0"},
                address="",
                ready=_at_once,
            )
            self._process = await spawn(program, PIPE, descriptors=(theirs.fileno(),))
        self._ours = ours
        if self._process.stdout is None:
            raise AssertionError("spawned with PIPE")
        self._keep(self._output.copy(self._process.stdout))
        self._keep(self._listen(ours, self._process))

    async def spawn(self, program: Program) -> Fork:
        """Start a program that is a Python module; as `process.spawn` with a pipe.

        Raises:
            OSError: the fork server ended before it answered, or cannot be started.
        """
        async with self._starting:  # all whose forks ended with the last one come at once
            if self._ours is None:
                await self.start()
        if self._ours is None:
            raise ConnectionResetError("the fork server ended at once")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Fork] = loop.create_future()
        reading, writing = os.pipe()
        output = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reading, "rb", 0))
        document = os.memfd_create("program")
        try:
            os.write(
                document, json.dumps({"module": program.module, "environment": dict(program.environment)}).encode()
            )
            os.lseek(document, 0, os.SEEK_SET)
            socket.send_fds(self._ours, [b"f"], [document, writing])
        finally:
            os.close(document)
            os.close(writing)
        self._asked.append((program, output, answer))
        return await answer

    async def close(self) -> None:
        """End it; its forks have ended by then."""
        if self._ours is not None:
            self._ours.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), KILL_SECONDS)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._output.close()

    async def _listen(self, ours: socket.socket, process: Process) -> None:
        """Take what the fork server says until it ends: a fork's id, in the order asked; or an id and a status."""
        loop = asyncio.get_running_loop()
        with ours:
            while message := await _next(loop, ours):
                pid, status = json.loads(message)
                if status is not None:
                    self._running.pop(pid).end(status)
                    continue
                program, output, answer = self._asked.popleft()
                self._running[pid] = fork = Fork(pid, program, output)
                if not answer.cancelled():
                    answer.set_result(fork)
        self._ours = None
        asked, self._asked = self._asked, deque()
        for _, _, answer in asked:
            if not answer.done():
                answer.set_exception(ConnectionResetError("the fork server ended"))
        orphans, self._running = list(self._running.values()), {}
        await asyncio.gather(process.wait(), *map(_until_gone, orphans))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _next(loop: asyncio.AbstractEventLoop, ours: socket.socket) -> bytes:
    """Return the next message; nothing when the other end is gone."""
    try:
        return await loop.sock_recv(ours, MESSAGE_BYTES)
    except OSError:
        return b""


async def _until_gone(fork: Fork) -> None:
    """See a fork end whose fork server cannot say so any more; the kernel has asked it to."""
    found = leftovers.recorded(fork.pid, fork.created) if fork.created is not None else None
    seconds = fork.program.grace_seconds
    await leftovers.end([found] if found else [], ((signal.SIGTERM, seconds), (signal.SIGKILL, KILL_SECONDS)))
    fork.end(-signal.SIGTERM)


async def _at_once() -> bool:
    return True
