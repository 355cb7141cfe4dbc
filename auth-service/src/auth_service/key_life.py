r"""The life of a key, of either sort, told from when it and those beside it were made. Pure: no I/O, no clock.

pending -> active -> superseded -> retired (dropped by a loop)
\-> revoked, at any time (kept for the record)
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Protocol, TypeVar


@unique
class KeyState(StrEnum):
    """What a key is good for."""

    PENDING = "pending"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    RETIRED = "retired"
    REVOKED = "revoked"


class Dated(Protocol):
    """A key as stored."""

    @property
    def created_at(self) -> datetime: ...  # noqa: D102
    @property
    def revoked_at(self) -> datetime | None: ...  # noqa: D102


K = TypeVar("K", bound=Dated)


def active(keys: Sequence[K], now: datetime, settle: timedelta) -> K | None:
    """Return the key that new things are made with; None if there is none.

    The newest that everybody has had time to learn of; where all are too new for that, the oldest of them.

    Args:
        keys: All there are, oldest first.
        now: The time.
        settle: How long it takes until everybody knows a new key.
    """
    good = [key for key in keys if key.revoked_at is None]
    settled = [key for key in good if key.created_at <= now - settle]
    return settled[-1] if settled else good[0] if good else None


def states(keys: Sequence[K], now: datetime, settle: timedelta, longest: timedelta) -> list[KeyState]:
    """Return the state of each key.

    Args:
        keys: As of `active`.
        now: The time.
        settle: As of `active`.
        longest: How long anything made with a key can live.
    """
    good = [key for key in keys if key.revoked_at is None]
    used = active(good, now, settle)
    found: list[KeyState] = []
    for key in keys:
        if key.revoked_at is not None:
            found.append(KeyState.REVOKED)
        elif key is used:
            found.append(KeyState.ACTIVE)
        elif used is None or good.index(key) > good.index(used):
            found.append(KeyState.PENDING)
        else:
            superseded_at = good[good.index(key) + 1].created_at + settle
            found.append(KeyState.RETIRED if superseded_at < now - longest else KeyState.SUPERSEDED)
    return found
