"""One embedded server started by itself, without a supervisor: what tests hold in their hands.

`embedded.postgres.start` and `embedded.valkey.start` make these. Nothing is restarted; output goes to `server.log`.
"""

import asyncio
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gatepost_cli.embedded import run_folder
from gatepost_cli.errors import CommandFailed
from gatepost_cli.process import spawn, stop, until_ready
from gatepost_cli.program import Program

START_SECONDS = 60.0
TAIL_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server.

    Attributes:
        program: what runs.
        process: the child that runs it.
        folder: everything that belongs to it.
    """

    program: Program
    process: Process
    folder: Path

    @classmethod
    async def launch(cls, program: Program, folder: Path, **attributes: Any) -> Self:
        """Start the program and return when it is ready.

        Raises:
            CommandFailed: it ends, or is not ready after a minute; the end of its output is the details.
        """
        log = folder / "server.log"
        await program.prepare()
        with log.open("wb") as output:
            process = await spawn(program, output)
        server = cls(program=program, process=process, folder=folder, **attributes)
        exited = asyncio.ensure_future(process.wait())
        ready = asyncio.ensure_future(until_ready(program))
        try:
            done, _ = await asyncio.wait({exited, ready}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ready in done:
                ready.result()
                return server
        except BaseException:
            await server.stop()
            raise
        finally:
            ready.cancel()
            exited.cancel()
        await server.stop()
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        raise CommandFailed(f"{program.name} did not start", lines)

    async def stop(self) -> None:
        """Stop the server in order, by force when it takes too long. Its data stay."""
        await stop(self.program, self.process)
        run_folder.remove(self.folder)
