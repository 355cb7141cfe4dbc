"""Phone numbers as typed -> E.164 (ITU-T), where they say their country. Called by `profiles`."""


def e164(typed: str) -> str:
    """Return the number in E.164; empty when it does not begin with `+` or has no possible length for its country."""
    if not typed.lstrip().startswith("+"):
        return ""
    import phonenumbers  # noqa: PLC0415 1.1 MB that the first number may wait for

    try:
        number = phonenumbers.parse(typed, None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
