"""What people sign in with, checked and normalised, so that one person cannot be two by spelling. Pure."""

import re
import unicodedata

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from runtime.errors import GatepostError, Reason, Rule, Violation, invalid

_MAX_EMAIL_LENGTH = 254  # RFC 5321 section 4.5.3.1.3
# A message there is paid for by whoever sends it.
_COSTLY = {phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST}
_USERNAME = re.compile(r"[A-Za-z0-9]{5,64}")


def email(value: str) -> tuple[str, str]:
    """Return an address as it will be shown and mailed, and as it is compared (case folded).

    Raises:
        GatepostError: INVALID_PARAMETER on `email`. Whether the domain exists is not asked: it may be a private one.
    """
    if len(value) > _MAX_EMAIL_LENGTH:
        raise invalid("email", "The email must be a valid email address.")
    try:
        checked = validate_email(value, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise invalid("email", "The email must be a valid email address.") from None
    return checked.normalized, checked.normalized.casefold()


def username(value: str) -> tuple[str, str]:
    """Return a user name as shown and as compared.

    Raises:
        GatepostError: INVALID_PARAMETER on `username` unless it is 5 to 64 letters and digits.
    """
    if not _USERNAME.fullmatch(value):
        raise invalid("username", "The username must be 5 to 64 letters and digits.")
    return value, value.casefold()


def phone(value: str) -> str:
    """Return a phone number in E.164 (ITU-T).

    Raises:
        GatepostError: INVALID_PARAMETER on `phone` unless it begins with `+` and a country has such numbers, also for
            one of a kind that costs whoever sends to it.
    """
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        raise invalid("phone", "The phone must be a number that begins with + and the country's code.") from None
    if not phonenumbers.is_possible_number(number) or phonenumbers.number_type(number) in _COSTLY:
        raise invalid("phone", "The phone must be a number that begins with + and the country's code.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def login(value: str) -> tuple[str, str]:
    """Return kind (`email` or `username`) and normalised form of what somebody typed to sign in; never refuses.

    What cannot be an identifier is compared as it is and found nowhere.
    """
    if "@" not in value:
        return "username", value.casefold()
    try:
        return "email", validate_email(
            value, check_deliverability=False, globally_deliverable=False
        ).normalized.casefold()
    except EmailNotValidError:
        return "email", unicodedata.normalize("NFC", value).casefold()


def username_taken() -> GatepostError:
    """Build the error for a user name that another account of the project has."""
    violation = Violation("username", Rule.TAKEN, "The username has already been taken.")
    return GatepostError(Reason.USERNAME_TAKEN, violations=(violation,))
