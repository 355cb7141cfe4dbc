"""What each field of a profile may hold."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import GatepostError, Reason, Rule
from user_service.rules import check_mask, clean, place_name


def refused_fields(**said: str | float | None) -> list[str]:
    with pytest.raises(GatepostError) as caught:
        clean(said)
    assert caught.value.reason is Reason.INVALID_PARAMETER
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("field", "limit"),
    [("first_name", 100), ("last_name", 100), ("phone", 40), ("relationship", 40), ("biography", 2000)],
)
def test_text_is_taken_up_to_its_limit_and_no_further(field: str, limit: int) -> None:
    assert clean({field: "é" * limit}) == {field: "é" * limit}
    assert refused_fields(**{field: "é" * (limit + 1)}) == [field]


def test_text_is_normalised_before_it_is_counted() -> None:
    assert clean({"first_name": "e\u0301" * 100}) == {"first_name": "é" * 100}


def test_a_huge_run_of_combining_marks_is_refused_without_being_normalised() -> None:
    assert refused_fields(first_name="\u0301\u0327" * 1_000_000) == ["first_name"]


@pytest.mark.parametrize("bad", ["\x00", "\n", "\t", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_a_single_line_field_refuses_what_is_no_text(bad: str) -> None:
    assert refused_fields(first_name=f"A{bad}B") == ["first_name"]


@pytest.mark.parametrize("bad", ["\x00", "\r", "\x1b", "\ud800"])
def test_a_biography_refuses_controls_other_than_lines_and_tabs(bad: str) -> None:
    assert refused_fields(biography=f"A{bad}B") == ["biography"]


def test_a_biography_keeps_lines_and_tabs_and_ends_lines_with_lf() -> None:
    assert clean({"biography": "one\r\ntwo\n\tthree"}) == {"biography": "one\ntwo\n\tthree"}


def test_emoji_sequences_and_right_to_left_names_are_text() -> None:
    said = {"first_name": "👩\u200d🔬", "last_name": "שרה"}
    assert clean(said) == said


@pytest.mark.parametrize("gender", ["", "male", "female", "other"])
def test_a_gender_of_the_list_is_taken(gender: str) -> None:
    assert clean({"gender": gender}) == {"gender": gender}


def test_a_gender_outside_the_list_is_refused() -> None:
    assert refused_fields(gender="Male") == ["gender"]


@pytest.mark.parametrize(
    ("typed", "expected"), [("", None), ("2000-02-29", date(2000, 2, 29)), ("0001-01-01", date(1, 1, 1))]
)
def test_a_calendar_date_is_taken(typed: str, expected: date | None) -> None:
    assert clean({"birth_date": typed}) == {"birth_date": expected}


@pytest.mark.parametrize("typed", ["2001-02-29", "20000229", "2000-W01-1", "29/02/2000", "2000-2-9", "٢٠٠٠-٠٢-٢٩", " "])
def test_what_is_no_calendar_date_is_refused(typed: str) -> None:
    assert refused_fields(birth_date=typed) == ["birth_date"]


@pytest.mark.parametrize(
    "url", ["", "https://example.org", "HTTP://Example.org:8080/a?b=c#d", "https://müller.example/ä", "http://[::1]/"]
)
def test_a_web_url_is_taken(url: str) -> None:
    assert clean({"website": url}) == {"website": url}


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "//example.org",
        "javascript:alert(1)",
        "ftp://example.org",
        "https://",
        "https:///path",
        "https://bank.example@evil.example/",
        "https://bank.example\\@evil.example/",
        " https://example.org",
        "https://example.org/a b",
        'https://example.org/"onmouseover="x',
        "https://example.org:99999/",
        "http://[::1/",
        "https://example.org/" + "a" * 481,
    ],
)
def test_what_is_no_web_url_is_refused(url: str) -> None:
    assert refused_fields(website=url) == ["website"]


@pytest.mark.parametrize(
    "tag", ["", "de", "pt-BR", "zh-Hant-TW", "sl-rozaj-biske", "es-419", "de-1996", "en-u-ca-gregory-x-mine", "x-own"]
)
def test_a_language_tag_is_taken(tag: str) -> None:
    assert clean({"language": tag}) == {"language": tag}


@pytest.mark.parametrize(
    "tag", ["e", "en_US", "en-", "-en", "en--US", "englishenglish", "de-\n", "dé", "en-u", "en-US-x"]
)
def test_what_is_no_language_tag_is_refused(tag: str) -> None:
    assert refused_fields(language=tag) == ["language"]


def test_an_endless_language_tag_is_refused() -> None:
    assert refused_fields(language="en-" + "-".join(["abcde"] * 10_000)) == ["language"]


def test_meta_is_kept_to_the_byte() -> None:
    meta = '{"name":"e\u0301",\r\n\t"list":[]}'
    assert clean({"meta": meta}) == {"meta": meta}


def test_meta_may_be_absent_or_empty_and_these_differ() -> None:
    assert clean({"meta": None}) == {"meta": None}
    assert clean({"meta": ""}) == {"meta": ""}


def test_meta_is_measured_in_bytes() -> None:
    assert clean({"meta": "é" * 8192}) == {"meta": "é" * 8192}
    assert refused_fields(meta="é" * 8193) == ["meta"]


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\udfff"])
def test_meta_refuses_controls_and_surrogates(bad: str) -> None:
    assert refused_fields(meta=f"A{bad}B") == ["meta"]


def test_every_field_at_fault_is_reported() -> None:
    assert refused_fields(first_name="\x00", last_name="fine", gender="?", website="x") == [
        "first_name",
        "gender",
        "website",
    ]


@given(st.sampled_from(["first_name", "biography", "website", "language", "birth_date", "meta"]), st.text())
def test_a_refusal_never_repeats_the_value(field: str, value: str) -> None:
    marked = f"canary{value}\x00"
    with pytest.raises(GatepostError) as caught:
        clean({field: marked})
    assert "canary" not in caught.value.message + caught.value.violations[0].description


@given(st.dictionaries(st.sampled_from(["first_name", "phone", "biography", "meta", "website", "language"]), st.text()))
def test_what_was_cleaned_once_is_clean(said: dict[str, str | None]) -> None:
    try:
        cleaned: dict[str, Any] = clean(said)
    except GatepostError:
        return
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "name", ["nickname", "phone_e164", "number", "etag", "user_id", "update_time", "meta.a", "*", ""]
)
def test_a_mask_may_not_name_what_cannot_be_changed(name: str) -> None:
    with pytest.raises(GatepostError) as caught:
        check_mask(["first_name", name])
    assert caught.value.reason is Reason.INVALID_PARAMETER
    assert [(v.field, v.rule) for v in caught.value.violations] == [("update_mask", Rule.UNKNOWN)]


@pytest.mark.parametrize(("field", "limit"), [("latitude", 90.0), ("longitude", 180.0)])
def test_degrees_are_taken_up_to_the_ends_of_the_earth(field: str, limit: float) -> None:
    for value in (limit, -limit, 0.0, -7.25, None):
        assert clean({field: value}) == {field: value}
    for value in (limit + 0.001, -limit - 0.001, float("nan"), float("inf"), float("-inf")):
        assert refused_fields(**{field: value}) == [field]


def test_a_location_is_an_id_or_none() -> None:
    assert clean({"location_id": 0}) == {"location_id": 0}
    assert clean({"location_id": 2**63 - 1}) == {"location_id": 2**63 - 1}
    assert refused_fields(location_id=-1) == refused_fields(location_id=2**63) == ["location_id"]


def test_an_address_is_a_line_of_text() -> None:
    assert clean({"address": "é" * 200}) == {"address": "é" * 200}
    assert refused_fields(address="é" * 201) == refused_fields(address="a\nb") == ["address"]


@pytest.mark.parametrize("name", ["picture", "cover"])
def test_pictures_are_not_set_by_a_mask(name: str) -> None:
    with pytest.raises(GatepostError):
        check_mask([name])


@pytest.mark.parametrize(("given", "expected"), [("Jawa Timur", "Jawa Timur"), (" Bali ", "Bali"), ("e\u0301", "é")])
def test_the_name_of_a_place_has_no_space_around_it(given: str, expected: str) -> None:
    assert place_name("name", given) == expected


@pytest.mark.parametrize("bad", ["", " ", "a\nb", "\x00", "x" * 101])
def test_a_place_needs_a_name(bad: str) -> None:
    with pytest.raises(GatepostError) as caught:
        place_name("name", bad)
    assert caught.value.violations[0].field == "name"
