"""Decoding, cutting and encoding of pictures with Pillow. `pictures` runs it in threads; nothing here awaits.

Loaded by the first picture, as `drawing` is: Pillow takes 1.7 MB.

Whatever is uploaded is untrusted: the format is found by decoding, pixels are counted before they are unpacked, and
only pixels get into the result. Metadata (EXIF with its places, comments, what is glued on) stays behind.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from runtime.errors import GatepostError, Reason, invalid
from user_service.model import JPEG, PNG, SQUARES, PictureFile, PictureKind, PictureSize

MAX_BYTES = 2 * 1024 * 1024
MAX_PIXELS = 24_000_000
WHOLE_PIXELS: Mapping[PictureKind, tuple[int, int]] = {
    PictureKind.AVATAR: (1024, 1024),
    PictureKind.COVER: (1600, 600),
    PictureKind.ICON: (1024, 1024),
}
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_MAX_WHOLE_BYTES = 3 * 1024 * 1024  # a message of the contract holds 4 MiB
_SHRINKING = 0.75
_JPEG_QUALITY = 85
_SQUARE_SOURCE = 2 * max(SQUARES.values())  # what the squares are drawn from
_ORIENTATION = 0x0112  # EXIF 3.0 section 4.6.5.1.6
_OPAQUE = (255, 255)  # least and most alpha
_START_OF_SCAN = b"\xff\xda"  # ITU-T T.81 section B.1.1.3; cannot occur within a scan
_MAX_SCANS = 64  # a progressive JPEG has ten or so; each costs a pass over all pixels
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow's own cap warns on stderr or raises, by size; ours refuses, in `_opened`, before anything is unpacked.
Image.MAX_IMAGE_PIXELS = None


def render(content: bytes, kind: PictureKind) -> dict[PictureSize, PictureFile]:
    """Return every size of a picture that its kind has.

    Args:
        content: PNG, JPEG, WebP or GIF, of which the first frame is taken.
        kind: Decides the sizes.

    Raises:
        GatepostError: PAYLOAD_TOO_LARGE for more than MAX_BYTES; INVALID_PARAMETER on `content` for what is no picture,
            is not whole, or has more than MAX_PIXELS pixels.
    """
    if len(content) > MAX_BYTES:
        raise GatepostError(Reason.PAYLOAD_TOO_LARGE, f"a picture may have at most {MAX_BYTES} bytes")
    image = _decoded(content, WHOLE_PIXELS[kind])
    files = {PictureSize.WHOLE: _whole(_fitted(image, WHOLE_PIXELS[kind]))}
    return files if kind is PictureKind.COVER else files | squares(_on_white(image))


def squares(image: Image.Image) -> dict[PictureSize, PictureFile]:
    """Return the square sizes, cut from the middle of an opaque picture."""
    source = ImageOps.fit(image, (_SQUARE_SOURCE, _SQUARE_SOURCE), Image.Resampling.LANCZOS)
    return {size: jpeg(source.resize((pixels, pixels), Image.Resampling.LANCZOS)) for size, pixels in SQUARES.items()}


def jpeg(image: Image.Image) -> PictureFile:
    """Return an opaque picture as JPEG."""
    # Small pictures are mostly edges, which halved colour would smear.
    subsampling = 0 if max(image.size) <= _SQUARE_SOURCE else 2
    out = BytesIO()
    image.save(out, "JPEG", quality=_JPEG_QUALITY, progressive=True, optimize=True, subsampling=subsampling)
    return PictureFile(out.getvalue(), JPEG)


def _decoded(content: bytes, enough: tuple[int, int]) -> Image.Image:
    """Return the picture upright, as RGB, or as RGBA if it is seen through; a JPEG perhaps smaller, yet `enough`."""
    try:
        image = Image.open(BytesIO(content), formats=_FORMATS)
    except Exception as error:  # decoders meet crafted input with exceptions of every kind
        raise _no_picture() from error
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise invalid("content", f"A picture may have at most {MAX_PIXELS} pixels.")
        if image.format == "JPEG" and content.count(_START_OF_SCAN) > _MAX_SCANS:
            raise _no_picture()
        try:
            image.draft("RGB", enough)
            image.load()
            turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
            upright = _reduced(_plain(image), enough)  # what is see-through may be described wrongly too
        except Exception as error:
            raise _no_picture() from error
    upright.info = {}  # copies inherit it, and saving writes some of it: comments, for one
    return upright if turn is None else upright.transpose(turn)


def _plain(image: Image.Image) -> Image.Image:
    """Return RGBA where something shines through, else RGB."""
    if image.has_transparency_data:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        return clear.convert("RGB") if clear.getchannel("A").getextrema() == _OPAQUE else clear
    if image.mode.startswith("I;16"):  # 16 bits a pixel, which converting alone would cut off at 255
        image = image.point(_in_8_bits).convert("L")
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_8_bits(value: Any) -> Any:
    return value / 256


def _reduced(image: Image.Image, enough: tuple[int, int]) -> Image.Image:
    """Return the picture made smaller by a whole number, yet `enough`: fast, and what follows needs little memory."""
    factor = min(image.width // enough[0], image.height // enough[1])
    return image.reduce(factor) if factor > 1 else image


def _fitted(image: Image.Image, most: tuple[int, int]) -> Image.Image:
    """Return the picture no larger than `most`; a small one as it is."""
    factor = min(most[0] / image.width, most[1] / image.height)
    if factor >= 1:
        return image
    size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))  # one may be a thin line
    return image.resize(size, Image.Resampling.LANCZOS)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _whole(image: Image.Image) -> PictureFile:
    if image.mode == "RGB":
        return jpeg(image)
    while True:
        out = BytesIO()
        image.save(out, "PNG")
        if out.tell() <= _MAX_WHOLE_BYTES:
            return PictureFile(out.getvalue(), PNG)
        image = image.resize((int(image.width * _SHRINKING), int(image.height * _SHRINKING)), Image.Resampling.LANCZOS)


def _no_picture() -> GatepostError:
    return invalid("content", "The content must be a whole PNG, JPEG, WebP or GIF picture.")
