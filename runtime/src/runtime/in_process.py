"""The servers of this process, by the name of their service: what the target `inprocess:auth-service` leads to.

`grpc_server` adds each while it serves, `grpc_client` looks one up for every call: a server may start later than who
calls it, and stop earlier. A process of one service has no use for it.
"""

from runtime.dispatch import Dispatcher
from runtime.errors import GatepostError, Reason

_serving: dict[str, Dispatcher] = {}


def add(dispatcher: Dispatcher) -> None:
    """Take calls for a service from now on."""
    _serving[dispatcher.service] = dispatcher


def remove(dispatcher: Dispatcher) -> None:
    """Refuse calls from now on; those under way go on."""
    if _serving.get(dispatcher.service) is dispatcher:
        del _serving[dispatcher.service]


def serving(service: str) -> Dispatcher:
    """Return what answers calls of a service.

    Raises:
        GatepostError: UNAVAILABLE, before it has started and when it has stopped.
    """
    dispatcher = _serving.get(service)
    if dispatcher is None:
        raise GatepostError(Reason.UNAVAILABLE, retry_after_seconds=1)
    return dispatcher
