"""What becomes of an uploaded file: its sizes, and what is left out or refused."""

import random
import zipfile
from io import BytesIO
from typing import Any

import pytest
from drawn import SECRET_PLACE, bomb, encoded, halves, opened, photo, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from runtime.errors import GatepostError, Reason
from user_service.images import MAX_BYTES, render
from user_service.model import JPEG, PNG, SQUARES, PictureKind, PictureSize, sizes

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def whole(content: bytes, kind: PictureKind = PictureKind.AVATAR) -> Image.Image:
    return opened(render(content, kind)[PictureSize.WHOLE].content)


def refusal(content: bytes) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        render(content, PictureKind.AVATAR)
    return caught.value


def alike(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(found - wanted) < 12 for found, wanted in zip(pixel[:3], colour, strict=True))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("kind", [PictureKind.AVATAR, PictureKind.ICON])
def test_a_picture_gets_five_squares_and_the_whole(image_format: str, kind: PictureKind) -> None:
    files = render(plain(300, 200, image_format=image_format), kind)
    assert files.keys() == sizes(kind) == set(PictureSize)
    for size, pixels in SQUARES.items():
        assert (opened(files[size].content).size, files[size].content_type) == ((pixels, pixels), JPEG)
    assert opened(files[PictureSize.WHOLE].content).size == (300, 200)


def test_a_cover_has_no_small_sizes_and_keeps_within_its_frame() -> None:
    files = render(plain(3200, 1600), PictureKind.COVER)
    assert files.keys() == sizes(PictureKind.COVER) == {PictureSize.WHOLE}
    assert opened(files[PictureSize.WHOLE].content).size == (1200, 600)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        *((2048, 1024, (1024, 512)), (1024, 4096, (256, 1024)), (1025, 10, (1024, 10)), (7, 9, (7, 9)), (1, 1, (1, 1))),
        *((1, 65_535, (1, 1024)), (9000, 2, (1024, 1))),
    ],
)
def test_the_whole_keeps_its_shape_and_is_never_enlarged(width: int, height: int, expected: tuple[int, int]) -> None:
    assert whole(plain(width, height)).size == expected


def test_squares_are_cut_from_the_middle() -> None:
    image = Image.new("RGB", (600, 200), "blue")
    image.paste("red", (200, 0, 400, 200))
    square = opened(render(encoded(image), PictureKind.AVATAR)[PictureSize.LARGER].content)
    assert all(alike(square.getpixel(at), RED) for at in ((3, 3), (166, 3), (3, 166), (166, 166)))


@pytest.mark.parametrize(
    ("orientation", "size", "red_at", "blue_at"),
    [
        (1, (400, 200), (10, 100), (390, 100)),
        (2, (400, 200), (390, 100), (10, 100)),
        (3, (400, 200), (390, 100), (10, 100)),
        (4, (400, 200), (10, 100), (390, 100)),
        (5, (200, 400), (100, 10), (100, 390)),
        (6, (200, 400), (100, 10), (100, 390)),
        (7, (200, 400), (100, 390), (100, 10)),
        (8, (200, 400), (100, 390), (100, 10)),
    ],
)
def test_a_photo_stands_upright_however_the_camera_was_held(
    orientation: int, size: tuple[int, int], red_at: tuple[int, int], blue_at: tuple[int, int]
) -> None:
    image = whole(photo(orientation))
    assert image.size == size
    assert alike(image.getpixel(red_at), RED)
    assert alike(image.getpixel(blue_at), BLUE)


def test_no_size_says_where_a_photo_was_taken_or_anything_else() -> None:
    content = photo()
    assert SECRET_PLACE in content
    for file in render(content, PictureKind.AVATAR).values():
        image = opened(file.content)
        assert SECRET_PLACE not in file.content
        assert b"Exif" not in file.content
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}


def test_text_of_a_png_is_left_out() -> None:
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    remarks = PngInfo()
    remarks.add_text("Comment", SECRET_PLACE.decode())
    see_through = Image.new("RGBA", (40, 40), (255, 0, 0, 100))
    content = encoded(see_through, pnginfo=remarks)
    assert SECRET_PLACE in content
    assert SECRET_PLACE not in render(content, PictureKind.ICON)[PictureSize.WHOLE].content


def test_a_see_through_picture_stays_so_as_a_whole_and_is_put_on_white_in_the_squares() -> None:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((50, 50, 149, 149), "red")
    files = render(encoded(image), PictureKind.ICON)
    kept = opened(files[PictureSize.WHOLE].content)
    assert (files[PictureSize.WHOLE].content_type, kept.mode) == (PNG, "RGBA")
    assert kept.getpixel((5, 5)) == (0, 0, 0, 0)
    square = opened(files[PictureSize.LARGE].content)
    assert alike(square.getpixel((5, 5)), WHITE)
    assert alike(square.getpixel((50, 50)), RED)


