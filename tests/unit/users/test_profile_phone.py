"""Phone numbers as typed, and their E.164."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_service.phone import e164


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("+49 30 901820", "+4930901820"),
        ("+1 (650) 253-0000", "+16502530000"),
        (" +44 (0)20 7031 3000", "+442070313000"),
        ("(123) 456-78", ""),
        ("030 901820", ""),
        ("0049 30 901820", ""),
        ("+", ""),
        ("+1 2", ""),
        ("+999 123456789", ""),
        ("+hello", ""),
        ("", ""),
    ],
)
def test_a_number_has_an_e164_form_when_it_says_its_country(typed: str, expected: str) -> None:
    assert e164(typed) == expected


@given(st.text(max_size=40))
def test_anything_typed_after_a_plus_yields_e164_or_nothing(typed: str) -> None:
    result = e164("+" + typed)
    assert result == "" or (result[0] == "+" and result[1:].isdigit() and result.isascii())
