"""What is known of the call at hand, carried beside the arguments: request id, client address, caller, deadline.

Set by the gateway for each HTTP request and by `grpc_server` for each RPC; read by `grpc_client`, logs and audit.
Likewise which service is at work, for the logs of a process that holds several.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from time import monotonic
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class CallContext(msgspec.Struct, frozen=True):
    """Facts about the call at hand. A struct, because every call makes one: 0.3 µs, a frozen dataclass takes 3 µs.

    Args:
        request_id: Same in every service that works on one client request.
        client_address: Address of the public client, empty for internal callers.
        caller: Name of the calling service, proven by its credential; empty in the gateway.
        deadline: When the answer is no longer wanted, in `time.monotonic` seconds; None for never.
        user_agent: User-Agent header of the public client, shortened; empty for internal callers.
        language: BCP 47 tag the person prefers, as far as known; empty otherwise.
        dialect: Name of the wire format the client speaks; empty for internal callers.
        work: What is being done: full name of the RPC, or name of a background loop; empty in the gateway.
        error_metadata: What a use case wants every error of this call to carry (see `GatepostError.metadata`).
    """

    request_id: str = ""
    client_address: str = ""
    caller: str = ""
    deadline: float | None = None
    user_agent: str = ""
    language: str = ""
    dialect: str = ""
    work: str = ""
    error_metadata: dict[str, str] = {}

    def remaining_seconds(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - monotonic())


_EMPTY = CallContext()
_current: ContextVar[CallContext] = ContextVar("gatepost_call", default=_EMPTY)
_service: ContextVar[str] = ContextVar("gatepost_service", default="")


def current() -> CallContext:
    """Return the context of the call at hand, an empty one outside of calls."""
    return _current.get()


def bound(context: CallContext) -> AbstractContextManager[CallContext]:
    """Make `context` the current one inside the block."""
    return _Bound(_current, context)


def service_at_work() -> str:
    """Return the name of the service that this task works for, empty if nobody has said."""
    return _service.get()


def work_for(service: str) -> None:
    """Let this task, and those it makes from now on, work for a service."""
    _service.set(service)


def working_for(service: str) -> AbstractContextManager[str]:
    """Work for a service inside the block."""
    return _Bound(_service, service)


class _Bound(Generic[T]):
    """A class, because every call enters one: 0.5 µs, a generator takes 1.5 µs."""

    __slots__ = ("_before", "_value", "_variable")
    _before: Token[T]

    def __init__(self, variable: ContextVar[T], value: T) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> T:
        self._before = self._variable.set(self._value)
        return self._value

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._before)
