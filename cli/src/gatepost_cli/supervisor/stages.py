"""Starting the children stage by stage, watching them, and stopping them in the reverse order.

`launch` makes one `Supervisor` and awaits `run`. A stage starts when everything of the stage before it is
ready; what is in one stage starts at the same time.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gatepost_cli import console
from gatepost_cli.program import Program
from gatepost_cli.state import RunningProcess
from gatepost_cli.supervisor.child import Child
from gatepost_cli.supervisor.forks import ForkServer

Stage = Sequence[Program]


class Supervisor:
    """Runs stages of programs until it is told to stop.

    Args:
        stages: what to run, first to last.
        logs: folder of log files, or None for the terminal.
        changed: called with everything started so far whenever a process came or went.
        forks: starts those that are Python modules, if there is one.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        logs: Path | None,
        changed: Callable[[tuple[RunningProcess, ...]], None],
        forks: ForkServer | None = None,
    ) -> None:
        self._stages = stages
        self._logs = logs
        self._changed = changed
        self._forks = forks
        self._started: list[list[Child]] = []
        self._stop = asyncio.Event()
        self._killing: asyncio.Task[None] | None = None

    async def run(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        """Start everything, await `when_ready`, then run until SIGINT, SIGTERM or SIGHUP; stop everything.

        A second signal kills what still runs.

        Raises:
            CommandFailed: a program cannot be started, or `when_ready` failed; everything is stopped by then.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        stopping = asyncio.create_task(self._stop.wait())
        working = asyncio.create_task(self._work(when_ready))
        try:
            await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (stopping, working):
                task.cancel()
            await asyncio.wait({stopping, working})
            await self._stop_all()

    async def _work(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        for stage in self._stages:
            children = [Child(program, self._logs, self._report, self._forks) for program in stage]
            self._started.append(children)
            waiting = [asyncio.create_task(child.ready.wait()) for child in children]
            try:
                await self._all_or_failure(waiting)
            finally:
                for task in waiting:
                    task.cancel()
        await when_ready()
        await self._all_or_failure([asyncio.get_running_loop().create_future()])

    async def _all_or_failure(self, waiting: Sequence[asyncio.Future[object] | asyncio.Task[bool]]) -> None:
        """Return when all of `waiting` are done; raise what ended a child for good."""
        pending = set(waiting)
        tasks = {child.task for children in self._started for child in children}
        while pending:
            done, _ = await asyncio.wait({*pending, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks & done:
                task.result()
            pending -= done

    async def _stop_all(self) -> None:
        console.progress("stopping")
        for children in reversed(self._started):
            await asyncio.gather(*(child.stop() for child in children))
        if self._killing is not None:
            await self._killing
        console.progress("stopped")

    def _on_signal(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
        elif self._killing is None:
            console.progress("killing what still runs")
            self._killing = asyncio.create_task(self._kill_all())

    async def _kill_all(self) -> None:
        await asyncio.gather(*(child.kill() for children in self._started for child in children))

    def _report(self) -> None:
        self._changed(tuple(each for children in self._started for child in children for each in child.describe()))
