"""Pictures for people without one: their initials on a colour of their own, or a silhouette. Called by `rpc`.

The same text makes the same picture, in every instance. What was drawn lately is kept.
"""

import hashlib
import unicodedata
from collections import OrderedDict

from runtime.errors import invalid
from user_service.model import PictureFile, PictureSize
from user_service.workers import Workers

# Each holds white text at 4.5 to 1 or better (WCAG 2.2 success criterion 1.4.3).
COLOURS = (
    *("#b3261e", "#a8324a", "#ad1457", "#8e24aa", "#6a3fb5", "#4a4fbf", "#1f5fbf", "#0b6a94"),
    *("#006d77", "#00695c", "#1b6e3c", "#4d6b1a", "#7a5c00", "#9a4a00", "#795548", "#546270"),
)
_MAX_NAME_LENGTH = 300
_MAX_SEED_LENGTH = 200
_DRAWN = tuple[str, str, PictureSize]


class Initials:
    """Draws pictures.

    Args:
        workers: Threads to draw in.
        kept: How many pictures to keep at hand; one is about 5 KB.
    """

    def __init__(self, workers: Workers, kept: int) -> None:
        self._workers = workers
        self._room = kept
        self._kept: OrderedDict[_DRAWN, PictureFile] = OrderedDict()

    async def draw(self, name: str, seed: str, size: PictureSize) -> PictureFile:
        """Return the picture of a name, as JPEG.

        Args:
            name: At most 300 characters; see `letters`. Without letters a silhouette is drawn.
            seed: Chooses the colour; at most 200 characters.
            size: The whole has 512 pixels.

        Raises:
            GatepostError: INVALID_PARAMETER for text that is too long; OVERLOADED.
        """
        for field, text, limit in (("name", name, _MAX_NAME_LENGTH), ("seed", seed, _MAX_SEED_LENGTH)):
            if len(text) > limit:
                raise invalid(field, f"The {field} field may have at most {limit} characters.")
        wanted = letters(name), colour(seed), size
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            return self._kept[wanted]
        drawn = self._kept[wanted] = await self._workers.run(lambda: _draw(*wanted))
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return drawn


def letters(name: str) -> str:
    """Return one or two capital letters that stand for a name: of its first and last words, without their accents.

    Empty if there are none, or one that Pillow's built-in font lacks: it has those of ASCII.
    """
    found = [letter for letter in map(_first_letter, name.split()) if letter]
    chosen = "".join(found[:1] + found[1:][-1:])
    return chosen if chosen.isascii() else ""


def colour(seed: str) -> str:
    """Return the colour of a seed, as `#rrggbb`."""
    return COLOURS[hashlib.sha256(seed.encode(errors="replace")).digest()[0] % len(COLOURS)]


def _first_letter(word: str) -> str:
    """Return the first letter or digit of a word as a capital without accents; empty if it has none."""
    for character in unicodedata.normalize("NFKD", word):
        if character.isalnum():
            return character.upper()[:1]
    return ""


def _draw(text: str, background: str, size: PictureSize) -> PictureFile:
    from user_service import drawing  # noqa: PLC0415 see there

    return drawing.draw(text, background, size)
