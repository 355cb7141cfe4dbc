"""Templates: what they say in every language, what they refuse, and what can never get out of them."""

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import meta

from notify_service import colours, fields
from notify_service.letters import LANGUAGES
from notify_service.model import Channel, Content
from notify_service.templates import TEMPLATES, Template, Templates
from runtime.errors import GatepostError, Reason, Rule

PUBLIC_URL = "https://id.example.com/gate"
LINK = f"{PUBLIC_URL}/undo?token=0123456789abcdef&page=1"
VALUES: dict[str, Any] = {
    "code": "482915",
    "minutes": 10.0,
    "project": "Harbour",
    "time": "2026-11-22T07:05:11+01:00",
    "role": "editor",
    "link": LINK,
    "device": "Firefox on Linux",
    "email": "ada@example.com",
}
FOLDER = Path(fields.__file__).parent / "mails"
EVERY_WAY = [(template, channel) for template, declared in TEMPLATES.items() for channel in sorted(declared.channels)]
MAILS = [template for template, channel in EVERY_WAY if channel is Channel.MAIL]
BLOCKS = {Channel.MAIL: {"subject"}, Channel.SMS: {"sms"}, Channel.PUSH: {"push_title", "push_body"}}
TEMPLATES_OF_ALL = Templates(PUBLIC_URL)


def values_for(template: str) -> dict[str, Any]:
    return {name: VALUES[name] for name in TEMPLATES[template].values}


def render(
    template: str,
    language: str = "",
    channel: Channel = Channel.MAIL,
    *,
    brand: str = "",
    accent_color: str = "",
    **changed: Any,
) -> Content:
    data = values_for(template) | changed
    return TEMPLATES_OF_ALL.render(template, channel, language, data, brand=brand, accent_color=accent_color)


def refusal(
    template: str, data: dict[str, Any], language: str = "", channel: Channel = Channel.MAIL, **branding: Any
) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        TEMPLATES_OF_ALL.render(template, channel, language, data, **branding)
    assert caught.value.reason is Reason.INVALID_PARAMETER
    return caught.value


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", MAILS)
def test_every_mail_says_the_same_in_text_and_html_in_every_language(template: str, language: str) -> None:
    content = render(template, language)

    assert content.language == language
    assert f'<html lang="{language}"' in content.html
    for name in TEMPLATES[template].values.keys() - {"time"}:
        value = "10" if name == "minutes" else VALUES[name]
        assert value in content.text
        assert value.replace("&", "&amp;") in content.html
    if "time" in TEMPLATES[template].values:
        assert "2026" in content.text
        assert "2026" in content.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("template", "channel"), EVERY_WAY)
def test_nothing_is_left_unfilled_or_untranslated(template: str, channel: Channel, language: str) -> None:
    content = render(template, language, channel)
    said = f"{content.subject}\n{content.text}\n{content.html}"

    assert not re.search(r"%\(|\{\{|\{%|None|Undefined|\n{3}", content.subject + content.text)
    assert bool(content.subject) is (channel is not Channel.SMS)
    assert bool(content.html) is (channel is Channel.MAIL)
    assert "\n" not in content.subject
    assert "Harbour" in said
    if language != "en":
        assert content.text != render(template, "en", channel).text


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_has_the_words_for_its_channels_and_uses_exactly_what_it_declares(template: str) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, extensions=["jinja2.ext.i18n"]
    )
    environment.filters["moment"] = str
    source = (FOLDER / f"{template}.jinja").read_text()
    sources = [source]
    if '"code_letter.jinja"' in source:
        sources.append((FOLDER / "code_letter.jinja").read_text())
    used = set().union(*(meta.find_undeclared_variables(environment.parse(one)) for one in sources))
    marks = {"layout", "paragraph", "aside", "code_box", "fact", "button", "strong", "gettext", "ngettext", "_"}

    assert used - marks == set(TEMPLATES[template].values)
    blocks = set(environment.from_string(source).blocks)
    assert {channel for channel, needed in BLOCKS.items() if needed <= blocks} == TEMPLATES[template].channels


def test_every_file_of_words_is_of_a_declared_template() -> None:
    assert {file.stem for file in FOLDER.glob("*.jinja")} == {*TEMPLATES, "code_letter"}


