"""Every catalogue of every package says everything its templates say, whole and with the same placeholders."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from runtime.extraction import catalogues, extract, update

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = sorted(folder.parent for folder in ROOT.glob("*/src/*/locales"))
LANGUAGES = ["de", "es", "fr", "id", "uk"]
EVERY = [(package, language) for package in PACKAGES for language in LANGUAGES]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
PLURALS = {"de": 2, "es": 2, "fr": 2, "id": 1, "uk": 3}
TRANSLATED = pytest.mark.parametrize(("package", "language"), EVERY, ids=[f"{p.name}-{code}" for p, code in EVERY])


def catalogue(package: Path, language: str) -> Catalog:
    with catalogues(package)[language].open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def forms(message: Message) -> tuple[list[str], list[str]]:
    """Return what is said in English and in the translation, each in all its plural forms."""
    said = [message.id] if isinstance(message.id, str) else list(message.id)
    translated = [message.string] if isinstance(message.string, str) else list(message.string or ())
    return said, translated


def translated(package: Path, language: str) -> Iterator[Message]:
    return (message for message in catalogue(package, language) if message.id)


def test_two_packages_write_to_people() -> None:
    assert {package.name for package in PACKAGES} >= {"notify_service"}


@pytest.mark.parametrize("package", PACKAGES, ids=[package.name for package in PACKAGES])
def test_a_package_has_every_language(package: Path) -> None:
    assert sorted(catalogues(package)) == LANGUAGES


@TRANSLATED
def test_a_catalogue_has_every_message_and_no_other(package: Path, language: str) -> None:
    said = {(message.id, message.context) for message in extract(package) if message.id}
    known = {(message.id, message.context) for message in translated(package, language)}

    assert (sorted(map(str, said - known)), sorted(map(str, known - said))) == ([], [])  # `make messages`


@TRANSLATED
def test_every_message_is_translated_in_every_form_and_not_guessed(package: Path, language: str) -> None:
    for message in translated(package, language):
        said, words = forms(message)
        assert not message.fuzzy, message.id
        assert all(word.strip() for word in words), message.id
        assert len(words) == (PLURALS[language] if len(said) > 1 else 1), message.id


@TRANSLATED
def test_placeholders_and_markup_are_those_of_the_english_words(package: Path, language: str) -> None:
    for message in translated(package, language):
        said, words = forms(message)
        for pattern in (PLACEHOLDER, re.compile(r"</?\w+"), re.compile(r"%(?!\(\w+\)s)")):
            wanted = sorted(pattern.findall(said[-1]))
            assert [sorted(pattern.findall(word)) for word in words] == [wanted] * len(words), message.id


@TRANSLATED
def test_the_plural_rule_is_the_languages(package: Path, language: str) -> None:
    assert catalogue(package, language).num_plurals == PLURALS[language]


def test_a_new_message_comes_untranslated_and_an_old_one_goes(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{% trans %}New {{ word }}{% endtrans %}{{ _('Kept') }}")
    file = tmp_path / "locales" / "de" / "LC_MESSAGES" / "messages.po"
    file.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    file.write_text(head + 'msgid "Kept"\nmsgstr "Behalten"\n\nmsgid "Gone"\nmsgstr "Weg"\n')

    update(tmp_path)
    once = file.read_text()
    update(tmp_path)

    assert {message.id: message.string for message in translated(tmp_path, "de")} == {
        "Kept": "Behalten",
        "New %(word)s": "",
    }
    assert file.read_text() == once
