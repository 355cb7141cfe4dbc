"""The life of a service process: event loop, signals, and a graceful end."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable

import uvloop


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)` on uvloop; `stop` is set by SIGTERM or SIGINT, and `main` returns when it has drained.

    Args:
        main: Starts everything, awaits `stop`, ends everything.
    """

    async def body() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    uvloop.run(body())


def settle() -> None:
    """Call once after start: what is loaded by then lives for good, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
