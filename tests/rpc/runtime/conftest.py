"""A server, and each way of calling it: every call for itself, or those that are made at the same time together."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from rpc.runtime.echo import EchoRpc, connect, say, serve

from runtime.credentials import ServiceKeys


class Echo:
    """A running server and ways to call it."""

    def __init__(self, target: str, rpc: EchoRpc, *, coalescing: bool) -> None:
        self.target = target
        self.rpc = rpc
        self._coalescing = coalescing

    def channel(self, issuer: str = "gateway", audience: str = "echo", key: str | None = None) -> grpc.aio.Channel:
        keys = None if key is None else ServiceKeys([key])
        return connect(self.target, coalescing=self._coalescing, issuer=issuer, audience=audience, keys=keys)

    async def say(self, word: str, channel: grpc.aio.Channel | None = None, **options: Any) -> str:
        async with channel or self.channel() as opened:
            return await say(opened, word, **options)


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "together"])
def coalescing(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def echo(coalescing: bool) -> AsyncIterator[Echo]:  # noqa: FBT001 a fixture
    rpc = EchoRpc()
    server = serve("127.0.0.1:0", rpc)
    await server.start()
    yield Echo(f"127.0.0.1:{server.port}", rpc, coalescing=coalescing)
    await server.stop(0)
