"""Programs that the bench starts itself and ends by their process ids. Their output goes to a file of theirs."""

import asyncio
import os
import socket
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Child:
    """A program that accepts connections.

    Attributes:
        process: what runs.
        port: on 127.0.0.1.
        start_seconds: from its start until it accepted a connection.
    """

    process: Process
    port: int
    start_seconds: float

    async def stop(self) -> None:
        """End it and its children, by force if need be."""
        if self.process.returncode is not None:
            return
        whole = [psutil.Process(self.process.pid)]
        whole += whole[0].children(recursive=True)
        self.process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        for left in whole[1:]:
            try:
                left.kill()
            except psutil.NoSuchProcess:
                continue


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def start(
    argv: Sequence[str],
    port: int,
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Child:
    """Start a program and return when its port accepts connections.

    Raises:
        RuntimeError: it ends or takes a minute; the end of its output is in the text.
    """
    began = time.perf_counter()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=output, stderr=output, cwd=folder, env=os.environ | dict(environment or {})
        )
    while not await _accepts(port):
        if process.returncode is not None or time.perf_counter() - began > _START_SECONDS:
            await Child(process, port, 0.0).stop()
            raise RuntimeError(f"{argv[0]} did not start: {_end_of(log)}")
        await asyncio.sleep(_POLL_SECONDS)
    return Child(process, port, time.perf_counter() - began)


async def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 300,
) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        RuntimeError: it failed or took longer than that; the end of its output is in the text.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=pipe, stderr=pipe, cwd=folder, env=os.environ | dict(environment or {})
    )
    try:
        async with asyncio.timeout(seconds):
            output, complaint = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv[:3])} failed: {(complaint or output).decode(errors='replace')[-800:]}")
    return output.decode()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-800:]
