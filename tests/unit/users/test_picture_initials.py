"""Pictures drawn for people who have none."""

import asyncio
import string
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from drawn import opened
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor, ImageFont

from runtime.errors import GatepostError, Reason
from user_service.drawing import WHOLE_PIXELS
from user_service.initials import COLOURS, Initials, colour, letters
from user_service.model import SQUARES, PictureSize
from user_service.workers import Workers

WHITE = (255, 255, 255)


@pytest_asyncio.fixture(loop_scope="session")
async def initials() -> AsyncIterator[Initials]:
    workers = Workers("initials", count=1, queue_size=100)
    yield Initials(workers, kept=4)
    workers.close()


async def drawn(initials: Initials, name: str, seed: str = "1") -> Image.Image:
    return opened((await initials.draw(name, seed, PictureSize.WHOLE)).content)


def contrast(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Return the contrast of two colours (WCAG 2.2, relative luminance)."""

    def luminance(rgb: tuple[int, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Lovelace", "AL"),
        ("ada", "A"),
        ("Ada King Lovelace", "AL"),
        ("  Élodie   Ørsted  ", ""),
        ("Élodie Ångström", "EA"),
        ('"Ada" (Lovelace)', "AL"),
        ("ße", "S"),
        ("4ever young", "4Y"),
        ("👩\u200d🔬 Ada", "A"),
        ("Ядвіга Шевченко", ""),
        ("山田", ""),
        ("- .", ""),
        ("", ""),
    ],
)
def test_first_and_last_words_give_the_letters(name: str, expected: str) -> None:
    assert letters(name) == expected


@given(st.text(max_size=40))
def test_letters_are_none_or_two_capitals_that_can_be_drawn(name: str) -> None:
    found = letters(name)
    assert len(found) <= 2
    assert set(found) <= set(string.ascii_uppercase + string.digits)


def test_the_built_in_font_has_every_letter_that_is_drawn() -> None:
    font = ImageFont.load_default(40)
    missing = bytes(font.getmask("\U0010ffff"))
    assert not [each for each in string.ascii_uppercase + string.digits if bytes(font.getmask(each)) == missing]


@pytest.mark.parametrize("background", COLOURS)
def test_white_letters_can_be_read_on_every_colour(background: str) -> None:
    assert contrast(WHITE, ImageColor.getrgb(background)) >= 4.5


@given(st.text(max_size=50))
def test_a_seed_has_one_colour_of_the_list(seed: str) -> None:
    assert colour(seed) == colour(seed)
    assert colour(seed) in COLOURS


def test_seeds_spread_over_the_colours() -> None:
    assert {colour(str(number)) for number in range(500)} == set(COLOURS)


@pytest.mark.parametrize("name", ["Ada Lovelace", "W", "山田"])
async def test_every_size_is_a_jpeg_of_its_pixels(initials: Initials, name: str) -> None:
    for size in PictureSize:
        file = await initials.draw(name, "1", size)
        pixels = SQUARES.get(size, WHOLE_PIXELS)
        assert (opened(file.content).size, opened(file.content).format) == ((pixels, pixels), "JPEG")
        assert file.content_type == "image/jpeg"


async def test_the_same_text_makes_the_same_picture_everywhere() -> None:
    pictures = []
    for _ in range(2):
        workers = Workers("initials", count=1, queue_size=1)
        pictures.append(await Initials(workers, kept=1).draw("Ada Lovelace", "7", PictureSize.LARGE))
        workers.close()
    assert pictures[0] == pictures[1]


async def test_another_name_and_another_seed_make_another_picture(initials: Initials) -> None:
    first = await drawn(initials, "Ada Lovelace", "1")
    assert first != await drawn(initials, "Bob Lovelace", "1")
    assert first != await drawn(initials, "Ada Lovelace", "2")


@pytest.mark.parametrize("name", ["Ada Lovelace", "WM", "山田"])
async def test_corners_show_the_colour_and_the_middle_has_white(initials: Initials, name: str) -> None:
    image = await drawn(initials, name)
    background = ImageColor.getrgb(colour("1"))
    assert all(
        abs(found - wanted) < 8
        for at in ((2, 2), (WHOLE_PIXELS - 3, 2))
        for found, wanted in zip(image.getpixel(at), background, strict=True)  # type: ignore[arg-type]
    )
    middle = image.crop((100, 100, WHOLE_PIXELS - 100, WHOLE_PIXELS - 100)).convert("L")
    assert middle.getextrema()[1] > 245  # type: ignore[operator]


async def test_letters_stand_in_the_middle_with_room_around(initials: Initials) -> None:
    ink = (await drawn(initials, "WM")).convert("L").point(lambda value: 255 if value > 200 else 0).getbbox()
    assert ink is not None
    left, top, right, bottom = ink
    assert abs(left - (WHOLE_PIXELS - right)) <= 4
    assert abs(top - (WHOLE_PIXELS - bottom)) <= 4
    assert min(left, top) > 40


async def test_a_name_that_cannot_be_drawn_shows_a_silhouette_like_any_other(initials: Initials) -> None:
    assert await drawn(initials, "山田") == await drawn(initials, "Ядвіга") == await drawn(initials, "")


async def test_only_so_many_pictures_are_kept(initials: Initials) -> None:
    for number in range(10):
        await initials.draw(f"{number}", "1", PictureSize.SMALL)
    assert len(initials._kept) == 4


@pytest.mark.parametrize(("name", "seed", "field"), [("x" * 301, "", "name"), ("", "x" * 201, "seed")])
async def test_endless_text_is_refused(initials: Initials, name: str, seed: str, field: str) -> None:
    with pytest.raises(GatepostError) as caught:
        await initials.draw(name, seed, PictureSize.SMALL)
    assert (caught.value.reason, caught.value.violations[0].field) == (Reason.INVALID_PARAMETER, field)


async def test_beyond_the_queue_drawing_is_refused_and_soon_goes_on() -> None:
    workers = Workers("initials", count=1, queue_size=1)
    crowded = Initials(workers, kept=100)
    calls = (crowded.draw(f"{number}", "1", PictureSize.WHOLE) for number in range(10))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, GatepostError)]
    assert {(error.reason, error.retry_after_seconds) for error in refused} == {(Reason.OVERLOADED, 1.0)}
    assert len(refused) == 8
    await asyncio.sleep(0)
    assert (await crowded.draw("A", "1", PictureSize.WHOLE)).content
    workers.close()
