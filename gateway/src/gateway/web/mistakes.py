"""What a person did wrong, in words for the field or for the top of the page. Templates translate them.

By reason and rule only: the core's own sentences are English, and for developers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.web.locale import mark as _
from runtime.errors import GatepostError, Reason, Rule

_CHECK = _("Please check the marked fields.")
_PAGE: Mapping[Reason, str] = {
    Reason.BAD_CREDENTIALS: _("That does not match an account. Check what you typed, or reset your password."),
    Reason.USER_NOT_VALIDATED: _(
        "Your e-mail address is not confirmed yet. Look into your mailbox for the message we sent you, also among spam."
    ),
    Reason.CHALLENGE_FAILED: _("That code is wrong or no longer valid."),
    Reason.EMAIL_TAKEN: _CHECK,
    Reason.USERNAME_TAKEN: _CHECK,
    Reason.WEAK_PASSWORD: _CHECK,
    Reason.MISSING_PARAMETER: _CHECK,
    Reason.INVALID_PARAMETER: _CHECK,
    Reason.CONFLICT: _("This was changed elsewhere in the meantime. Look at it again before you send it once more."),
}
_NO_PROOF = ("proof", Rule.REQUIRED)
_ROBOTS = _("Robots are busy here at present, so this takes a moment longer. Please send it once more.")
# Reasons that mean one field, should the core not name it.
_FIELD_OF: Mapping[Reason, tuple[str, Rule]] = {
    Reason.EMAIL_TAKEN: ("email", Rule.TAKEN),
    Reason.USERNAME_TAKEN: ("username", Rule.TAKEN),
    Reason.WEAK_PASSWORD: ("password", Rule.WEAK),
    Reason.CHALLENGE_FAILED: ("code", Rule.INVALID),
}
_BY_RULE: Mapping[Rule, str] = {
    Rule.REQUIRED: _("Please fill in this field."),
    Rule.INVALID: _("This cannot be used here."),
    Rule.TAKEN: _("Somebody has this already."),
    Rule.WEAK: _("Choose a longer password, one that is not common and does not contain your own details."),
    Rule.UNKNOWN: _("Please choose one of the list."),
    Rule.REAUTH: _("That is not your current password."),
}
_BY_FIELD: Mapping[tuple[str, Rule], str] = {
    ("email", Rule.TAKEN): _("There is an account with this address already."),
    ("email", Rule.INVALID): _("Enter an address such as name@example.com."),
    ("login", Rule.REQUIRED): _("Enter your e-mail address or user name."),
    ("username", Rule.TAKEN): _("This user name is taken."),
    ("username", Rule.INVALID): _("Use 5 to 64 letters and digits."),
    ("password", Rule.INVALID): _("Use at most 256 characters."),
    ("code", Rule.INVALID): _("Enter the six digits of the latest message."),
}


class _Fields(dict[str, str]):
    """Empty for every field that is right, so that templates need not ask."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What a page shows of an error.

    Args:
        alert: For the top of the page; empty for nothing.
        fields: By name of the form's field; empty where nothing is wrong.
    """

    alert: str = ""
    fields: Mapping[str, str] = field(default_factory=_Fields)


NONE = Mistakes()


def mistakes(error: GatepostError, names: Mapping[str, str] | None = None) -> Mistakes:
    """Word an error of a form.

    Args:
        error: What the core said.
        names: The core's names of fields, where the form has others.
    """
    given = names or {}
    only = _FIELD_OF.get(error.reason)
    broken = [(each.field, each.rule) for each in error.violations] or ([only] if only else [])
    fields = _Fields({given.get(name, name): _BY_FIELD.get((name, rule), _BY_RULE[rule]) for name, rule in broken})
    return Mistakes(_ROBOTS if _NO_PROOF in broken else _PAGE.get(error.reason, _CHECK), fields)


def mendable(error: GatepostError) -> bool:
    """Say whether the same form, filled in otherwise, may do."""
    return error.reason in _PAGE or any(each.rule is Rule.REAUTH for each in error.violations)
