"""The accent colour of a project's mails: what is taken, and what can be read on it. Called by `templates`. Pure."""

import re
from typing import Final

HOUSE: Final = "#1f5f8b"
BLACK: Final = "#000000"
WHITE: Final = "#ffffff"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LINEAR_BELOW = 0.04045


def accent(value: str) -> str:
    """Return the colour in lower case; the house's for an empty one.

    Raises:
        ValueError: It is not written `#rrggbb`.
    """
    if value and not _COLOUR.fullmatch(value):
        raise ValueError("must be written #rrggbb")
    return value.lower() or HOUSE


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(background: str) -> str:
    """Return black or white, whichever reads better; one of them always has a contrast of 4.5 or more."""
    return max(WHITE, BLACK, key=lambda text: contrast(text, background))


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= _LINEAR_BELOW else ((channel + 0.055) / 1.055) ** 2.4
