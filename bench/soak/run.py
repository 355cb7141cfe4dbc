"""One soak: a stack of its own, a warm-up, rest, the load with readings, rest. Called by `__main__`."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from bench import machine
from bench.soak import load, people, verdict
from bench.soak.client import Client
from bench.soak.load import Tally
from bench.soak.mailbox import Mailbox
from bench.soak.people import World
from bench.soak.readings import Reading, Watch, watching
from bench.soak.report import Soaked
from bench.stack import Stack

WORKERS = 12
_PAUSE_SECONDS = 0.2
_SAMPLE_SECONDS = 10.0
_LEAST_SAMPLES = 20
_WARM_SECONDS, _WARM_WORKERS, _WARM_PAUSE = 60.0, 2 * WORKERS, 0.1
_REST_SECONDS = 20.0
_MOST_COMPLAINTS = 20
# What lives for a while reaches its full number well before half-time.
_SETTINGS = {
    "GATEPOST_MAIL_TRANSPORT": "smtp",
    "GATEPOST_SMTP_HOST": "127.0.0.1",
    "GATEPOST_SMTP_TLS": "none",
    "GATEPOST_CACHE_ENTRIES": "1000",
    "GATEPOST_CODE_SECONDS": "60",
    "GATEPOST_OTP_SECONDS": "60",
    "GATEPOST_RESET_SECONDS": "60",
    "GATEPOST_SHORT_ACCESS_TOKEN_SECONDS": "3600",
    "GATEPOST_SIGN_IN_FAILURE_WINDOW_SECONDS": "60",
    "GATEPOST_CODE_FAILURE_WINDOW_SECONDS": "60",
    "GATEPOST_MAIL_WINDOW_SECONDS": "60",
    "GATEPOST_SIGN_UP_WINDOW_SECONDS": "60",
}


async def soak(seconds: float, folder: Path, tell: Callable[[str], None], **settings: str) -> Soaked:
    """Put a new stack under load for that long and return what was found.

    Args:
        seconds: Of load.
        folder: Empty; for data and logs.
        tell: Shows progress.
        settings: Of the stack, besides ours.

    Raises:
        RuntimeError: the stack does not start.
    """
    async with AsyncExitStack() as ending:
        mailbox = Mailbox()
        await mailbox.start()
        ending.push_async_callback(mailbox.stop)
        tell("starting a stack")
        stack = await Stack.start(folder / "data", GATEPOST_SMTP_PORT=str(mailbox.port), **{**_SETTINGS, **settings})
        ending.push_async_callback(stack.stop)
        watch = await ending.enter_async_context(watching(stack, lambda: mailbox.connections))
        tell("warming up")
        # More at once than later, so that pools are as full as they will ever be.
        warm = await _loaded(stack, mailbox, _WARM_WORKERS, min(_WARM_SECONDS, seconds / 3), _WARM_PAUSE, seed=1)
        before = await _at_rest(watch, None)
        mails = mailbox.mails
        tell(f"{warm.operations()} operations to warm up; now {seconds:.0f} s of load")
        readings: list[Reading] = []
        reading = asyncio.create_task(_keep_reading(watch, readings, seconds, tell))
        ending.callback(reading.cancel)
        tally = await _loaded(stack, mailbox, WORKERS, seconds, _PAUSE_SECONDS, seed=2)
        reading.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled() and (error := reading.exception()):
            raise error
        tell(f"{tally.operations()} operations; at rest")
        after = await _at_rest(watch, before)
        tally.errors.update(warm.errors)
        tally.samples += warm.samples
        complaints = _complaints(folder / "data" / "logs")
        return Soaked(machine.facts(), seconds, tally, mailbox.mails - mails, before, readings, after, complaints)


async def _loaded(stack: Stack, mailbox: Mailbox, workers: int, seconds: float, pause: float, *, seed: int) -> Tally:
    client = Client(stack.url, workers)
    try:
        world = World(stack, client, mailbox, people.pictures())
        return await load.run(world, workers=workers, seconds=seconds, pause=pause, seed=seed)
    finally:
        await client.close()


async def _keep_reading(watch: Watch, readings: list[Reading], seconds: float, tell: Callable[[str], None]) -> None:
    every = min(_SAMPLE_SECONDS, seconds / _LEAST_SAMPLES)
    due = time.monotonic()
    while True:
        due += every
        await asyncio.sleep(max(due - time.monotonic(), 0))
        readings.append(await watch.read())
        if len(readings) % _LEAST_SAMPLES == 0:
            memory = {name: round(mb) for name, mb in verdict.totals(readings[-1]).items()}
            tell(f"{readings[-1].at:.0f} s: memory in MB {memory}")


async def _at_rest(watch: Watch, before: Reading | None) -> Reading:
    """Return a reading once what is under way has ended: when it is as before, or no lower than a second ago."""
    found = await watch.read()
    for _ in range(int(_REST_SECONDS)):
        await asyncio.sleep(1)
        last, found = found, await watch.read()
        settled = _busy(found) >= _busy(last)
        if (before is None and settled) or (before is not None and not verdict.left_behind(before, found)):
            break
    return found


def _busy(reading: Reading) -> int:
    return sum(each.files + (each.tasks or 0) for each in reading.processes.values())


def _complaints(logs: Path) -> list[str]:
    """Return what the services logged as errors; that is ours to explain, whatever clients sent."""
    found: list[str] = []
    for file in sorted(logs.glob("*.log")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("level") in {"error", "critical"}:
                found.append(f"{file.name}: {line[:300]}")
    return found[:_MOST_COMPLAINTS]
