"""What is known of the call at hand, carried beside the arguments: request id, client address, caller, deadline.

Set by the gateway for each HTTP request and by `grpc_server` for each RPC; read by `grpc_client`, logs and audit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True, slots=True)
class CallContext:
    """Facts about the call at hand.

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
    error_metadata: dict[str, str] = field(default_factory=dict, compare=False)

    def remaining_seconds(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - monotonic())


_EMPTY = CallContext()
_current: ContextVar[CallContext] = ContextVar("gatepost_call", default=_EMPTY)


def current() -> CallContext:
    """Return the context of the call at hand, an empty one outside of calls."""
    return _current.get()


@contextmanager
def bound(context: CallContext) -> Iterator[CallContext]:
    """Make `context` the current one inside the block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
