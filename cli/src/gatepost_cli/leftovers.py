"""Ending what an earlier run left behind: processes that outlived a killed supervisor or a killed postmaster.

The embedded servers and `up` call this before they start anything. Only processes that are certainly ours are
touched: those working in our own data folder, or recorded by us with the time they were created.
"""

import asyncio
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

CREATED_TOLERANCE_SECONDS = 2.0  # the boot time that it is counted from moves with the clock
POLL_SECONDS = 0.02

Escalation = Sequence[tuple[signal.Signals, float]]


def working_in(folder: Path, name: str) -> list[psutil.Process]:
    """Return the processes called `name` whose working folder is `folder` (resolved)."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == name and process.cwd() == str(folder) and alive(process):
                found.append(process)
        except psutil.Error:  # gone, or someone else's and so not ours
            continue
    return found


def recorded(pid: int, created: float) -> psutil.Process | None:
    """Return the living process `pid` if it is the one created at `created` (seconds since the epoch)."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) <= CREATED_TOLERANCE_SECONDS and alive(process):
            return process
    except psutil.Error:
        pass
    return None


async def end(processes: Iterable[psutil.Process], escalation: Escalation) -> None:
    """Send each signal in turn and wait its seconds for all to go; return as soon as they have."""
    left = list(processes)
    for number, seconds in escalation:
        for process in left:
            try:
                process.send_signal(number)
            except psutil.Error:
                continue
        left = await _remaining(left, seconds)
        if not left:
            return


async def _remaining(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        processes = [process for process in processes if alive(process)]
        if not processes or asyncio.get_running_loop().time() >= deadline:
            return processes
        await asyncio.sleep(POLL_SECONDS)


def alive(process: psutil.Process) -> bool:
    """Tell whether the process still runs; one that its parent has not reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
