"""The language of a request and the words in it. `app` asks once a request; everything else reads the call's context.

`?lang=` of a link of ours, else the cookie such a link has left, else Accept-Language. Catalogues are read when first
needed and kept.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from gettext import NullTranslations
from importlib.resources import files
from typing import Final

from gateway.call import Call
from gateway.web.cookies import LANGUAGE, secure
from runtime.catalogues import SOURCE_LANGUAGE, load, negotiate
from runtime.context import current

# As each calls itself.
LANGUAGES: Final[Mapping[str, str]] = {
    "en": "English",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "id": "Bahasa Indonesia",
    "uk": "Українська",
}
_ASKED = re.compile(r"[?&]lang=([a-z]{2})(?:&|$)")
_YEAR_SECONDS = 31_536_000


def choose(call: Call) -> str:
    """Return the language of a request, empty if nothing is known of it."""
    for chosen in (_asked(call), call.cookie(LANGUAGE)):
        if chosen in LANGUAGES:
            return chosen
    accept_language = ",".join(call.headers.getall("Accept-Language", ()))
    return _negotiate(accept_language) if accept_language else ""


def language() -> str:
    """Return the language of the request at hand."""
    return current().language or SOURCE_LANGUAGE


def cookies(call: Call) -> tuple[str, ...]:
    """Return the Set-Cookie value that keeps a choice made by a link, if one was made."""
    asked = _asked(call)
    if asked not in LANGUAGES or asked == call.cookie(LANGUAGE):
        return ()
    return (secure(LANGUAGE, asked, f"Max-Age={_YEAR_SECONDS}"),)


def mark(message: str) -> str:
    """Mark a message in Python for the catalogues; the template that shows it translates it. Import it as `_`."""
    return message


def gettext(message: str) -> str:
    """Translate into the language of the request at hand."""
    return _catalogues()[language()].gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """Translate by number into the language of the request at hand."""
    return _catalogues()[language()].ngettext(singular, plural, number)


def _asked(call: Call) -> str:
    found = _ASKED.search(call.target) if "lang=" in call.target else None
    return found[1] if found else ""


@cache
def _catalogues() -> Mapping[str, NullTranslations]:
    return load(files("gateway") / "locales", LANGUAGES)


@lru_cache(maxsize=1024)
def _negotiate(accept_language: str) -> str:
    return negotiate(accept_language, LANGUAGES)