def test_an_opaque_picture_with_an_alpha_channel_becomes_a_jpeg() -> None:
    files = render(encoded(Image.new("RGBA", (50, 50), (255, 0, 0, 255))), PictureKind.AVATAR)
    assert files[PictureSize.WHOLE].content_type == JPEG


def test_a_photo_is_a_progressive_jpeg() -> None:
    assert whole(photo()).info["progressive"] == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_grey_palette_print_and_deep_pictures_are_taken(mode: str) -> None:
    grey: dict[str, Any] = {"1": 1, "L": 128, "LA": (128, 255), "P": 1, "CMYK": (0, 0, 0, 128), "I;16": 128 * 256}
    content = encoded(Image.new(mode, (30, 30), grey[mode]), "JPEG" if mode == "CMYK" else "PNG")
    image = whole(content)
    assert image.mode in {"RGB", "RGBA"}
    if mode in {"L", "LA", "I;16"}:
        assert alike(image.getpixel((15, 15)), (128, 128, 128))


def test_of_an_animation_the_first_frame_is_taken() -> None:
    first, second = Image.new("P", (40, 40), 0), Image.new("P", (40, 40), 1)
    for frame in (first, second):
        frame.putpalette([255, 0, 0, 0, 0, 255])
    for image_format in ("GIF", "PNG", "WEBP"):
        content = encoded(first, image_format, save_all=True, append_images=[second], duration=50)
        assert alike(whole(content).getpixel((20, 20)), RED)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_file_that_breaks_off_is_refused(image_format: str) -> None:
    noise = Image.effect_noise((200, 200), 80).convert("RGB")
    content = encoded(noise, image_format)
    error = refusal(content[: len(content) // 2])
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "content")


@pytest.mark.parametrize("image_format", ["BMP", "TIFF", "ICO", "PPM", "TGA", "JPEG2000", "PDF", "EPS"])
def test_other_formats_are_refused(image_format: str) -> None:
    assert refusal(encoded(halves(), image_format)).reason is Reason.INVALID_PARAMETER


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"%PDF-1.7",
        b"\x00" * 1000,
    ],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    assert refusal(content).reason is Reason.INVALID_PARAMETER


def test_what_is_glued_to_a_picture_stays_behind() -> None:
    out = BytesIO(photo())
    out.seek(0, 2)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("page.html", "<script>alert(1)</script>")
    content = out.getvalue()
    assert zipfile.is_zipfile(BytesIO(content))
    for file in render(content, PictureKind.AVATAR).values():
        assert not zipfile.is_zipfile(BytesIO(file.content))
        assert b"<script>" not in file.content


def test_a_script_hidden_in_a_gif_stays_behind() -> None:
    content = plain(image_format="GIF") + b"*/=1;alert(1)//<script>"
    assert all(b"alert" not in file.content for file in render(content, PictureKind.AVATAR).values())


def test_a_file_that_unpacks_to_too_many_pixels_is_refused_before_it_is_unpacked() -> None:
    content = bomb(20_000, 20_000)
    assert len(content) < MAX_BYTES
    error = refusal(content)
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "content")
    assert "24000000 pixels" in error.message


def test_as_many_pixels_as_allowed_are_taken() -> None:
    assert whole(bomb(6000, 4000)).size == (1024, 683)
    assert refusal(bomb(6000, 4001)).reason is Reason.INVALID_PARAMETER


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    content = encoded(halves(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    scan = content[last:-2]
    assert refusal(content[:-2] + scan * 100 + b"\xff\xd9").reason is Reason.INVALID_PARAMETER


def test_a_file_above_two_mebibytes_is_too_large() -> None:
    content = plain()
    assert refusal(content + bytes(MAX_BYTES)).reason is Reason.PAYLOAD_TOO_LARGE
    assert render(content + bytes(MAX_BYTES - len(content)), PictureKind.ICON)


def test_a_whole_that_hardly_packs_is_made_smaller_until_it_fits_a_message() -> None:
    channels = [Image.frombytes("L", (1024, 1024), random.Random(n).randbytes(1024 * 1024)) for n in range(4)]  # noqa: S311
    content = encoded(Image.merge("RGBA", channels), "WEBP", quality=60)
    file = render(content, PictureKind.ICON)[PictureSize.WHOLE]
    assert len(file.content) <= 3 * 1024 * 1024
    assert file.content_type == PNG


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.data())
def test_a_damaged_file_is_rendered_or_refused_and_nothing_else(image_format: str, data: st.DataObject) -> None:
    content = bytearray(encoded(halves(80, 40), image_format))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        files = render(bytes(content), PictureKind.AVATAR)
    except GatepostError as error:
        assert error.reason is Reason.INVALID_PARAMETER  # noqa: PT017 it may also be fine
    else:
        assert files.keys() == set(PictureSize)
