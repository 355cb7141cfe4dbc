"""The composition root of all services in one process: each as its own `main` puts it together, on one event loop.

`__main__` runs it. They differ from services of their own processes in nothing but the way calls take between them
(`runtime.calls_local`).
"""

import asyncio

import auth_service.main
import gateway.main
import notify_service.main
import user_service.main
from all_in_one.settings import Settings


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Start all services, serve until `stop` is set or one of them ends, end the others, and return.

    All start at once, for none calls another before it is asked something. Who calls ends before who is called: first
    the gateway, which drains.

    Raises:
        Exception: What the first service to fail has raised.
    """
    first, second, last = asyncio.Event(), asyncio.Event(), asyncio.Event()
    stages = (
        (first, (gateway.main.serve(settings.gateway, first),)),
        (second, (auth_service.main.serve(settings.auth, second),)),
        (last, (user_service.main.serve(settings.users, last), notify_service.main.serve(settings.notify, last))),
    )
    # A task for each: logs tell by the task whose line it is.
    running = [(end, [asyncio.create_task(service) for service in services]) for end, services in stages]
    tasks = [task for _, started in running for task in started]
    stopping = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for end, started in running:
        end.set()
        await asyncio.wait(started)
    for task in (*(ended - {stopping}), *tasks):
        task.result()
