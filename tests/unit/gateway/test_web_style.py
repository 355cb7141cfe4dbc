"""A project's colour stays legible on light and dark, whatever it is; and only colours get through."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gatepost.auth.v1.projects_pb2 import Project
from gateway.web.look import look_of
from gateway.web.style import STYLE, accent

PAPER, CARD, DARK_PAPER, DARK_CARD = "#f2f4f8", "#ffffff", "#101318", "#1b1f25"
PROPERTY = re.compile(r"--([a-z-]+):(#[0-9a-f]{6})")


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, definition of contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.integers(0, 0xFFFFFF))
def test_text_in_and_on_the_colour_can_be_read(number: int) -> None:
    light, dark = (dict(PROPERTY.findall(part)) for part in accent(f"{number:06x}").split("@media"))
    assert contrast(light["on-accent"], light["accent"]) >= 4.5
    assert contrast(dark["on-accent"], dark["accent"]) >= 4.5
    assert min(contrast(light["accent-text"], ground) for ground in (PAPER, CARD)) >= 4.5
    assert min(contrast(dark["accent-text"], ground) for ground in (DARK_PAPER, DARK_CARD)) >= 4.5


def test_a_colour_that_is_legible_stays_as_it_is() -> None:
    light = accent("b3541e").split("@media")[0]
    assert "--accent:#b3541e" in light


def test_the_grounds_are_those_of_the_stylesheet() -> None:
    style = STYLE.decode()
    light, dark = style.split("@media", 1)
    assert f"--paper: {PAPER}" in light
    assert f"--card: {CARD}" in light
    assert f"--paper: {DARK_PAPER}" in dark
    assert f"--card: {DARK_CARD}" in dark


def test_a_project_without_a_name_for_people_goes_by_its_own() -> None:
    look = look_of(Project(name="shop"))
    assert (look.name, look.initial) == ("shop", "S")


def test_a_project_called_like_the_house_has_the_mark_of_the_house() -> None:
    assert look_of(Project(name="default", display_name="Gatepost")) == look_of(None)


def test_a_project_has_its_name_colour_and_logo() -> None:
    project = Project(name="shop", display_name="Söhne", accent_color="#AABBCC", logo_picture="0" * 32)
    look = look_of(project)
    assert (look.name, look.initial) == ("Söhne", "S")
    assert look.accent_url == "/assets/accent/aabbcc.css"
    assert look.logo_url == f"/pictures/{'0' * 32}/large"


def test_nothing_but_a_colour_or_an_id_gets_into_an_address() -> None:
    look = look_of(Project(name="shop", accent_color="#12345g", logo_picture="../../etc"))
    assert (look.accent_url, look.logo_url) == ("", "")
