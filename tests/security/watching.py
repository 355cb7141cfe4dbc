"""A look from beside while a service is being attacked: is everybody else served, and does its memory have an end?"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.request import urlopen

import psutil

HEALTH_SECONDS, HEALTH_MOST_SECONDS = 0.1, 2.0  # 95 of 100; all of them, on a machine that others use too
_PAUSE_SECONDS = 0.02


@dataclass
class Watched:
    """What was seen.

    Attributes:
        health: how long each question for health took, in seconds.
        wrong: what was answered badly.
        memory: resident bytes of the process, one reading after another.
    """

    health: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def judge(self, *, more: int, kept: int) -> None:
        """Check that health was told at once, always, and that the process took so many bytes more, and kept so many.

        Args:
            more: At most at any time.
            kept: At most in the end.
        """
        health = sorted(self.health)
        high = health[int(len(health) * 0.95)]
        before, most, after = self.memory[0], max(self.memory), self.memory[-1]
        sys.stderr.write(
            f"\nmemory {before / 1e6:.0f} MB, {most / 1e6:.0f} at most, {after / 1e6:.0f} in the end; "
            f"{len(health)} times health, p95 {high * 1000:.0f} ms, most {health[-1] * 1000:.0f} ms\n"
        )
        assert not self.wrong
        assert most - before < more
        assert after - before < kept
        assert high < HEALTH_SECONDS
        assert health[-1] < HEALTH_MOST_SECONDS


@contextmanager
def watching(urls: list[str], pid: int) -> Iterator[Watched]:
    """Ask for health and look at a process's memory inside the block; in a thread, so that no loop delays it."""
    seen, ended = Watched(), threading.Event()
    thread = threading.Thread(target=_watch, args=(seen, ended, urls, psutil.Process(pid)))
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _watch(seen: Watched, ended: threading.Event, urls: list[str], process: psutil.Process) -> None:
    while not ended.is_set():
        for url in urls:
            began = time.perf_counter()
            try:
                with urlopen(url, timeout=10) as answer:  # noqa: S310 http on loopback
                    answer.read()
            except OSError as error:
                seen.wrong.append(f"{url}: {error}")
            seen.health.append(time.perf_counter() - began)
        seen.memory.append(process.memory_info().rss)
        time.sleep(_PAUSE_SECONDS)
