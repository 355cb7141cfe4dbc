"""When delivery tries again."""

from datetime import timedelta

import pytest

from notify_service.delivery import RetryPolicy


def policy(jitter: float) -> RetryPolicy:
    return RetryPolicy(25, timedelta(seconds=2), timedelta(hours=1), jitter=lambda: jitter)


@pytest.mark.parametrize(("tries", "seconds"), [(1, 2), (2, 4), (5, 32), (11, 2048), (12, 3600), (900, 3600)])
def test_pauses_double_up_to_the_longest(tries: int, seconds: int) -> None:
    assert policy(1.0).pause(tries, None) == timedelta(seconds=seconds)


def test_jitter_takes_away_up_to_half() -> None:
    assert policy(0.0).pause(3, None) == timedelta(seconds=4)


def test_what_expires_soon_is_tried_more_often() -> None:
    assert policy(1.0).pause(12, timedelta(minutes=10)) == timedelta(seconds=30)
