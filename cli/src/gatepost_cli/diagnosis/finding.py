"""One line of `gatepost doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What was looked at and what was found.

    Attributes:
        name: what was looked at.
        status: how bad it is.
        detail: what was found, without secrets.
        advice: what to do about it; empty when all is well.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""


def ok(name: str, detail: str) -> Finding:
    """Return a finding that nothing needs to be done about."""
    return Finding(name, Status.OK, detail)


def warn(name: str, detail: str, advice: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(name, Status.WARN, detail, advice)


def fail(name: str, detail: str, advice: str) -> Finding:
    """Return a finding that keeps Gatepost from working."""
    return Finding(name, Status.FAIL, detail, advice)
