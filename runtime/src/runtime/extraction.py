"""Keeps gettext catalogues in step with what is said: `python -m runtime.extraction PACKAGE_FOLDER…` (`make messages`).

For those who write words, and for the tests; no service imports it. New messages come into every
`locales/<language>/LC_MESSAGES/messages.po` without translation, those no longer said go.
"""

import sys
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from runtime.catalogues import CATALOGUE

_METHODS: Final = [("**.py", "python"), ("**.jinja", "jinja2"), ("**.html", "jinja2"), ("**.txt", "jinja2")]
# As the environments of the services have it: blocks over several lines are one line for translators.
_JINJA: Final = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
_WIDTH = 120
# Rules of CLDR that Babel does not have: Indonesian knows no plural.
_PLURALS: Final = {"id": "nplurals=1; plural=0;"}
_HEADER = r"""msgid ""
msgstr ""
"Language: {language}\n"
"Plural-Forms: {plurals}\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""


def extract(package: Path) -> Catalog:
    """Return every message said in a package's Python files (`_("…")`, `ngettext(…)`) and Jinja2 templates."""
    options = {pattern: dict(_JINJA) for pattern, method in _METHODS if method == "jinja2"}
    said = Catalog(charset="utf-8")
    for name, _line, message, comments, context in extract_from_dir(package, _METHODS, options):
        said.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return said


def catalogues(package: Path) -> dict[str, Path]:
    """Return a package's catalogue files by language."""
    files = sorted((package / "locales").glob(f"*/{CATALOGUE}"))
    return {file.parent.parent.name: file for file in files}


def update(package: Path) -> None:
    """Bring a package's catalogues in step with what it says."""
    said = extract(package)
    for language, file in catalogues(package).items():
        with file.open("rb") as before:
            catalogue = read_po(before, locale=language.replace("-", "_"))
        if language in _PLURALS:
            catalogue.mime_headers = [("Plural-Forms", _PLURALS[language])]
        catalogue.update(said, no_fuzzy_matching=True, update_creation_date=False)
        write(file, catalogue)


def write(file: Path, catalogue: Catalog) -> None:
    """Write a catalogue so that only changed messages show as changed: no dates, no names, no line numbers."""
    with file.open("wb") as after:
        after.write(_HEADER.format(language=catalogue.locale_identifier, plurals=catalogue.plural_forms).encode())
        write_po(
            after,
            catalogue,
            width=_WIDTH,
            omit_header=True,
            ignore_obsolete=True,
            include_lineno=False,
            sort_by_file=True,
        )


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        update(Path(folder))
