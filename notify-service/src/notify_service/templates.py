"""The templates: which there are, by which channels each goes and what each needs.

Called by the use case that takes messages; knows no store. What the words are is `letters`' business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from notify_service import colours, fields
from notify_service.fields import Check
from notify_service.letters import Letters
from notify_service.model import Channel, Content
from runtime.errors import GatepostError, Reason, Rule, Violation, invalid


@dataclass(frozen=True, slots=True)
class Template:
    """What a template needs and where it goes.

    Args:
        values: All values it must be given. What people type is called `code`, what they follow `link`.
        channels: By which it can travel.
    """

    values: Mapping[str, Check]
    channels: frozenset[Channel] = frozenset({Channel.MAIL})


_CODE: Final = {"code": fields.code, "minutes": fields.minutes, "project": fields.text}
_PROJECT: Final = {"project": fields.text}
_PROJECT_TIME: Final = {"project": fields.text, "time": fields.time}
TEMPLATES: Final[Mapping[str, Template]] = {
    "sign_in_code": Template(_CODE),
    "two_step_code": Template(_CODE),
    "sign_up_code": Template(_CODE),
    "already_registered": Template(_PROJECT),
    "confirm_email": Template(_PROJECT | {"link": fields.link}),
    "reset_code": Template(_CODE),
    "reset_link": Template(_CODE | {"link": fields.link}),
    "password_changed": Template(_PROJECT_TIME),
    "new_sign_in": Template(_PROJECT_TIME | {"device": fields.device}, frozenset({Channel.MAIL, Channel.PUSH})),
    "second_step_failed": Template(_PROJECT_TIME),
    "email_change_code": Template(_CODE),
    "email_changed": Template(_PROJECT_TIME | {"email": fields.text, "link": fields.link}),
    "phone_change_code": Template(_CODE, frozenset({Channel.SMS})),
    "phone_changed": Template(_PROJECT_TIME),
    "role_changed": Template(_PROJECT | {"role": fields.text}),
    "account_closing": Template(_PROJECT_TIME | {"link": fields.link}),
    "account_kept": Template(_PROJECT),
}
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


class Templates:
    """All templates.

    Args:
        public_url: Where links may lead.
        declared: Which there are.
        package: Folder of their words: `mails` and `locales` in it.
    """

    def __init__(
        self,
        public_url: str,
        declared: Mapping[str, Template] = TEMPLATES,
        package: Traversable = files("notify_service"),  # noqa: B008 our own files do not change
    ) -> None:
        self._public_url = public_url
        self._declared = declared
        self._letters = Letters(package / "mails", package / "locales")

    def render(
        self,
        template: str,
        channel: Channel,
        language: str,
        data: Mapping[str, object],
        *,
        brand: str = "",
        accent_color: str = "",
    ) -> Content:
        """Render a template.

        Args:
            template: Its name.
            channel: One of those it goes by.
            language: BCP 47 wish; empty for English.
            data: Exactly the values it declares.
            brand: Name at the top of a mail; empty for the value `project`.
            accent_color: `#rrggbb`; empty for the house's.

        Raises:
            GatepostError: INVALID_PARAMETER, naming every value at fault.
        """
        declared = self._declared.get(template)
        if declared is None:
            raise invalid("template", "There is no such template.")
        if channel not in declared.channels:
            raise invalid("channel", "The template has no words for this channel.")
        if language and not _LANGUAGE.fullmatch(language):
            raise invalid("language", "The language is no BCP 47 tag.")
        values = self._check(declared, data, brand, accent_color)
        written_in = self._letters.language(language)
        subject, text, html = self._letters.write(template, channel, written_in, values)
        code, link = (str(data[name]) if name in declared.values else "" for name in ("code", "link"))
        return Content(language=written_in, subject=subject, text=text, html=html, code=code, link=link)

    def _check(
        self, declared: Template, data: Mapping[str, object], brand: str, accent_color: str
    ) -> Mapping[str, object]:
        values, violations = fields.check(data, declared.values)
        link = str(values.get("link", ""))
        if link and not fields.is_below(self._public_url, link):
            violations.append(Violation("data.link", Rule.INVALID, "link must lead to the public URL."))
        try:
            values["brand"] = fields.text(brand) if brand else values.get("project", "")
        except ValueError as exc:
            if "data.project" not in {violation.field for violation in violations}:  # it has said so already
                violations.append(Violation("brand", Rule.INVALID, f"brand {exc}."))
        try:
            accent = colours.accent(accent_color)
            values |= {"accent": accent, "on_accent": colours.text_on(accent)}
        except ValueError as exc:
            violations.append(Violation("accent_color", Rule.INVALID, f"accent_color {exc}."))
        if violations:
            raise GatepostError(
                Reason.INVALID_PARAMETER, "The template's values are not right.", violations=tuple(violations)
            )
        return values
