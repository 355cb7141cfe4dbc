"""Times as programs read them."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.moments import microsecond, second

_MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59), timezones=st.just(UTC))  # noqa: DTZ001


@given(_MOMENTS)
def test_they_read_as_strftime_writes_them(moment: datetime) -> None:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    assert second(stamp) == f"{moment:%Y-%m-%d %H:%M:%S}"
    assert microsecond(stamp) == f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


@pytest.mark.parametrize(("nanos", "end"), [(0, "000000Z"), (999, "000000Z"), (999_999_999, "999999Z")])
def test_what_is_smaller_than_a_microsecond_is_cut_off(nanos: int, end: str) -> None:
    assert microsecond(Timestamp(seconds=1, nanos=nanos)) == f"1970-01-01T00:00:01.{end}"
