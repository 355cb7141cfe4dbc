"""What is wrong with a field of our account and app forms, where the general words would not help. Templates translate.

And what each scope lets an app know or do, in the words of the consent pages.
"""

from collections.abc import Mapping
from typing import Final

from gateway.web.locale import mark as _
from runtime.errors import GatepostError, Rule

_PICTURE = _("Choose a PNG, JPEG, WebP or GIF picture of at most 2 MB.")
_TOO_LONG = _("This is too long, or has characters that cannot be used.")
_WEBSITE = _("Enter a web address that begins with https:// or http://.")
_WORDS: Mapping[tuple[str, Rule], str] = {
    ("email", Rule.INVALID): _("Enter a new address such as name@example.com."),
    ("phone", Rule.INVALID): _("Enter the number with + and the code of its country, such as +49 170 1234567."),
    ("picture", Rule.INVALID): _PICTURE,
    ("picture", Rule.REQUIRED): _("Choose a picture first."),
    ("cover", Rule.INVALID): _PICTURE,
    ("cover", Rule.REQUIRED): _("Choose a picture first."),
    ("icon", Rule.INVALID): _PICTURE,
    ("content", Rule.INVALID): _PICTURE,
    ("first_name", Rule.INVALID): _TOO_LONG,
    ("last_name", Rule.INVALID): _TOO_LONG,
    ("biography", Rule.INVALID): _TOO_LONG,
    ("birth_date", Rule.INVALID): _("Enter a date such as 1990-12-31."),
    ("website", Rule.INVALID): _WEBSITE,
    ("description", Rule.INVALID): _("Use at most 200 characters."),
    ("name", Rule.INVALID): _("Use 1 to 100 characters."),
    ("name", Rule.REQUIRED): _("Give your app a name."),
    ("redirect_urls", Rule.INVALID): _(
        "Each line must be a complete https address without #; http is for localhost only."
    ),
    ("origins", Rule.INVALID): _("Each line must be like https://app.example.com, with nothing after the host."),
    ("sure", Rule.REQUIRED): _("Tick this box to go on."),
}
SCOPES: Final[Mapping[str, str]] = {
    "basic": _("Name, user name, e-mail address and picture"),
    "birthdate": _("Date of birth"),
    "gender": _("Gender"),
    "relationship": _("Relationship status"),
    "biography": _("About me"),
    "website": _("Website"),
    "cover": _("Cover picture"),
    "VorgID::user": _("Name, birth date and picture"),
    "VorgID::user::email": _("E-mail address"),
    "VorgID::user::phone": _("Phone number"),
    "VorgID::edit::personal": _("Change your name and profile picture"),
    "VorgID::edit::email": _("Change your e-mail address"),
    "VorgID::edit::phone": _("Change your phone number"),
}


def in_our_words(error: GatepostError, names: Mapping[str, str]) -> dict[str, str]:
    """Word what is wrong with fields, by name of the form's field; those the general words do for are left out."""
    broken = ((each.field, each.rule) for each in error.violations)
    return {names.get(field, field): _WORDS[field, rule] for field, rule in broken if (field, rule) in _WORDS}
