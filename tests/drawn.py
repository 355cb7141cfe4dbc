"""Pictures for tests, made on the spot: photos with metadata, bombs, and the tools to look at results."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image

SECRET_PLACE = b"canary of Surabaya"


def encoded(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    """Return a picture as a file of a format."""
    out = BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def plain(width: int = 64, height: int = 64, colour: str = "red", image_format: str = "PNG") -> bytes:
    """Return a picture of one colour."""
    return encoded(Image.new("RGB", (width, height), colour), image_format)


def halves(width: int = 400, height: int = 200) -> Image.Image:
    """Return a picture that is red on its left half and blue on its right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def photo(orientation: int = 1) -> bytes:
    """Return `halves` as JPEG with the metadata of a camera: how it was held, where, and a remark."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.ImageDescription] = SECRET_PLACE.decode()
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "S"
    place[ExifTags.GPS.GPSLatitude] = (7.0, 15.0, 0.0)
    return encoded(halves(), "JPEG", exif=exif, comment=SECRET_PLACE)


def opened(content: bytes) -> Image.Image:
    """Return a file as a picture."""
    image = Image.open(BytesIO(content))
    image.load()
    return image


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of black pixels that is small as a file, however large."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    line = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(*each) for each in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
