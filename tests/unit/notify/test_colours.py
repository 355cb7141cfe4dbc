"""Accent colours and what can be read on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify_service import colours


@given(st.integers(0, 0xFFFFFF))
def test_text_can_be_read_on_every_accent(number: int) -> None:
    accent = f"#{number:06x}"

    assert colours.contrast(colours.text_on(accent), accent) >= 4.5


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#000000", 5.25)],
)
def test_contrast_is_that_of_the_web_guidelines(one: str, other: str, ratio: float) -> None:
    assert colours.contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert colours.contrast(one, other) == colours.contrast(other, one)
