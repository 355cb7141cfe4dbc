"""What the tests of notify-service's outbox share: a database of their own, a clock they move, an outbox to fill."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from store.notify.mail_server import MailServer

from notify_service.model import Channel, Draft, Message
from notify_service.outbox import Outbox
from notify_service.templates import Templates
from runtime.clock import ManualClock
from runtime.postgres import Database

Take = Callable[..., Awaitable[Message]]


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
    return Outbox(database, Templates("http://127.0.0.1:8080"), clock, "example.com", lambda: None)


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
