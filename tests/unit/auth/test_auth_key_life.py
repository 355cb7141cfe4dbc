"""Which key is used, and what becomes of those before, told from their dates."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from auth_service.key_life import active, states

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTLE = timedelta(seconds=10)
LONGEST = timedelta(days=30)


@dataclass(frozen=True)
class Key:
    created_at: datetime
    revoked_at: datetime | None = None


def old(seconds: float, *, revoked: bool = False) -> Key:
    return Key(NOW - timedelta(seconds=seconds), NOW if revoked else None)


MONTH = LONGEST.total_seconds()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], []),
        ([old(0)], ["active"]),  # the first is used at once
        ([old(99), old(9)], ["active", "pending"]),
        ([old(99), old(10)], ["superseded", "active"]),
        ([old(99), old(50), old(9)], ["superseded", "active", "pending"]),
        ([old(3), old(2)], ["active", "pending"]),
        ([old(99, revoked=True), old(0)], ["revoked", "active"]),
        ([old(99, revoked=True), old(3), old(2)], ["revoked", "active", "pending"]),
        ([old(2 * MONTH), old(MONTH + 10)], ["superseded", "active"]),
        ([old(2 * MONTH), old(MONTH + 11)], ["retired", "active"]),
        ([old(2 * MONTH, revoked=True), old(2 * MONTH), old(MONTH + 11)], ["revoked", "retired", "active"]),
    ],
)
def test_the_states_of_keys(keys: list[Key], said: list[str]) -> None:
    assert states(keys, NOW, SETTLE, LONGEST) == said
    used = active(keys, NOW, SETTLE)
    assert said.count("active") == (used is not None)
    assert used is None or said[keys.index(used)] == "active"