@pytest.mark.parametrize("template", MAILS)
def test_no_mail_loads_anything_from_elsewhere_and_links_lead_home(template: str) -> None:
    html = render(template).html
    declared = "link" in TEMPLATES[template].values

    assert not re.search(r"(?i)\b(src|background|action)\s*=|url\(|@import|<script|<img|<form", html)
    assert set(re.findall(r'href="([^"]*)"', html)) == ({LINK.replace("&", "&amp;")} if declared else set())


@pytest.mark.parametrize(("template", "channel"), EVERY_WAY)
def test_codes_and_links_are_picked_out_and_never_in_the_subject(template: str, channel: Channel) -> None:
    content = render(template, channel=channel)
    declared = TEMPLATES[template].values

    assert content.code == ("482915" if "code" in declared else "")
    assert content.link == (LINK if "link" in declared else "")
    assert "482915" not in content.subject
    assert "token" not in content.subject


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", MAILS)
def test_names_cannot_bring_markup(template: str, language: str) -> None:
    evil = "<a href=//evil.test>x</a>&\"'"
    changed = {name: evil for name in ("project", "role") if name in TEMPLATES[template].values}

    content = TEMPLATES_OF_ALL.render(template, Channel.MAIL, language, values_for(template) | changed, brand=evil)

    assert "<a href=//" not in content.html
    assert "&lt;a href=//evil.test&gt;x&lt;/a&gt;&amp;" in content.html
    assert evil in content.text


@pytest.mark.parametrize("evil", ["%(code)s %s %", "{{ code }}{% raw %}", "</style><script>"])
def test_names_are_no_templates(evil: str) -> None:
    content = render("reset_code", project=evil)

    assert evil in content.text
    assert "<script" not in content.html


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.PUSH])
def test_what_a_device_calls_itself_brings_neither_markup_nor_links(channel: Channel) -> None:
    content = render(
        "new_sign_in", channel=channel, device="<b>x</b>\r\nBcc: a@b\0 https://evil.test/ www.evil.test 5.0"
    )

    assert "b x b Bcc a b https evil test www evil test 5.0" in content.text
    assert not re.search(r"evil\.|<b>|Bcc:|://evil", content.text + content.html)


def test_a_device_without_name_is_passed_over() -> None:
    assert "Device" not in render("new_sign_in", device="\x00<>").text
    assert (
        render("new_sign_in", channel=Channel.PUSH, device="").text == "If this was not you, change your password now."
    )


def test_styles_are_inlined_and_dark_mode_is_kept() -> None:
    html = render("sign_in_code").html

    assert re.search(r'<p class="code" style="[^"]*monospace[^"]*">482915</p>', html)
    assert "prefers-color-scheme: dark" in html
    assert "letter-spacing" not in html[: html.index("</head>")]


def test_the_brand_stands_at_the_top_and_signs() -> None:
    content = render("sign_in_code", brand="The Harbour")

    assert content.text.startswith("The Harbour\n\n")
    assert "The Harbour sent you this mail automatically." in content.text
    assert re.search(r'<p class="sender"[^>]*>The Harbour</p>', content.html)


@pytest.mark.parametrize(("accent", "text"), [("#FFE04D", "#000000"), ("#102030", "#ffffff"), ("", "#ffffff")])
def test_a_button_has_the_accent_colour_and_text_that_can_be_read_on_it(accent: str, text: str) -> None:
    html = render("confirm_email", accent_color=accent).html
    button = re.search(r'<a class="button"[^>]* style="([^"]*)"', html)
    assert button is not None
    shown = accent.lower() or colours.HOUSE

    assert f"background-color: {shown};" in button[1]
    assert f";color: {text};" in button[1]
    assert f"border-top: 4px solid {shown}" in html


@pytest.mark.parametrize(
    "accent", ["red", "#fff", "#12345", "#1234567", "#12345g", "#123456;x:url(//evil.test)", "#123456\n"]
)
def test_an_accent_that_is_no_colour_is_refused(accent: str) -> None:
    error = refusal("account_kept", values_for("account_kept"), accent_color=accent)

    assert [violation.field for violation in error.violations] == ["accent_color"]


def test_a_brand_with_a_line_break_is_refused() -> None:
    error = refusal("account_kept", values_for("account_kept"), brand="Har\nbour")

    assert [violation.field for violation in error.violations] == ["brand"]


