"""The stylesheet, and what a project's colour makes of it: legible on light and dark whatever the colour.

Contrast as WCAG 2.2 defines it: 4.5 for text (section 1.4.3). A button is known by its text, so its own colour only has
to be told from the card.
"""

from hashlib import sha256
from importlib.resources import files

STYLE = b"".join((files("gateway") / "assets" / name).read_bytes() for name in ("gatepost.css", "own.css"))
STYLE_VERSION = sha256(STYLE).hexdigest()[:16]
STYLE_URL = f"/assets/gatepost.css?v={STYLE_VERSION}"

_TEXT_CONTRAST = 4.5
_SHAPE_CONTRAST = 1.4
_STEPS = 50
# What text stands on with the least contrast, in gatepost.css: --paper of light, --card of dark.
_LIGHT_GROUND = (242, 244, 248)
_DARK_GROUND = (27, 31, 37)
_INK = (16, 19, 24)
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_Color = tuple[int, int, int]


def accent(color: str) -> str:
    """Return the stylesheet that puts a project's colour in place of the house's.

    Args:
        color: Six hex digits.
    """
    given = (int(color[0:2], 16), int(color[2:4], 16), int(color[4:6], 16))
    light = _properties(given, _LIGHT_GROUND, _INK)
    dark = _properties(given, _DARK_GROUND, _WHITE)
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def _properties(color: _Color, ground: _Color, towards: _Color) -> str:
    fill = _until(color, towards, ground, _SHAPE_CONTRAST)
    text = _until(color, towards, ground, _TEXT_CONTRAST)
    # White or black: one of them always has a contrast of 4.5 or more.
    on_fill = max((_WHITE, _BLACK), key=lambda ink: _contrast(ink, fill))
    return f"--accent:{_hex(fill)};--on-accent:{_hex(on_fill)};--accent-text:{_hex(text)}"


def _until(color: _Color, towards: _Color, ground: _Color, contrast: float) -> _Color:
    """Mix in as little of another colour as it takes to stand out from the ground."""
    mixed = (_mix(color, towards, step / _STEPS) for step in range(_STEPS + 1))
    return next((each for each in mixed if _contrast(each, ground) >= contrast), towards)


def _mix(one: _Color, other: _Color, share: float) -> _Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _contrast(one: _Color, other: _Color) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: _Color) -> float:
    red, green, blue = (_linear(part / 255) for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 sRGB's own numbers


def _hex(color: _Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
