"""What a User-Agent header tells people: a browser and a system, or the app that sent it. A guess. Pure.

The headers are what clients say of themselves; nothing is decided by them.
"""

import re

_LONGEST_WORD = 40
# The more particular first: most of them also say Chrome, Safari or Linux.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?(?:iOS)?/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/")),
    ("Safari", re.compile(r"\bVersion/[0-9.]+ (?:Mobile/\w+ )?Safari/")),
)
_SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac(?:intosh| OS X)\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9 ._-]*?)(?:/|$)")


def browser(user_agent: str) -> str:
    """Return the browser's name, else the name of the program that comes first; empty if there is none."""
    for name, pattern in _BROWSERS:
        if pattern.search(user_agent):
            return name
    product = _PRODUCT.match(user_agent)
    name = product[1].strip() if product else ""
    return "" if name == "Mozilla" else name[:_LONGEST_WORD]


def system(user_agent: str) -> str:
    """Return the system's name; empty if it is not said."""
    return next((name for name, pattern in _SYSTEMS if pattern.search(user_agent)), "")


def describe(user_agent: str) -> str:
    """Return both in a few words, such as `Firefox, Linux`; empty if nothing is said."""
    return ", ".join(filter(None, (browser(user_agent), system(user_agent))))
