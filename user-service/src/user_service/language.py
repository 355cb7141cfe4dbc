"""The shape of language tags (BCP 47: RFC 5646 section 2.1). Whether a subtag is registered is not looked up."""

import re

# The irregular tags of before 2006 (`i-klingon`, `en-GB-oed`) are deprecated and not taken.
_TAG = re.compile(
    r"""
    (?: (?: [a-z]{2,3} (?: -[a-z]{3} ){0,3} | [a-z]{4,8} )    # language, with extended subtags
        (?: -[a-z]{4} )?                                      # script
        (?: - (?: [a-z]{2} | [0-9]{3} ) )?                    # region
        (?: - (?: [a-z0-9]{5,8} | [0-9][a-z0-9]{3} ) )*       # variants
        (?: -[0-9a-wyz] (?: -[a-z0-9]{2,8} )+ )*              # extensions
        (?: -x (?: -[a-z0-9]{1,8} )+ )?                       # private use
    | x (?: -[a-z0-9]{1,8} )+ )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def well_formed(tag: str) -> bool:
    """Say whether the text has the shape of a language tag, such as `de`, `pt-BR` or `zh-Hant-TW`."""
    return _TAG.fullmatch(tag) is not None