@pytest.mark.parametrize(
    ("language", "minutes", "said"),
    [
        ("en", 1, "next 1 minute."),
        ("en", 2, "next 2 minutes."),
        ("de", 1, "nächsten 1 Minute."),
        ("fr", 1, "pendant 1 minute."),
        ("id", 2, "dalam 2 menit"),
        ("uk", 1, "наступної 1 хвилини."),
        ("uk", 10, "наступних 10 хвилин."),
        ("uk", 21, "наступної 21 хвилини."),
    ],
)
def test_minutes_are_counted_as_the_language_does(language: str, minutes: int, said: str) -> None:
    assert said in render("reset_code", language, minutes=minutes).text


@pytest.mark.parametrize(
    ("minutes", "said"), [(1, "1 хвилину"), (3, "3 хвилини"), (5, "5 хвилин"), (11, "11 хвилин"), (22, "22 хвилини")]
)
def test_ukrainian_has_three_plurals(minutes: int, said: str) -> None:
    assert f"{said}." in render("phone_change_code", "uk", Channel.SMS, minutes=minutes).text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "22 November 2026, 06:05 UTC"),
        ("de", "22. November 2026, 06:05 UTC"),
        ("es", "22 de noviembre de 2026, 6:05 UTC"),
        ("fr", "22 novembre 2026, 06:05 UTC"),
        ("id", "22 November 2026, 06.05 UTC"),
        ("uk", "22 листопада 2026 р., 06:05 UTC"),  # noqa: RUF001 Ukrainian
    ],
)
def test_a_time_is_told_in_utc_as_the_language_writes_it(language: str, said: str) -> None:
    assert said in render("password_changed", language).text


@pytest.mark.parametrize(
    ("wish", "written_in"),
    [
        ("", "en"),
        ("EN-gb", "en"),
        ("pt-BR", "en"),
        ("zh-Hant-TW", "en"),
        ("DE-at", "de"),
        ("uk", "uk"),
        ("es-419", "es"),
    ],
)
def test_a_language_stands_for_its_regions_and_english_for_all_others(wish: str, written_in: str) -> None:
    assert render("role_changed", wish).language == written_in


@pytest.mark.parametrize("language", ["../en", "e", "en_GB", "en/..", "x" * 9])
def test_what_is_no_language_tag_is_refused(language: str) -> None:
    assert refusal("role_changed", values_for("role_changed"), language).violations[0].field == "language"


@pytest.mark.parametrize("template", ["../layout", "layout", "code_letter", "marks", ""])
def test_an_unknown_template_is_refused(template: str) -> None:
    assert refusal(template, {}).violations[0].field == "template"


@pytest.mark.parametrize(
    ("template", "channel"),
    [(name, channel) for name in TEMPLATES for channel in Channel if channel not in TEMPLATES[name].channels],
)
def test_a_channel_without_words_is_refused(template: str, channel: Channel) -> None:
    assert refusal(template, values_for(template), channel=channel).violations[0].field == "channel"


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


def test_an_address_may_be_told_in_part() -> None:
    assert "a•••@example.com" in render("email_changed", email="a•••@example.com").text


@pytest.mark.parametrize("link", [f"{PUBLIC_URL}/join?token=abc", PUBLIC_URL])
def test_a_link_below_the_public_url_is_picked_out(link: str) -> None:
    assert render("confirm_email", link=link).link == link


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
def test_a_link_elsewhere_is_refused(link: str) -> None:
    assert refusal("confirm_email", {"project": "Harbour", "link": link}).violations[0].field == "data.link"


def test_templates_may_be_declared_elsewhere(tmp_path: Path) -> None:
    package = Path(fields.__file__).parent
    (tmp_path / "mails").mkdir()
    (tmp_path / "locales").symlink_to(package / "locales")
    for name in ("layout.txt", "layout.html", "marks.txt", "marks.html"):
        (tmp_path / "mails" / name).symlink_to(FOLDER / name)
    (tmp_path / "mails" / "greeting.jinja").write_text("{% block sms %}Hello, {{ project }}{% endblock %}")
    declared = {"greeting": Template({"project": fields.text}, frozenset({Channel.SMS}))}

    content = Templates(PUBLIC_URL, declared, tmp_path).render("greeting", Channel.SMS, "", {"project": "Harbour"})

    assert content.text == "Hello, Harbour"
