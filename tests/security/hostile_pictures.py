"""Pictures that were made to hurt: every one built here, from bytes, and said whether it may be taken at all."""

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from zipfile import ZipFile

from drawn import bomb, encoded, halves, photo, plain
from PIL import Image, ImageCms, TiffImagePlugin

CANARY = b"canary-in-the-metadata"
SCRIPT = b"<html><script>alert('" + CANARY + b"')</script></html>"
_MB = 1024 * 1024
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Hostile:
    """A file.

    Attributes:
        name: what it is.
        content: the file.
        taken: whether it must be taken; None if it may be either.
    """

    name: str
    content: bytes
    taken: bool | None


def corpus() -> Iterator[Hostile]:
    """Yield every file that fits into a request."""
    yield from _bombs()
    yield from _polyglots()
    yield from _full_of_metadata()
    yield from _odd()


def truncated() -> Iterator[Hostile]:
    """Yield files that break off, at every sixteenth."""
    noise = Image.effect_noise((200, 150), 80).convert("RGB")
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        whole = encoded(noise, kind)
        for part in range(16):
            yield Hostile(f"{kind} {part}/16", whole[: len(whole) * part // 16], taken=False)


def spoiled(count: int) -> Iterator[Hostile]:
    """Yield files with some bytes changed, checksums repaired where a decoder would stop at them."""
    chance = random.Random(5)  # noqa: S311 the same ones every time
    image = halves(60, 40).quantize(8)
    image.info["transparency"] = bytes(range(8))
    wholes = [encoded(image), encoded(halves(60, 40).quantize(8), "GIF"), photo(6), encoded(halves(60, 40), "WEBP")]
    wholes += [encoded(Image.new("RGBA", (20, 20), (1, 2, 3, 100)), "PNG"), encoded(Image.new("LA", (9, 9)), "PNG")]
    for number in range(count):
        whole = bytearray(wholes[number % len(wholes)])
        for _ in range(chance.randint(1, 4)):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        content = bytes(whole)
        yield Hostile(f"spoiled {number}", content if number % 3 else _resummed(content), taken=None)


def _bombs() -> Iterator[Hostile]:
    yield Hostile("PNG of 30000x30000", bomb(30_000, 30_000), taken=False)
    yield Hostile("PNG of 1x65535", bomb(1, 65_535), taken=True)
    yield Hostile("PNG of 2147483647x1", _png(2**31 - 1, 1, b"\0" * 100), taken=False)
    yield Hostile("PNG of 0x0", _png(0, 0, b""), taken=False)
    yield Hostile(
        "PNG of 16 bits, as large as may be", _png(4800, 4800, _zeros(4800 * (1 + 4800 * 8)), 16, 6), taken=True
    )
    yield Hostile("PNG with 200 MB behind its pixels", _png(8, 8, _zeros(200 * _MB)), taken=None)
    text = b"Comment\0\0" + _packed(_zeros(100 * _MB))
    yield Hostile("PNG with a text of 100 MB, packed", _png(8, 8, b"\0" * 72, more=_chunk(b"zTXt", text)), taken=None)
    profile = b"icc\0\0" + _packed(_zeros(100 * _MB))
    yield Hostile("PNG with a profile of 100 MB, packed", _png(8, 8, b"\0" * 72, more=_chunk(b"iCCP", profile)), None)
    yield Hostile("GIF of ten thousand frames", _gif(20, 20, frames=10_000), taken=True)
    yield Hostile("GIF of 65535x65535", _gif(65_535, 65_535), taken=False)
    yield Hostile("GIF of 0x0", _gif(0, 0), taken=None)
    yield Hostile("WebP of 16384x16384", _webp(16_384, 16_384), taken=False)
    scans = photo() + b"\xff\xda" * 100
    yield Hostile("JPEG of a hundred scans", scans, taken=False)
    yield Hostile("JPEG of 65500x65500", _jpeg_of(65_500, 65_500), taken=False)


def _polyglots() -> Iterator[Hostile]:
    archive = BytesIO()
    with ZipFile(archive, "w") as packed:
        packed.writestr("evil.html", SCRIPT)
    gif = encoded(Image.new("P", (10, 10)), "GIF")
    yield Hostile("GIF that is JavaScript", gif[:6] + b"/*" + gif[8:] + b"*/=1;" + SCRIPT, taken=None)
    yield Hostile("GIF and a script", gif + SCRIPT, taken=True)
    yield Hostile("JPEG and HTML", encoded(halves(), "JPEG", comment=SCRIPT) + SCRIPT, taken=True)
    yield Hostile("JPEG and ZIP", photo() + archive.getvalue(), taken=True)
    yield Hostile("PNG and ZIP", plain() + archive.getvalue(), taken=True)
    yield Hostile("PDF with a JPEG in it", b"%PDF-1.4\n1 0 obj\nstream\n" + photo(), taken=False)
    yield Hostile("JPEG with a PDF in it", encoded(halves(), "JPEG", comment=b"%PDF-1.4 " + CANARY), taken=True)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
    yield Hostile("SVG with a script", svg, taken=False)
    entities = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
    yield Hostile("SVG that is an XML bomb", b"<!DOCTYPE s [" + entities + b"]><svg>&l9;</svg>", taken=False)
    yield Hostile("HTML", SCRIPT, taken=False)
    yield Hostile("PHP behind the header of a GIF", b"GIF89a<?php system($_GET['c']); ?>", taken=False)
    yield Hostile("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", taken=False)


def _full_of_metadata() -> Iterator[Hostile]:
    yield Hostile("EXIF within the limit", _with_segments(1_900_000), taken=True)
    yield Hostile("EXIF of 2.5 MB", _with_segments(2_500_000), taken=False)
    text = b"Comment\0\0\0\0\0" + CANARY * 70_000
    yield Hostile("PNG with a long iTXt", _png(8, 8, b"\0" * 72, more=_chunk(b"iTXt", text)), taken=None)
    many = b"".join(_chunk(b"tEXt", b"k%d\0" % n + CANARY) for n in range(20_000))
    yield Hostile("PNG with many texts", _png(8, 8, b"\0" * 72, more=many), taken=None)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = CANARY.decode()
    exif[0x9C9B] = TiffImagePlugin.IFDRational(1, 3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        content = encoded(halves(), kind, exif=exif, icc_profile=srgb + CANARY)
        yield Hostile(f"{kind} with EXIF and a profile", content, taken=True)
    yield Hostile("JPEG turned by 9", _turned(9), taken=True)


def huge_metadata() -> bytes:
    """Return a JPEG with 30 MB of EXIF, which no request may carry."""
    return _with_segments(30 * _MB)


def _odd() -> Iterator[Hostile]:
    yield Hostile("nothing but a signature", _SIGNATURE, taken=False)
    yield Hostile("CMYK", encoded(Image.new("CMYK", (30, 30), (0, 9, 9, 9)), "JPEG"), taken=True)
    frames = [Image.new("RGBA", (30, 30), (n, 0, 0, 200)) for n in range(40)]
    for kind in ("PNG", "WEBP", "GIF"):
        yield Hostile(
            f"{kind} that moves", encoded(frames[0], kind, save_all=True, append_images=frames[1:]), taken=True
        )
    spoilt = bytearray(plain())
    spoilt[spoilt.index(b"IDAT") + 6] ^= 0xFF
    yield Hostile("PNG with a wrong checksum", bytes(spoilt), taken=False)
    for name, chunk in (("tRNS too long", b"\1" * 3000), ("tRNS of nothing", b"")):
        for colour in (0, 2, 3):
            palette = _chunk(b"PLTE", bytes(6)) if colour == 3 else b""
            pixels = b"\0" * 8 * (1 + 8 * (3 if colour == 2 else 1))
            content = _png(8, 8, pixels, colour=colour, more=palette + _chunk(b"tRNS", chunk))
            yield Hostile(f"PNG of colour type {colour}, {name}", content, taken=None)
    yield Hostile(
        "palette that is too short", _png(8, 8, b"\0" + b"\xff" * 8, colour=3, more=_chunk(b"PLTE", b"abc")), None
    )


def _png(width: int, height: int, pixels: bytes, depth: int = 8, colour: int = 0, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    end = _chunk(b"IDAT", _packed(pixels)) + _chunk(b"IEND", b"")
    return _SIGNATURE + _chunk(b"IHDR", header) + more + end


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _packed(body: bytes) -> bytes:
    return zlib.compress(body, 9 if len(body) < _MB else 1)


def _zeros(count: int) -> bytes:
    return bytes(count)


def _resummed(content: bytes) -> bytes:
    """Return a PNG with its checksums right again, as far as its chunks can be found; anything else as it is."""
    if not content.startswith(_SIGNATURE):
        return content
    out, at = _SIGNATURE, len(_SIGNATURE)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4])
        if at + 12 + length > len(content):
            break
        out += _chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length])
        at += 12 + length
    return out + content[at:]


