"""Templates: what they say, what they refuse, and what can never get out of them."""

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import meta

from notify_service import fields
from notify_service.model import Content
from notify_service.templates import FOLDER, PARTS, TEMPLATES, Templates
from runtime.errors import GatepostError, Reason, Rule

PUBLIC_URL = "https://id.example.com/gate"
VALUES: dict[str, Any] = {
    "code": "482915",
    "minutes": 10.0,
    "project": "Harbour",
    "time": "2026-11-22T07:05:11+01:00",
    "role": "editor",
}


def values_for(template: str) -> dict[str, Any]:
    return {name: VALUES[name] for name in TEMPLATES[template]}


def render(template: str, language: str = "", **changed: Any) -> Content:
    return Templates(PUBLIC_URL).render(template, language, values_for(template) | changed)


def refusal(template: str, data: dict[str, Any], language: str = "") -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        Templates(PUBLIC_URL).render(template, language, data)
    assert caught.value.reason is Reason.INVALID_PARAMETER
    return caught.value


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_says_the_same_in_text_and_html(template: str) -> None:
    content = render(template)

    for name in TEMPLATES[template].keys() - {"time"}:
        value = "10" if name == "minutes" else VALUES[name]
        assert value in content.text
        assert value in content.html


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_uses_exactly_the_values_it_declares(template: str) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True)
    environment.filters["moment"] = str
    used: set[str] = set()
    names = [f"en/{template}/{part}" for part in PARTS] + ["en/letter.html", "en/letter.txt"]
    for name in names:
        used |= meta.find_undeclared_variables(environment.parse((FOLDER / name).read_text()))

    assert used == set(TEMPLATES[template])


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_template_loads_anything_from_elsewhere(template: str) -> None:
    html = render(template).html

    assert not re.search(r"(?i)\b(src|href|background)\s*=|url\(|@import|https?://", html)


@pytest.mark.parametrize("template", [name for name in TEMPLATES if "code" in TEMPLATES[name]])
def test_a_code_is_picked_out_and_never_in_the_subject(template: str) -> None:
    content = render(template)

    assert (content.code, content.link) == ("482915", "")
    assert "482915" not in content.subject


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_project_name_cannot_bring_markup(template: str) -> None:
    content = render(template, project="<a href=//evil.test>x</a>&\"'")

    assert "<a" not in content.html
    assert "&lt;a href=//evil.test&gt;x&lt;/a&gt;&amp;" in content.html


def test_styles_are_inlined_and_dark_mode_is_kept() -> None:
    html = render("sign_in_code").html

    assert re.search(r'<p class="code" style="[^"]*monospace[^"]*">482915</p>', html)
    assert "prefers-color-scheme: dark" in html
    assert "letter-spacing" not in html[: html.index("</head>")]


def test_one_minute_is_singular() -> None:
    assert "next 1 minute." in render("reset_code", minutes=1).text


def test_a_time_is_told_in_utc() -> None:
    assert "22 November 2026, 06:05 UTC" in render("password_changed").text


@pytest.mark.parametrize("language", ["", "en", "EN-gb", "de", "zh-Hant-TW"])
def test_a_language_without_words_is_written_in_english(language: str) -> None:
    assert render("role_changed", language).language == "en"


def test_a_language_with_words_is_used_and_stands_for_its_regions(tmp_path: Path) -> None:
    for name, word in (("en/greeting", "Hello"), ("pt/greeting", "Olá")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for part in PARTS:
            (folder / part).write_text(f"{word} {{{{ project }}}}")
    templates = Templates(PUBLIC_URL, {"greeting": {"project": fields.text}}, tmp_path)

    content = templates.render("greeting", "pt-BR", {"project": "Harbour"})

    assert (content.language, content.subject) == ("pt", "Olá Harbour")


@pytest.mark.parametrize("language", ["../en", "e", "en_GB", "en/..", "x" * 9])
def test_what_is_no_language_tag_is_refused(language: str) -> None:
    assert refusal("role_changed", values_for("role_changed"), language).violations[0].field == "language"


def test_an_unknown_template_is_refused() -> None:
    assert refusal("../layout", {}).violations[0].field == "template"


def test_missing_and_superfluous_values_are_all_named() -> None:
    error = refusal("sign_in_code", {"code": "482915", "colour": "red"})

    assert [(violation.field, violation.rule) for violation in error.violations] == [
        ("data.colour", Rule.UNKNOWN),
        ("data.minutes", Rule.REQUIRED),
        ("data.project", Rule.REQUIRED),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "Harbour\r\nBcc: all@example.com"),
        ("project", "Harbour\n"),
        ("project", "Harbour\0"),
        ("project", "Harbour\u2028"),
        ("project", "\u202eruobraH"),
        ("project", ""),
        ("project", "   "),
        ("project", "x" * 201),
        ("project", 7.0),
        ("code", "12 34"),
        ("code", "<b>1234</b>"),
        ("code", 482915.0),
        ("code", "123456\n"),
        ("minutes", "10"),
        ("minutes", 0.0),
        ("minutes", 1.5),
        ("minutes", True),
        ("minutes", float("nan")),
        ("minutes", float("inf")),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_without_being_repeated(name: str, value: object) -> None:
    error = refusal("sign_in_code", values_for("sign_in_code") | {name: value})

    assert [violation.field for violation in error.violations] == [f"data.{name}"]
    assert "Bcc" not in error.message + error.violations[0].description


@pytest.mark.parametrize("value", ["yesterday", "", "2026-11-22T07:05:11", 1.0])
def test_a_time_without_offset_or_sense_is_refused(value: object) -> None:
    refusal("password_changed", values_for("password_changed") | {"time": value})


def linking(folder: Path, link: str) -> Content:
    target = folder / "en" / "invite"
    target.mkdir(parents=True)
    for part in PARTS:
        (target / part).write_text("{{ link }}" if part != "subject.txt" else "Join")
    return Templates(PUBLIC_URL, {"invite": {"link": fields.link}}, folder).render("invite", "", {"link": link})


@pytest.mark.parametrize("link", [f"{PUBLIC_URL}/join?token=abc", PUBLIC_URL])
def test_a_link_below_the_public_url_is_picked_out(tmp_path: Path, link: str) -> None:
    assert linking(tmp_path, link).link == link


@pytest.mark.parametrize(
    "link",
    [
        "https://id.example.com.evil.test/gate/x",
        "https://id.example.com@evil.test/gate/x",
        "http://id.example.com/gate/x",
        "https://id.example.com:8443/gate/x",
        "https://id.example.com/gatekeeper",
        "https://id.example.com/gate/../admin",
        "//id.example.com/gate/x",
        "javascript:alert(1)",
        "https://id.example.com/gate/x y",
        "https://id.example.com/gate/\nx",
        "https://id.example.com/gate/<x>",
        "https://id.example.com\\@evil.test/gate/x",
        "https://[::1/gate",
        "",
    ],
)
def test_a_link_elsewhere_is_refused(tmp_path: Path, link: str) -> None:
    with pytest.raises(GatepostError) as caught:
        linking(tmp_path, link)
    assert caught.value.violations[0].field == "data.link"
