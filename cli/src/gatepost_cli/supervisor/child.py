"""One process that is kept running: started, waited for until it is ready, started again when it dies.

`supervisor.stages` owns the children. A child that dies before it has ever been ready is a mistake in the set-up and
gives up soon; one that was ready once is started again for as long as the stack runs, at growing intervals.
"""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from secrets import SystemRandom

from gatepost_cli import console
from gatepost_cli.errors import CommandFailed
from gatepost_cli.process import Running, kill, spawn, stop, until_ready
from gatepost_cli.program import Program
from gatepost_cli.state import RunningProcess, created
from gatepost_cli.supervisor.forks import ForkServer
from gatepost_cli.supervisor.output import Output

READY_SECONDS = 60.0
FIRST_TRIES = 3
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
HEALTHY_SECONDS = 30.0  # after so long a life the next delay is the first again
JITTER = 0.3
OUTPUT_SECONDS = 1.0  # a grandchild may keep the pipe open
RANDOM = SystemRandom()


class Child:
    """A program under supervision.

    Args:
        program: what to run.
        logs: folder of log files, or None for the terminal.
        changed: called whenever the process was replaced or went away.
        forks: starts Python modules, if there is one.

    Attributes:
        ready: set while the process is ready.
        task: ends when the child is stopped; raises CommandFailed when the program cannot be started at all.
    """

    def __init__(
        self, program: Program, logs: Path | None, changed: Callable[[], None], forks: ForkServer | None
    ) -> None:
        self.program = program
        self.label = program.label
        self.ready = asyncio.Event()
        self._output = Output(self.label, logs)
        self._changed = changed
        self._forks = forks
        self._stopping = asyncio.Event()
        self._process: Running | None = None
        self._created: float | None = None
        self.task = asyncio.create_task(self._keep(), name=self.label)

    def describe(self) -> tuple[RunningProcess, ...]:
        """Return what `state.json` says about the process: once for each thing that it runs."""
        process = self._process
        pid = process.pid if process is not None and process.returncode is None else None
        return tuple(
            RunningProcess(
                name=program.name,
                index=program.index,
                pid=pid,
                created=self._created if pid is not None else None,
                address=program.address,
                metrics=program.metrics,
            )
            for program in self.program.holds or (self.program,)
        )

    async def stop(self) -> None:
        """Stop the process in order and keep it stopped."""
        self._stopping.set()
        await asyncio.gather(self.task, return_exceptions=True)
        self._output.close()

    async def kill(self) -> None:
        """End the process now and keep it ended."""
        self._stopping.set()
        if self._process is not None:
            await kill(self.program, self._process)

    async def _keep(self) -> None:
        once_ready, tries, delay = False, 0, FIRST_DELAY_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            try:
                code, was_ready = await self._run_once(once_ready=once_ready)
            except CommandFailed as failure:
                if not once_ready:
                    raise
                console.progress(f"{self.label}: {failure.message}")
                code, was_ready = -1, False
            if self._stopping.is_set():
                return
            once_ready, tries = once_ready or was_ready, tries + 1
            if not once_ready and tries >= FIRST_TRIES:
                raise CommandFailed(
                    f"{self.label} cannot start: it {_ended(code)} before it was ready, {tries} times; "
                    "its last lines are above",
                    tuple(self._output.tail),
                )
            if loop.time() - started >= HEALTHY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            pause = delay * RANDOM.uniform(1 - JITTER, 1 + JITTER)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            console.progress(f"{self.label} {_ended(code)}; starting it again in {pause:.1f} s")
            await self._unless_stopping(pause)

    async def _run_once(self, *, once_ready: bool) -> tuple[int, bool]:
        """Run the program until it ends; return its exit status and whether it became ready."""
        try:
            await self.program.prepare()
            process = await self._spawned()
        except OSError as error:
            raise CommandFailed(f"{self.label} cannot be started: {error}") from error
        self._process, self._created = process, created(process.pid)
        self._changed()
        if process.stdout is None:
            raise AssertionError("spawned with PIPE")
        copying = asyncio.create_task(self._output.copy(process.stdout))
        exited = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        ready = asyncio.create_task(until_ready(self.program))
        try:
            await asyncio.wait({exited, stopping, ready}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            was_ready = ready.done()
            if was_ready:
                ready.result()
                self.ready.set()
                await asyncio.wait({exited, stopping}, return_when=asyncio.FIRST_COMPLETED)
            elif not exited.done() and not stopping.done() and not once_ready:
                raise CommandFailed(
                    f"{self.label} runs but was not ready within {READY_SECONDS:.0f} s; its last lines are above",
                    tuple(self._output.tail),
                )
        finally:
            for task in (ready, stopping, exited):
                task.cancel()
            self.ready.clear()
            await stop(self.program, process)
            await asyncio.wait({copying}, timeout=OUTPUT_SECONDS)
            copying.cancel()
            self._changed()
        return process.returncode or 0, was_ready

    async def _spawned(self) -> Running:
        if self._forks is not None and self.program.module:
            return await self._forks.spawn(self.program)
        return await spawn(self.program, PIPE)

    async def _unless_stopping(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"exited with status {code}"
