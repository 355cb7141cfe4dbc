"""How long a call to another service may take. Asked by every kind of channel, for every call."""

from runtime.context import CallContext
from runtime.errors import GatepostError, Reason

# The inner service is given a little less time than we have, so that it reports the timeout and we pass it on.
_SHAVE = 0.95
_DEFAULT_SECONDS = 10.0


def allowed_seconds(context: CallContext, timeout: float | None) -> float:
    """Return what is left for a call that is made now.

    Args:
        context: Of the call at hand; its deadline counts.
        timeout: Asked for by the caller, in seconds; it can only shorten.

    Raises:
        GatepostError: DEADLINE_EXCEEDED when nothing is left.
    """
    remaining = context.remaining_seconds()
    seconds = _DEFAULT_SECONDS if remaining is None else remaining * _SHAVE
    if timeout is not None:
        seconds = min(seconds, timeout)
    if seconds <= 0:
        raise GatepostError(Reason.DEADLINE_EXCEEDED, retry_after_seconds=1)
    return seconds
