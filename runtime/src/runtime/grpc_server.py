"""The gRPC server of a service: credential and call context from metadata, errors to statuses, health and reflection.

Every RPC, health and reflection included, demands a service credential of an allowed caller: all are registered with
one `Dispatcher`, and gRPC gets them from here, guarded.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any, cast
from urllib.parse import unquote

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from gatepost.runtime.v1.calls_pb2_grpc import add_CallServiceServicer_to_server
from runtime import in_process, status
from runtime.calls_server import SERVICE_NAME, CallRpc
from runtime.context import CallContext, bound
from runtime.credentials import ServiceKeys
from runtime.dispatch import MOST_AT_WORK, Dispatcher, Method
from runtime.errors import GatepostError
from runtime.tls import Tls

_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    # Callers connect anew once a minute, so that an instance that was added gets its share; calls under way finish.
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),  # whoever stood still for a moment finds the pings of callers all at once
]
# By then callers know that this connection takes nothing new: a stream they open instead goes to another instance.
_GOODBYE_SECONDS = 0.1
Context = grpc.aio.ServicerContext[Any, Any]


class GrpcServer:
    """A gRPC server that starts refused and is opened to named callers.

    Args:
        service: Name of this service, the audience of the credentials it accepts (`auth-service`).
        listen: `host:port` or `unix:/path`.
        keys: Verify the credentials.
        allowed_callers: Names of services that may call.
        tls: Demands client certificates when given.
        stream_seconds: Most that one stream of calls is used; renewing it takes below a tenth of a percent of what it
            carries in ten seconds.
    """

    def __init__(
        self,
        *,
        service: str,
        listen: str,
        keys: ServiceKeys,
        allowed_callers: frozenset[str],
        tls: Tls | None = None,
        stream_seconds: float = 10.0,
    ) -> None:
        self.dispatcher = Dispatcher(service, allowed_callers)
        self._health = health.aio.HealthServicer()
        self._calls = CallRpc(self.dispatcher, stream_seconds)
        self._names: list[str] = [health.SERVICE_NAME, reflection.SERVICE_NAME]
        self.dispatcher.add(health_pb2_grpc.add_HealthServicer_to_server, self._health, health.SERVICE_NAME)
        self.dispatcher.add(add_CallServiceServicer_to_server, self._calls, SERVICE_NAME)
        front = _Front(self.dispatcher, keys)
        self._server = grpc.aio.server(handlers=[front], options=_OPTIONS, maximum_concurrent_rpcs=MOST_AT_WORK)
        if tls is None:
            self.port = self._server.add_insecure_port(listen)
        else:
            self.port = self._server.add_secure_port(listen, tls.server_credentials())

    def add(
        self,
        register: Callable[[Any, Any], None],
        servicer: object,
        service_name: str,
        *,
        callers: frozenset[str] | None = None,
    ) -> None:
        """Mount one service: its generated `add_…_to_server`, the servicer, and its full name for reflection.

        With `callers` it answers only these of the allowed callers.
        """
        self.dispatcher.add(register, servicer, service_name, callers=callers)
        self._names.append(service_name)

    async def start(self) -> None:
        """Listen, with every mounted service healthy and listed by reflection."""
        self.dispatcher.add(
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server,
            reflection.aio.ReflectionServicer(self._names),
            reflection.SERVICE_NAME,
        )
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        in_process.add(self.dispatcher)

    async def stop(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, refuse new connections, give calls under way `grace_seconds`."""
        in_process.remove(self.dispatcher)
        await self._health.enter_graceful_shutdown()
        stopping = asyncio.create_task(self._server.stop(grace_seconds))
        await asyncio.wait({stopping}, timeout=_GOODBYE_SECONDS)
        self._calls.close()
        await stopping


class _Front(grpc.GenericRpcHandler):
    """Where gRPC looks for handlers; each is made once."""

    def __init__(self, dispatcher: Dispatcher, keys: ServiceKeys) -> None:
        self._dispatcher = dispatcher
        self._keys = keys
        self._made: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Return the guarded handler of one method; one we do not have is refused by gRPC itself."""
        name = handler_call_details.method
        made = self._made.get(name)
        if made is None:
            method = self._dispatcher.find(name)
            if method is None:
                return None
            made = self._made[name] = self._guarded(method)
        return made

    def _guarded(self, method: Method) -> "grpc.RpcMethodHandler[Any, Any]":
        handler = method.handler
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._unary(method))  # its messages stay bytes
        coders: dict[str, Any] = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        behaviour = handler.unary_stream or handler.stream_stream
        writes = iscoroutinefunction(behaviour)  # to its context, as the health service's Watch does
        guarded: Any = self._conversation(method, behaviour) if writes else self._stream(method)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(guarded, **coders)
        return grpc.stream_stream_rpc_method_handler(guarded, **coders)

    def _unary(self, method: Method) -> Callable[..., Awaitable[bytes]]:
        async def call(request: bytes, context: Context) -> bytes:
            try:
                return await self._dispatcher.answer(method, request, self._call_context(method, context), context)
            except GatepostError as exc:
                error = exc
            await _abort(context, error)
            raise AssertionError  # not reached: `abort` raises

        return call

    def _stream(self, method: Method) -> Callable[..., AsyncIterator[Any]]:
        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                at_hand = self._call_context(method, context)
                async for response in self._dispatcher.stream(method, request, at_hand, context):
                    yield response
            except GatepostError as exc:
                error = exc
            else:
                return
            await _abort(context, error)

        return call

    def _conversation(
        self, method: Method, behaviour: Callable[..., Awaitable[None]]
    ) -> Callable[..., Awaitable[None]]:
        async def call(request: Any, context: Context) -> None:
            at_hand = self._call_context(method, context)
            try:
                self._dispatcher.admit(method, at_hand)
                with bound(at_hand):
                    await behaviour(request, context)
            except Exception as exc:  # noqa: BLE001 as in `Dispatcher.answer`
                await _abort(context, self._dispatcher.failure(method, at_hand, exc))

        return call

    def _call_context(self, method: Method, context: Context) -> CallContext:
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        remaining = cast("float | None", context.time_remaining())  # None without deadline, whatever its stub says
        return CallContext(
            request_id=str(metadata.get("gatepost-request-id", "")),
            client_address=str(metadata.get("gatepost-client-address", "")),
            user_agent=unquote(str(metadata.get("gatepost-user-agent", ""))),
            language=str(metadata.get("gatepost-language", "")),
            dialect=str(metadata.get("gatepost-dialect", "")),
            work=method.name,
            caller=self._caller(str(metadata.get("authorization", ""))),
            deadline=None if remaining is None else time.monotonic() + remaining,
        )

    def _caller(self, authorization: str) -> str:
        """Return who has proven that he calls; without a valid credential nobody, who is refused by every method."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return ""
        try:
            return self._keys.verify(token, self._dispatcher.service)
        except GatepostError:
            return ""


async def _abort(context: Context, error: GatepostError) -> None:
    code, message, details = status.encode(error)
    metadata: Sequence[tuple[str, bytes]] = ((status.DETAILS_KEY, details),)
    await context.abort(code, message, trailing_metadata=tuple(metadata))
