"""A small service for the tests of the runtime: it says back what it is told; some words make trouble."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from runtime import grpc_client
from runtime.context import CallContext, current
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason, Rule, Violation
from runtime.grpc_server import GrpcServer

KEY = "a-service-key-of-the-tests-alone-42-characters"
METHOD = "/test.Echo/Say"
RESTRICTED = "/test.Restricted/Say"


class EchoRpc:
    """The servicer.

    Attributes:
        seen: Context of every call, in order.
        given_up: Words whose call was cancelled.
        gate: Opened by a test, for who says "wait".
    """

    def __init__(self) -> None:
        self.seen: list[CallContext] = []
        self.given_up: list[str] = []
        self.gate = asyncio.Event()

    async def say(self, request: StringValue, _context: Any) -> StringValue:
        """Answer a word."""
        self.seen.append(current())
        try:
            return await self._answer(request)
        except asyncio.CancelledError:
            self.given_up.append(request.value)
            raise

    async def _answer(self, request: StringValue) -> StringValue:
        match request.value:
            case "refuse":
                current().error_metadata["mode"] = "old"
                violation = Violation("email", Rule.TAKEN, "It is taken.")
                raise GatepostError(
                    Reason.RATE_LIMITED,
                    "slowly",
                    violations=(violation,),
                    retry_after_seconds=2.5,
                    metadata={"a": "b"},
                )
            case "break":
                raise KeyError("secret canary")
            case word if word.startswith("sleep"):
                await asyncio.sleep(30)
            case "wait":
                await self.gate.wait()
            case "nap":
                await asyncio.sleep(0.02)
            case "huge":
                return StringValue(value="x" * 5_000_000)
        return request

    def register(self, _servicer: object, server: Any) -> None:
        """Do what generated code does."""
        self._register("test.Echo", server)

    def register_restricted(self, _servicer: object, server: Any) -> None:
        """Do it for a second service."""
        self._register("test.Restricted", server)

    def _register(self, service: str, server: Any) -> None:
        handler = grpc.unary_unary_rpc_method_handler(self.say, StringValue.FromString, StringValue.SerializeToString)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Say": handler})])


def serve(listen: str, rpc: EchoRpc, **settings: Any) -> GrpcServer:
    """Return a server of `rpc` that answers the gateway, and of a second service that answers the command line only."""
    server = GrpcServer(
        service="echo",
        listen=listen,
        keys=settings.pop("keys", None) or ServiceKeys([KEY]),
        allowed_callers=frozenset({"gateway", "cli"}),
        **settings,
    )
    server.add(rpc.register, rpc, "test.Echo")
    server.add(rpc.register_restricted, rpc, "test.Restricted", callers=frozenset({"cli"}))
    return server


def connect(target: str, *, coalescing: bool, issuer: str = "gateway", **settings: Any) -> grpc.aio.Channel:
    """Return a channel to it."""
    keys = settings.pop("keys", None) or ServiceKeys([KEY])
    return grpc_client.connect(
        target, issuer=issuer, audience=settings.pop("audience", "echo"), keys=keys, coalescing=coalescing, **settings
    )


async def say(channel: grpc.aio.Channel, word: str, method: str = METHOD, **options: Any) -> str:
    """Say a word and return the answer."""
    call: Any = channel.unary_unary(method, StringValue.SerializeToString, StringValue.FromString)
    answer: StringValue = await call(StringValue(value=word), **options)
    return answer.value


async def refusal(call: Any) -> GatepostError:
    """Return the error that a call ends with."""
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value


async def until(holds: Callable[[], Any]) -> None:
    """Wait, seconds at most, until something holds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 what is waited for says nothing of itself
            await asyncio.sleep(0.01)
