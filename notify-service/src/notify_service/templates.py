"""The templates: which there are, what each needs, and how one becomes a subject, a text and an HTML page.

The words are in `mails/<language>/<template>/{subject.txt,body.txt,body.html}`; a language without a template falls
back to its parent (`pt-BR` to `pt`) and then to English. Called by the use case that takes messages; knows no store.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import css_inline
import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notify_service import fields
from notify_service.fields import Check
from notify_service.model import Content
from runtime.errors import GatepostError, Reason, Rule, Violation, invalid

FALLBACK_LANGUAGE = "en"
FOLDER = Path(__file__).parent / "mails"
PARTS = ("subject.txt", "body.txt", "body.html")

# A template's folder name and all the values it needs. What people type is called `code`, what they follow `link`.
TEMPLATES: Mapping[str, Mapping[str, Check]] = {
    "sign_in_code": {"code": fields.code, "minutes": fields.minutes, "project": fields.text},
    "two_step_code": {"code": fields.code, "minutes": fields.minutes, "project": fields.text},
    "sign_up_code": {"code": fields.code, "minutes": fields.minutes, "project": fields.text},
    "reset_code": {"code": fields.code, "minutes": fields.minutes, "project": fields.text},
    "already_registered": {"project": fields.text},
    "password_changed": {"project": fields.text, "time": fields.time},
    "role_changed": {"project": fields.text, "role": fields.text},
}
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


class Templates:
    """All templates, compiled when first used.

    Args:
        public_url: Where links may lead.
        declared: Template names and what each needs.
        folder: Where the words are.
    """

    def __init__(
        self, public_url: str, declared: Mapping[str, Mapping[str, Check]] = TEMPLATES, folder: Path = FOLDER
    ) -> None:
        self._public_url = public_url
        self._declared = declared
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=jinja2.select_autoescape(("html",)),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters["moment"] = _moment
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
        # (language in lower case, template) -> language as its folder spells it; a template counts when it is whole.
        self._languages = {
            (language.name.lower(), template): language.name
            for language in folder.iterdir()
            for template in declared
            if all((language / template / part).is_file() for part in PARTS)
        }

    def render(self, template: str, language: str, data: Mapping[str, object]) -> Content:
        """Render a template.

        Args:
            template: Its name.
            language: BCP 47 wish; empty for English.
            data: Exactly the values it declares.

        Raises:
            GatepostError: INVALID_PARAMETER, naming every value at fault.
        """
        declared = self._declared.get(template)
        if declared is None:
            raise invalid("template", "There is no such template.")
        if language and not _LANGUAGE.fullmatch(language):
            raise invalid("language", "The language is no BCP 47 tag.")
        values, violations = fields.check(data, declared)
        link = str(values.get("link", ""))
        if link and not fields.is_below(self._public_url, link):
            violations.append(Violation("data.link", Rule.INVALID, "link must lead to the public URL."))
        if violations:
            raise GatepostError(
                Reason.INVALID_PARAMETER, "The template's values are not right.", violations=tuple(violations)
            )
        written_in = self._written_in(template, language)
        subject, text, html = (
            self._environment.get_template(f"{written_in}/{template}/{part}").render(values) for part in PARTS
        )
        return Content(
            language=written_in,
            subject=" ".join(subject.split()),
            text=text.strip() + "\n",
            html=self._inliner.inline(html),
            code=str(values.get("code", "")),
            link=link,
        )

    def _written_in(self, template: str, wish: str) -> str:
        """Return the nearest language that has the whole template, as its folder spells it."""
        subtags = wish.lower().split("-")
        for length in range(len(subtags), 0, -1):
            language = self._languages.get(("-".join(subtags[:length]), template))
            if language is not None:
                return language
        return FALLBACK_LANGUAGE


def _moment(value: datetime) -> str:
    """Write a moment in UTC the way English letters do: `22 November 2026, 06:05 UTC`."""
    return f"{value.day} {value:%B %Y, %H:%M} UTC"
