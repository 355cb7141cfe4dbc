"""How a template becomes what people read: its blocks, in a language, as a channel wants them. Called by `templates`.

One file per template, `mails/<name>.jinja`, in English with gettext; the other languages are in `locales/`. A mail's
text and its HTML are the same blocks in two layouts (`layout.txt`, `layout.html`), which bring the marks used in them
(`marks.txt`, `marks.html`). Nothing here checks values: `fields` has done so.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from importlib.resources.abc import Traversable
from typing import Any, Final

import css_inline
import jinja2
from babel import Locale
from babel.dates import format_date, format_time
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notify_service.model import Channel
from runtime.catalogues import SOURCE_LANGUAGE, load, nearest

LANGUAGES: Final = ("en", "de", "es", "fr", "id", "uk")
_MARKS: Final = ("paragraph", "aside", "code_box", "fact", "button", "strong")
_EMPTY_LINES = re.compile(r"\n{3,}")
# English dates as the words around them are spelt.
_DATE_LOCALES: Final[Mapping[str, str]] = {"en": "en_GB"}


class Letters:
    """All templates in all languages, compiled when first used.

    Args:
        mails: Folder of the templates.
        locales: Folder of the catalogues.
    """

    def __init__(self, mails: Traversable, locales: Traversable) -> None:
        self._loader = jinja2.FunctionLoader(lambda name: _source(mails, name))
        self._translations = load(locales, LANGUAGES)
        self._environments: dict[tuple[str, str], jinja2.Environment] = {}
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False)

    def language(self, wish: str) -> str:
        """Return the nearest language there is; English for none."""
        return nearest(wish, LANGUAGES) or SOURCE_LANGUAGE

    def write(
        self, template: str, channel: Channel, language: str, values: Mapping[str, object]
    ) -> tuple[str, str, str]:
        """Write a message.

        Args:
            template: Name of a template with words for the channel.
            channel: How it travels.
            language: One of LANGUAGES.
            values: Everything the template and the layouts say.

        Returns:
            Subject, text and HTML; empty where the channel has none.
        """
        name, plain = f"{template}.jinja", self._environment(language, "txt")
        match channel:
            case Channel.MAIL:
                text = plain.get_template(name).render(values)
                html = self._environment(language, "html").get_template(name).render(values)
                return _line(_block(plain, name, "subject", values)), _paragraphs(text), self._inliner.inline(html)
            case Channel.SMS:
                return "", _line(_block(plain, name, "sms", values)), ""
            case Channel.PUSH:
                title, body = (_line(_block(plain, name, block, values)) for block in ("push_title", "push_body"))
                return title, body, ""

    def _environment(self, language: str, layout: str) -> jinja2.Environment:
        known = self._environments.get((language, layout))
        if known is not None:
            return known
        made = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=layout == "html",
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        made.policies["ext.i18n.trimmed"] = True
        translations = self._translations[language]
        made.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined] # of the extension
        locale = Locale.parse(_DATE_LOCALES.get(language, language))
        made.filters["moment"] = lambda at: _moment(at, locale)
        made.globals |= {"language": language, "layout": f"layout.{layout}"}
        marks = made.get_template(f"marks.{layout}").module
        made.globals |= {mark: getattr(marks, mark) for mark in _MARKS}
        self._environments[language, layout] = made
        return made


def _source(mails: Traversable, name: str) -> str | None:
    file = mails / name
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _block(environment: jinja2.Environment, name: str, block: str, values: Mapping[str, Any]) -> str:
    template = environment.get_template(name)
    return "".join(template.blocks[block](template.new_context(dict(values))))


def _paragraphs(text: str) -> str:
    """Leave one empty line where the layout's and the marks' line ends add up to more."""
    return _EMPTY_LINES.sub("\n\n", text).strip() + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _moment(at: datetime, locale: Locale) -> str:
    """Write a moment in UTC the way the language's letters do: `22 November 2026, 06:05 UTC`."""
    written = f"{format_date(at, 'long', locale)}, {format_time(at, 'short', locale=locale)} UTC"
    return _line(written)  # without the narrow spaces that not every font has