def _gif(width: int, height: int, frames: int = 1) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes((255, 0, 0, 0, 0, 255))
    frame = b"\x21\xf9\x04\x00\x01\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b"\x3b"


def _webp(width: int, height: int) -> bytes:
    """Return an animation of one small frame on a canvas of that size."""
    frame = encoded(Image.new("RGB", (2, 2)), "WEBP", lossless=True)[12:]

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    def three(number: int) -> bytes:
        return number.to_bytes(3, "little")

    canvas = chunk(b"VP8X", b"\x02\0\0\0" + three(width - 1) + three(height - 1))
    moved = chunk(b"ANMF", three(0) + three(0) + three(1) + three(1) + three(100) + b"\0" + frame)
    body = b"WEBP" + canvas + chunk(b"ANIM", b"\0\0\0\0\0\0") + moved
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _jpeg_of(width: int, height: int) -> bytes:
    """Return a JPEG whose header claims a size that its pixels do not have."""
    content = bytearray(encoded(halves(), "JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _with_segments(size: int) -> bytes:
    """Return a JPEG with so many bytes of EXIF segments."""
    whole = encoded(halves(), "JPEG")
    body = b"Exif\0\0" + (CANARY * 3000)[:65_000]
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return whole[:2] + segment * (size // len(segment)) + whole[2:]


def _turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(halves(), "JPEG", exif=exif)
