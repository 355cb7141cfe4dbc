"""Words in several languages: reads gettext catalogues, and finds the language nearest to what a reader asks for.

Called by the services that write to people (gateway, notify-service), which declare Babel as their dependency. English
is in the templates themselves; `extraction` keeps the catalogues in step with them. No files but catalogues are read.
"""

from collections.abc import Collection, Iterable, Mapping
from gettext import NullTranslations
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

SOURCE_LANGUAGE: Final = "en"
CATALOGUE: Final = "LC_MESSAGES/messages.po"
_LONGEST_HEADER = 1000


def load(folder: Traversable, languages: Iterable[str]) -> Mapping[str, NullTranslations]:
    """Read `<folder>/<language>/LC_MESSAGES/messages.po` for each language; English has none and needs none.

    Args:
        folder: As from `importlib.resources.files("gateway") / "locales"`; a `Path` will do.
        languages: Tags as their folders spell them.

    Returns:
        For each language what Jinja2's `install_gettext_translations` takes. Messages without translation, and fuzzy
        ones, come out in English.

    Raises:
        FileNotFoundError: A language other than English has no catalogue.
        ValueError: A catalogue is malformed.
    """
    return {language: _read(folder, language) for language in languages}


def nearest(tag: str, available: Collection[str]) -> str | None:
    """Return the available language that serves a reader of `tag`: itself or its nearest parent; None if there is none.

    `pt-BR` is served by `pt`, not by `pt-PT` (RFC 4647 section 3.4, lookup). Case does not matter.
    """
    spelled = {language.lower(): language for language in available}
    subtags = tag.lower().replace("_", "-").split("-")
    return next(
        (found for length in range(len(subtags), 0, -1) if (found := spelled.get("-".join(subtags[:length])))), None
    )


def negotiate(accept_language: str, available: Collection[str], default: str = SOURCE_LANGUAGE) -> str:
    """Return the available language a browser's Accept-Language asks for (RFC 9110 section 12.5.4).

    Args:
        accept_language: The header; anything, also nothing. What cannot be read in it is passed over.
        available: The languages there are.
        default: What `*` stands for, and the answer when nothing asked for is there.
    """
    wishes = [wish for item in accept_language[:_LONGEST_HEADER].split(",") if (wish := _wish(item)) is not None]
    refused = {tag for tag, quality in wishes if quality == 0}
    for tag, quality in sorted(wishes, key=lambda wish: -wish[1]):
        if quality == 0:
            break
        found = default if tag == "*" else nearest(tag, available)
        if found is not None and found.lower() not in refused:
            return found
    return default


def _wish(item: str) -> tuple[str, float] | None:
    tag, *parameters = (part.strip() for part in item.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                return None
    return (tag.lower(), quality) if tag and 0 <= quality <= 1 else None


def _read(folder: Traversable, language: str) -> NullTranslations:
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    with (folder / language / CATALOGUE).open("rb") as file:
        catalogue = read_po(file, locale=language.replace("-", "_"), abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
