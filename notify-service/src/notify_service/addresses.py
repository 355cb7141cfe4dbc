"""Addresses: what is taken as a recipient or a sender. Called by the use cases, the settings and mail composition.

Syntax only, no DNS: an installation may live in a private network, where `localhost`, `.local` and `.test` are domains.
"""

import re
from email.headerregistry import Address

import email_validator

# The documented way to allow names that the public internet does not have.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def phone_number(number: str) -> str:
    """Return a phone number in E.164 (ITU-T: a plus sign, the country code and the number, at most 15 digits).

    Raises:
        ValueError: It is written otherwise.
    """
    if not _E164.fullmatch(number):
        raise ValueError("no phone number in E.164")
    return number


def normalise(address: str) -> str:
    """Return the address in NFC with its domain in lower case.

    Raises:
        ValueError: It is not one bare address (RFC 5321 with RFC 6531 names; no display name, no control characters).
    """
    return _validated(address, display_name=False).normalized


def envelope(address: str) -> str:
    """Return a normalised address as SMTP gets it: its domain in ASCII when its mailbox is ASCII."""
    validated = _validated(address, display_name=False)
    return validated.ascii_email or validated.normalized


def parse_sender(sender: str) -> Address:
    """Read `Name <mailbox@domain>` or `mailbox@domain`; the domain comes back in ASCII.

    Raises:
        ValueError: It is not exactly one address, its mailbox is not ASCII, or it could break a header.
    """
    if not sender.isprintable():
        raise ValueError("control characters are refused")
    validated = _validated(sender, display_name=True)
    if validated.ascii_local_part is None:
        raise ValueError("the part before the @-sign must be ASCII")
    return Address(validated.display_name or "", validated.ascii_local_part, validated.ascii_domain)


def _validated(address: str, *, display_name: bool) -> email_validator.ValidatedEmail:
    return email_validator.validate_email(
        address, check_deliverability=False, globally_deliverable=False, allow_display_name=display_name
    )
