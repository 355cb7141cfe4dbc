"""Where the microseconds of a request go: py-spy beside a workload. `python -m bench --profile WORKLOAD`.

The CPU time of a process for one operation is shared out as its samples are: by the file that was at work, so that a
library's share is seen as such, and by the functions of ours that led there. Needs `py-spy` on the path, and the right
to look into other processes. A profile disturbs what it looks at; its sums are those of a round without it.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bench import children, load
from bench.rounds import Subject
from bench.run import CALLERS
from bench.seeding import open_seeder
from bench.stack import Stack
from bench.workloads import Size, Workloads

_SAMPLES_PER_SECOND = "250"
_USERS, _TOKENS = 10_000, 4_000
_SHOWN = 14
_PYTHON = frozenset({"gateway", "auth-service", "user-service", "notify-service"})


async def profile(workload: str, seconds: float, folder: Path, tell: Callable[[str], None]) -> list[str]:
    """Return the lines of a report about one workload.

    Args:
        workload: Its name.
        seconds: How long it is watched.
        folder: Empty; for data and samples.
        tell: Shows progress.

    Raises:
        RuntimeError: py-spy is missing, may not look, or our stack does not work.
    """
    if not shutil.which("py-spy"):
        raise RuntimeError("py-spy is missing; `pip install py-spy` puts it on the path of a virtual environment")
    tell("starting our stack")
    stack = await Stack.start(folder / "data")
    try:
        async with open_seeder(stack) as seeder:
            workloads = Workloads(stack, seeder, Size(_USERS, _TOKENS, CALLERS, CALLERS))
            await workloads.prepare()
            subject = Subject("gatepost", stack.group, {workload: workloads.maker(workload)})
            tell(f"{workload}, undisturbed")
            found = await subject.measure(workload, seconds)
            tell(f"{workload}, watched")
            plan = await workloads.maker(workload)(int(found.per_second * seconds * 2))
            pids = {each: pid for each, pid in stack.group.pids.items() if each in _PYTHON}
            watching = asyncio.gather(*(_watched(each, pid, folder, seconds) for each, pid in pids.items()))
            seen, _ = await asyncio.gather(watching, load.run(plan, seconds + 2))
    finally:
        await stack.stop()
    lines = [f"# {workload}: {found.cpu_us:.0f} µs of CPU", ""]
    lines += [f"- {process}: {microseconds:.0f} µs" for process, microseconds in found.split.items()]
    for process, stacks in zip(pids, seen, strict=True):
        lines += ["", f"## {process}, {found.split[process]:.0f} µs", ""]
        lines += _shares(stacks, found.split[process])
    return lines


async def _watched(process: str, pid: int, folder: Path, seconds: float) -> Counter[str]:
    """Return the stacks of a process, each as often as it was seen."""
    output = folder / f"{process}.raw"
    rate = ("--gil", "--rate", _SAMPLES_PER_SECOND, "--duration", f"{seconds:.0f}")
    await children.run(
        ["py-spy", "record", *rate, "--format", "raw", "--output", str(output), "--pid", str(pid)], seconds=seconds + 30
    )
    stacks: Counter[str] = Counter()
    for line in await asyncio.to_thread(_lines, output):
        stack, _, count = line.rpartition(" ")
        stacks[stack] += int(count)
    return stacks


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _shares(stacks: Mapping[str, int], microseconds: float) -> Iterable[str]:
    seen = sum(stacks.values()) or 1
    at_work: Counter[str] = Counter()
    led_there: Counter[str] = Counter()
    for stack, count in stacks.items():
        frames = [frame.rpartition(":")[0] + ")" for frame in stack.split(";")]
        at_work[frames[-1].rpartition("(")[2].rstrip(")")] += count
        for frame in {frame for frame in frames if _ours(frame)}:
            led_there[frame] += count
    yield "| file at work | µs |"
    yield "| --- | --- |"
    for file, count in at_work.most_common(_SHOWN):
        yield f"| {file} | {microseconds * count / seen:.0f} |"
    yield ""
    yield "| function of ours, with what it calls | µs |"
    yield "| --- | --- |"
    for function, count in led_there.most_common(_SHOWN):
        yield f"| {function} | {microseconds * count / seen:.0f} |"


def _ours(frame: str) -> bool:
    return any(f"({package}/" in frame for package in ("gateway", "auth_service", "user_service", "runtime"))
