"""Page tokens."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import paging
from runtime.errors import GatepostError, Reason


@given(st.datetimes(min_value=datetime(1970, 1, 1)), st.uuids())  # noqa: DTZ001 hypothesis wants them naive
def test_a_token_leads_back_to_its_place(at: datetime, message_id: UUID) -> None:
    place = (at.replace(tzinfo=UTC), message_id)

    assert paging.decode(paging.encode(place)) == place


def test_no_token_is_the_first_page() -> None:
    assert paging.decode("") is None


@pytest.mark.parametrize(
    "token",
    ["x", "é", "AAAA", "!" * 32, base64.b64encode(b"\xff" * 24).decode(), base64.b64encode(b"\0" * 25).decode()],
)
def test_a_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(GatepostError) as caught:
        paging.decode(token)
    assert caught.value.reason is Reason.INVALID_PARAMETER


@given(st.text())
def test_no_token_breaks_the_decoder(token: str) -> None:
    try:
        place = paging.decode(token)
    except GatepostError:
        return
    assert place is None or place[0] > datetime(1970, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
