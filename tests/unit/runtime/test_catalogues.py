"""Languages: what a browser asks for and what it gets; catalogues as they are read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalogues import CATALOGUE, load, nearest, negotiate

LANGUAGES = ("en", "de", "es", "fr", "id", "uk")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        ("en;q=0.2, fr;q=0.8", "fr"),
        ("pt-BR, es;q=0.5", "es"),
        ("pt-BR", "en"),
        ("*", "en"),
        ("ja, *;q=0.5", "en"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("de;q=0", "en"),
        ("de-AT, de;q=0, fr;q=0.1", "fr"),
        ("fr;q=1.5, de;q=0.3", "de"),
        ("fr;q=x, de;q=0.3", "de"),
        (" id ; Q=0.7 ,, ;q=1", "id"),
        ("fr;q=0.5, de;q=0.5", "fr"),
    ],
)
def test_a_browser_gets_the_language_it_likes_best(header: str, language: str) -> None:
    assert negotiate(header, LANGUAGES) == language


@given(st.text())
def test_no_header_breaks_the_choice(header: str) -> None:
    assert negotiate(header, LANGUAGES) in LANGUAGES


def test_the_default_may_be_another() -> None:
    assert negotiate("ja", LANGUAGES, default="fr") == "fr"


@pytest.mark.parametrize(
    ("tag", "language"), [("pt-BR", "pt"), ("pt-pt", "pt-PT"), ("pt-PT-x", "pt-PT"), ("p", None), ("", None)]
)
def test_the_nearest_language_is_itself_or_a_parent(tag: str, language: str | None) -> None:
    assert nearest(tag, ("en", "pt", "pt-PT")) == language


def written(folder: Path, text: str) -> Path:
    file = folder / "uk" / CATALOGUE
    file.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    plurals = '"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2);\\n"\n\n'
    file.write_text(head + plurals + text)
    return folder


def test_a_catalogue_translates_and_counts(tmp_path: Path) -> None:
    text = (
        'msgid "Hello"\nmsgstr "Привіт"\n\n'
        'msgid "%(n)s day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "день"\nmsgstr[1] "дні"\nmsgstr[2] "днів"\n'
    )
    ukrainian = load(written(tmp_path, text), ("en", "uk"))["uk"]

    assert ukrainian.gettext("Hello") == "Привіт"
    assert [ukrainian.ngettext("%(n)s day", "%(n)s days", n) for n in (1, 3, 5)] == ["день", "дні", "днів"]


def test_what_is_not_translated_or_only_guessed_stays_english(tmp_path: Path) -> None:
    text = 'msgid "Hello"\nmsgstr ""\n\n#, fuzzy\nmsgid "Bye"\nmsgstr "Привіт"\n'
    languages = load(written(tmp_path, text), ("en", "uk"))

    assert [languages["uk"].gettext(word) for word in ("Hello", "Bye", "Else")] == ["Hello", "Bye", "Else"]
    assert languages["en"].gettext("Hello") == "Hello"


def test_a_language_without_catalogue_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path, ("en", "xx"))
