"""What the tests of notify-service's outbox share: a database of their own, a clock they move, an outbox to fill."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from store.notify.fcm_server import FcmServer
from store.notify.mail_server import MailServer
from store.notify.sms_server import SmsServer

from notify_service.delivery import Delivery, RetryPolicy
from notify_service.model import Channel, Draft, Message
from notify_service.outbox import Outbox
from notify_service.templates import Templates
from notify_service.transports import Transport
from runtime.clock import ManualClock
from runtime.postgres import Database

ATTEMPTS = 4
Take = Callable[..., Awaitable[Message]]
Deliver = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: Any) -> AsyncIterator[Database]:
    opened = await Database.connect(postgres.create_database("notify_service"))
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def outbox(database: Database, clock: ManualClock) -> Outbox:
    return Outbox(database, Templates("http://127.0.0.1:8080"), clock, "example.com", lambda _channel: None)


@pytest.fixture
def take(outbox: Outbox) -> Take:
    """Return a function that takes a sign-in code; keywords change the draft."""

    async def taken(**changed: Any) -> Message:
        draft: dict[str, Any] = {
            "id": uuid4(),
            "channel": Channel.MAIL,
            "to": "ada@example.com",
            "template": "sign_in_code",
            "language": "",
            "data": {"code": "482915", "minutes": 10.0},
            "project": "Harbour",
            "expires_at": None,
        }
        return await outbox.take(Draft(**(draft | changed)))

    return taken


@pytest_asyncio.fixture(loop_scope="session")
async def mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def deliver(database: Database, clock: ManualClock) -> AsyncIterator[Deliver]:
    """Return a function that starts delivery by a transport; all end with the test."""
    async with AsyncExitStack() as ending:

        def started(
            transport: Transport, attempt_timeout_seconds: float = 2.0, channel: Channel = Channel.MAIL
        ) -> Delivery:
            policy = RetryPolicy(ATTEMPTS, timedelta(seconds=2), timedelta(hours=1), jitter=lambda: 1.0)
            delivery = Delivery(
                channel,
                database,
                transport,
                clock,
                policy,
                attempt_timeout_seconds=attempt_timeout_seconds,
                poll_seconds=0.02,
            )
            delivery.start()
            ending.push_async_callback(transport.close)
            ending.push_async_callback(delivery.close, 1.0)
            return delivery

        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def sms_server() -> AsyncIterator[SmsServer]:
    server = SmsServer()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def fcm_server() -> AsyncIterator[FcmServer]:
    server = FcmServer()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as opened:
        yield opened
