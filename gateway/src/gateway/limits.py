"""How much one route may take of a gateway: bytes of body, and requests at work at once.

Routes name a `Limit`; the numbers come from the settings. Sign-in attempts are counted by auth-service, for all
gateways together; here it is only about this process keeping its head above water.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from runtime.errors import GatepostError, Reason


class Limit(StrEnum):
    """What kind of work a route asks for."""

    ORDINARY = "ordinary"
    PASSWORD = "password"  # noqa: S105 the kind of work, not a secret: may cost a password hash
    UPLOAD = "upload"
    HEALTH = "health"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one kind of work may take: body bytes of a request, and requests at once."""

    body_bytes: int
    at_once: int


class Limits:
    """Counts the requests at work, by kind, so that none starves the others.

    Args:
        allowances: One for every Limit.

    Raises:
        KeyError: A Limit has none.
    """

    def __init__(self, allowances: Mapping[Limit, Allowance]) -> None:
        self._allowances = {limit: allowances[limit] for limit in Limit}
        self._at_work = dict.fromkeys(Limit, 0)

    def body_bytes(self, limit: Limit) -> int:
        """Largest body, in bytes."""
        return self._allowances[limit].body_bytes

    @contextmanager
    def at_work(self, limit: Limit) -> Iterator[None]:
        """Count one request while the block runs.

        Raises:
            GatepostError: OVERLOADED when as many as may be are at work.
        """
        if self._at_work[limit] >= self._allowances[limit].at_once:
            raise GatepostError(Reason.OVERLOADED, "too many requests at work", retry_after_seconds=1)
        self._at_work[limit] += 1
        try:
            yield
        finally:
            self._at_work[limit] -= 1
