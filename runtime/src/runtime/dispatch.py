"""What answers a method: the handlers of the mounted services, who may call each, and what every call goes through.

`grpc_server` asks for calls that come alone, `calls_server` for those of a stream, `calls_local` for those of its own
process; so all are admitted, bound to their context, bounded, measured and failed alike. Knows no transport, and no
credential: who calls is proven before.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, cast

import grpc

from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger
from runtime.metrics import RPC_SECONDS

MOST_AT_WORK = 2000


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a mounted service.

    Args:
        name: `/package.Service/Method`.
        handler: As its generated code made it.
        callers: Names of services it answers.
    """

    name: str
    handler: Any
    callers: frozenset[str]


class Dispatcher:
    """The methods of one server.

    Generated `add_…_to_server` functions take it for the server they register with.

    Args:
        service: Name of this service.
        allowed_callers: Names of services that may call.
    """

    def __init__(self, service: str, allowed_callers: frozenset[str]) -> None:
        self.service = service
        self._allowed = allowed_callers
        self._narrowed: dict[str, frozenset[str]] = {}
        self._registered: list[grpc.GenericRpcHandler] = []
        self._methods: dict[str, Method] = {}
        self._at_work = 0
        self._log = get_logger()

    def add(
        self,
        register: Callable[[Any, Any], None],
        servicer: object,
        service_name: str,
        *,
        callers: frozenset[str] | None = None,
    ) -> None:
        """Mount one service: its generated `add_…_to_server`, the servicer, and its full name.

        With `callers` it answers only these of the allowed callers.
        """
        register(servicer, self)
        if callers is not None:
            self._narrowed[service_name] = callers

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Take the handlers of a service; called by its generated code."""
        self._registered.extend(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Take the same handlers in another form, which is not needed; called by generated code."""

    def find(self, name: str) -> Method | None:
        """Return the method with this full name, None if nobody has it."""
        method = self._methods.get(name)
        if method is None:
            details = cast("grpc.HandlerCallDetails", _Details(name, ()))
            handler = next(filter(None, (each.service(details) for each in self._registered)), None)
            if handler is None:
                return None
            narrowed = self._narrowed.get(name.split("/")[1], self._allowed)
            method = self._methods[name] = Method(name, handler, self._allowed & narrowed)
        return method

    def admit(self, method: Method, call: CallContext) -> None:
        """Let go on who may call the method.

        Raises:
            GatepostError: CALLER_REFUSED.
        """
        if not call.caller:
            raise GatepostError(Reason.CALLER_REFUSED, "a valid service credential is required")
        if call.caller not in method.callers:
            raise GatepostError(Reason.CALLER_REFUSED, f"{call.caller} may not call {self.service}")

    async def answer(self, method: Method, request: bytes, call: CallContext, context: Any = None) -> bytes:
        """Return the serialized answer of a unary method to a serialized request.

        Args:
            method: Found here.
            request: The message.
            call: Who calls and what is known of it; bound while the servicer works.
            context: gRPC's own, of a call that came alone. Servicers do without.

        Raises:
            GatepostError: What the servicer raised; OVERLOADED when too many calls are at work; CALLER_REFUSED;
                INTERNAL for anything that is our mistake.
        """
        handler = method.handler
        started = perf_counter()
        reason = "cancelled"  # by the client, or by its deadline
        try:
            self.admit(method, call)
            if self._at_work >= MOST_AT_WORK:
                raise GatepostError(Reason.OVERLOADED, retry_after_seconds=1)  # noqa: TRY301 counted like the others
            self._at_work += 1
            try:
                with bound(call):
                    response = await handler.unary_unary(handler.request_deserializer(request), context)
                serialized: bytes = handler.response_serializer(response)
            finally:
                self._at_work -= 1
            reason = "ok"
            return serialized  # noqa: TRY300 what follows is for errors
        except Exception as exc:  # noqa: BLE001 the one place where errors are classified
            error = self.failure(method, call, exc)
            reason = error.reason.value
        finally:
            RPC_SECONDS.observe(perf_counter() - started, method.name, reason)
        raise error

    async def stream(self, method: Method, request: Any, call: CallContext, context: Any = None) -> AsyncIterator[Any]:
        """Yield the messages of a streaming method to one message, or to an iterator of them.

        Raises:
            GatepostError: As `answer`.
        """
        behaviour = method.handler.unary_stream or method.handler.stream_stream
        try:
            self.admit(method, call)
            messages = aiter(behaviour(request, context))
            try:
                while True:
                    with bound(call):  # for each step: whoever reads the messages has a context of his own
                        message = await anext(messages)
                    yield message
            except StopAsyncIteration:
                return
            finally:
                await messages.aclose()
        except Exception as exc:  # noqa: BLE001 likewise
            raise self.failure(method, call, exc) from None

    def failure(self, method: Method, call: CallContext, exc: Exception) -> GatepostError:
        """Return the error that the caller is told of, with what every error of this call carries."""
        if not isinstance(exc, GatepostError):
            self._log.error("rpc failed", method=method.name, exc_info=exc)
            exc = GatepostError(Reason.INTERNAL)
        if not call.error_metadata:
            return exc
        return GatepostError(
            exc.reason,
            exc.message,
            violations=exc.violations,
            retry_after_seconds=exc.retry_after_seconds,
            metadata={**call.error_metadata, **exc.metadata},
        )


class _Details(NamedTuple):
    method: str
    invocation_metadata: tuple[()]
