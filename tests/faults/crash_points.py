"""Which points a flow passes, and a service that dies at one of them. Its own side is `crashing/sitecustomize`."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_orders = count(1)


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A point that a flow passes.

    Args:
        service: Which dies.
        name: What, before or after, for which work.
        time: The how manieth of these in the flow, from 1.
    """

    service: str
    name: str
    time: int

    @property
    def is_outside(self) -> bool:
        """Whether something leaves the stack there, for none of its databases or services."""
        return self.name.startswith("outside-")


@dataclass(frozen=True, slots=True)
class CrashPoints:
    """The points of a running stack.

    Args:
        folder: Shared with its services.
    """

    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a stack that can crash."""
        return {"PYTHONPATH": str(Path(__file__).parent / "crashing"), "FAULTS_CRASH_FOLDER": str(self.folder)}

    def trace(self) -> None:
        """Note every point from now on."""
        (self.folder / "trace").write_text("", encoding="utf-8")

    def passed(self) -> list[Point]:
        """Return the points noted so far, each once."""
        trace = self.folder / "trace"
        times: Counter[tuple[str, str]] = Counter()
        points = []
        for line in trace.read_text(encoding="utf-8").splitlines():
            service, name = line.split("\t")
            times[service, name] += 1
            points.append(Point(service, name, times[service, name]))
        return points

    def untrace(self) -> None:
        """Note no more."""
        (self.folder / "trace").unlink()

    def arm(self, point: Point) -> None:
        """Let a service die when it reaches a point, counted from now."""
        order = self.folder / point.service
        part = order.with_suffix(".part")
        part.write_text(f"{next(_orders)}\t{point.name}\t{point.time}", encoding="utf-8")
        part.rename(order)

    async def reached(self, point: Point, seconds: float) -> None:
        """Wait for so long until the service has died: what a flow sets off comes after its answer."""
        until = time.monotonic() + seconds
        while (self.folder / point.service).exists() and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    def disarm(self, point: Point) -> bool:
        """Let nobody die any more; say whether somebody did."""
        order = self.folder / point.service
        died = not order.exists()
        order.unlink(missing_ok=True)
        return died
