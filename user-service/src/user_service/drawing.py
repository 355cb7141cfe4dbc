"""Draws letters and silhouettes with Pillow. `initials` runs it in threads; nothing here awaits.

Loaded by the first picture that is drawn: Pillow takes 1.7 MB.
"""

from PIL import Image, ImageDraw, ImageFont

from user_service import images
from user_service.model import SQUARES, PictureFile, PictureSize

WHOLE_PIXELS = 512
_TEXT_HEIGHTS = {1: 260, 2: 210}  # of the font in pixels, by the number of letters
_SMOOTHING = 4  # a silhouette is drawn so many times larger first


def draw(text: str, background: str, size: PictureSize) -> PictureFile:
    """Draw letters in white on a colour, or a silhouette, as JPEG.

    Args:
        text: One or two ASCII capitals or digits; empty for a silhouette.
        background: The colour, as `#rrggbb`.
        size: The whole has 512 pixels.
    """
    image = Image.new("RGB", (WHOLE_PIXELS, WHOLE_PIXELS), background)
    if text:
        _draw_letters(image, text)
    else:
        _draw_silhouette(image)
    if size is PictureSize.WHOLE:
        return images.jpeg(image)
    pixels = SQUARES[size]
    return images.jpeg(image.resize((pixels, pixels), Image.Resampling.LANCZOS))


def _draw_letters(image: Image.Image, text: str) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_TEXT_HEIGHTS[len(text)])
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    # By the ink, not by the line: capitals have nothing below.
    draw.text(((WHOLE_PIXELS - left - right) / 2, (WHOLE_PIXELS - top - bottom) / 2), text, "white", font)


def _draw_silhouette(image: Image.Image) -> None:
    """Draw a head, and shoulders that leave the picture."""
    pixels = WHOLE_PIXELS * _SMOOTHING
    mask = Image.new("L", (pixels, pixels), 0)
    draw = ImageDraw.Draw(mask)
    for middle, width, height in ((0.39, 0.34, 0.34), (1.0, 0.68, 0.74)):
        x, y = width * pixels / 2, height * pixels / 2
        draw.ellipse((pixels / 2 - x, middle * pixels - y, pixels / 2 + x, middle * pixels + y), "white")
    image.paste("white", mask=mask.resize(image.size, Image.Resampling.LANCZOS))
