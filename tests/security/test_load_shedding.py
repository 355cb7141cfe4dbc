"""What is refused first when there is too much to do, and that whoever is refused is told when to come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from dialects.adapters import ADAPTERS
from dialects.local_gateway import LocalGateway, local_gateway
from dialects.scenarios import Adapter
from security.raw_http import get, post, say
from unit.gateway.toy import facts, toy

from gateway.call import Call
from gateway.dialect import Route
from gateway.dialects import DIALECTS
from gateway.guards import ANYONE, BEARER
from gateway.limits import Limit
from gateway.reply import Reply

each_dialect = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.dialect.name)
KINDS = (Limit.CHECK, Limit.ORDINARY, Limit.PASSWORD, Limit.UPLOAD)


@asynccontextmanager
async def full(kind: Limit) -> AsyncIterator[LocalGateway]:
    """Run a gateway in which as much of a kind is at work as may be."""
    at_work, may_end = asyncio.Semaphore(0), asyncio.Event()

    async def work(_call: Call) -> Reply:
        at_work.release()
        await may_end.wait()
        return Reply(json={})

    quickly = (Route("GET", f"/toy/{each}", facts, BEARER, each) for each in KINDS)
    routes = (Route("GET", "/toy/work", work, ANYONE, kind), *quickly)
    counts = {"requests_limit_count": 2, "password_requests_limit_count": 2, "uploads_limit_count": 2}
    async with local_gateway((toy(routes=routes), *DIALECTS), **counts) as gateway:
        working = [asyncio.create_task(say(gateway.port, get("/toy/work"))) for _ in range(2)]
        try:
            for _ in working:
                await at_work.acquire()
            yield gateway
        finally:
            may_end.set()
            ends = await asyncio.gather(*working)
        assert [heard.statuses for heard in ends] == [[200]] * 2


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_work_has_its_own_room(kind: Limit) -> None:
    async with full(kind) as gateway:
        token = "Authorization: Bearer a"
        for other in KINDS:
            heard = await say(gateway.port, get(f"/toy/{other}", token))
            assert heard.statuses == [503 if other is kind else 200], (kind, other)
            assert (b"Retry-After: 1" in heard.head) == (other is kind)
        assert (await say(gateway.port, get("/healthz"))).statuses == [200]


def test_checks_of_tokens_have_room_of_their_own_in_every_dialect_that_has_them() -> None:
    rooms = {route.path: route.limit for dialect in DIALECTS for route in dialect.routes}
    checks = ("/api/v1/user", "/v1/vorg-id/get/personal", "/api/get_user_info")
    assert [rooms[path] for path in checks] == [Limit.CHECK] * 3


@each_dialect
async def test_every_dialect_says_when_to_come_back(adapter: Adapter) -> None:
    kind = next(route.limit for route in adapter.dialect.routes if route.path == adapter.form.path)
    async with full(kind) as gateway:
        heard = await say(gateway.port, post(adapter.form.path, b"{}"))
        assert b"Retry-After: 1" in heard.head, heard
