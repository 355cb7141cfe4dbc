"""The gRPC server of a service: credential, call context, errors, metrics, health and reflection, in one interceptor.

Every RPC, health and reflection included, demands a service credential of an allowed caller.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any, cast
from urllib.parse import unquote

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from runtime import status
from runtime.context import CallContext, bound
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger
from runtime.metrics import RPC_SECONDS
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
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
]


class GrpcServer:
    """A gRPC server that starts refused and is opened to named callers.

    Args:
        service: Name of this service, the audience of the credentials it accepts (`auth-service`).
        listen: `host:port` or `unix:/path`.
        keys: Verify the credentials.
        allowed_callers: Names of services that may call.
        tls: Demands client certificates when given.
    """

    def __init__(
        self,
        *,
        service: str,
        listen: str,
        keys: ServiceKeys,
        allowed_callers: frozenset[str],
        tls: Tls | None = None,
    ) -> None:
        self._guard = _Guard(service, keys, allowed_callers)
        self._health = health.aio.HealthServicer()
        self._names: list[str] = [health.SERVICE_NAME, reflection.SERVICE_NAME]
        self.server = grpc.aio.server(interceptors=[self._guard], options=_OPTIONS, maximum_concurrent_rpcs=2000)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        if tls is None:
            self.port = self.server.add_insecure_port(listen)
        else:
            self.port = self.server.add_secure_port(listen, tls.server_credentials())

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
        register(servicer, self.server)
        self._names.append(service_name)
        if callers is not None:
            self._guard.narrow(service_name, callers)

    async def start(self) -> None:
        """Listen, with every mounted service healthy and listed by reflection."""
        reflection.enable_server_reflection(self._names, self.server)
        await self.server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, refuse new calls, give those under way `grace_seconds`."""
        await self._health.enter_graceful_shutdown()
        await self.server.stop(grace_seconds)


class _Guard(grpc.aio.ServerInterceptor):
    def __init__(self, service: str, keys: ServiceKeys, allowed_callers: frozenset[str]) -> None:
        self._service = service
        self._keys = keys
        self._allowed = allowed_callers
        self._narrowed: dict[str, frozenset[str]] = {}
        self._log = get_logger()

    def narrow(self, service_name: str, callers: frozenset[str]) -> None:
        """Let one mounted service answer only some of the allowed callers."""
        self._narrowed[service_name] = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handler of one method; a method we do not have is refused by gRPC itself."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        coders: dict[str, Any] = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary), **coders)
        if handler.unary_stream:
            streaming = handler.unary_stream
            if iscoroutinefunction(streaming):  # writes to its context, as the health service's Watch does
                return grpc.unary_stream_rpc_method_handler(self._unary(method, streaming), **coders)
            return grpc.unary_stream_rpc_method_handler(self._stream(method, streaming), **coders)
        return grpc.stream_stream_rpc_method_handler(self._stream(method, handler.stream_stream), **coders)

    def _unary(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = time.perf_counter()
            reason = "cancelled"  # by the client, or by its deadline
            told: dict[str, str] = {}
            try:
                with bound(self._call_context(method, context)) as at_hand:
                    told = at_hand.error_metadata
                    response = await behaviour(request, context)
                reason = "ok"
                return response  # noqa: TRY300 what follows is for errors
            except Exception as exc:  # noqa: BLE001 the one place where errors become statuses
                error = self._classify(method, exc)
                error.metadata = {**told, **error.metadata}
                reason = error.reason.value
            finally:
                RPC_SECONDS.labels(method, reason).observe(time.perf_counter() - started)
            return await _abort(context, error)

        return call

    def _stream(self, method: str, behaviour: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                with bound(self._call_context(method, context)):
                    async for response in behaviour(request, context):
                        yield response
            except Exception as exc:  # noqa: BLE001 the one place where errors become statuses
                error = self._classify(method, exc)
            else:
                return
            await _abort(context, error)

        return call

    def _call_context(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> CallContext:
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer":
            raise GatepostError(Reason.CALLER_REFUSED, "a valid service credential is required")
        caller = self._keys.verify(token, self._service)
        if caller not in self._allowed & self._narrowed.get(method.split("/")[1], self._allowed):
            raise GatepostError(Reason.CALLER_REFUSED, f"{caller} may not call {self._service}")
        remaining = cast("float | None", context.time_remaining())  # None without deadline, whatever its stub says
        return CallContext(
            request_id=str(metadata.get("gatepost-request-id", "")),
            client_address=str(metadata.get("gatepost-client-address", "")),
            user_agent=unquote(str(metadata.get("gatepost-user-agent", ""))),
            language=str(metadata.get("gatepost-language", "")),
            dialect=str(metadata.get("gatepost-dialect", "")),
            work=method,
            caller=caller,
            deadline=None if remaining is None else time.monotonic() + remaining,
        )

    def _classify(self, method: str, exc: Exception) -> GatepostError:
        if isinstance(exc, GatepostError):
            return exc
        self._log.error("rpc failed", method=method, exc_info=exc)
        return GatepostError(Reason.INTERNAL)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: GatepostError) -> None:
    code, message, details = status.encode(error)
    metadata: Sequence[tuple[str, bytes]] = ((status.DETAILS_KEY, details),)
    await context.abort(code, message, trailing_metadata=tuple(metadata))
