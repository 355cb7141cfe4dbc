"""Between the two steps of a change: what was asked for and which challenge proves it, in a cookie of this browser.

The core binds the challenge to the session and the target; what the cookie says is worth no more than a form's field.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Final

from gateway.call import Call
from gateway.web.cookies import expired, secure

_NAME: Final = "__Host-gatepost-change"
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A change that waits for its code.

    Args:
        kind: `email` or `phone`.
        target: The new address or number, as typed.
        handle: Of the challenge.
    """

    kind: str
    target: str
    handle: str = field(repr=False)


def keep(step: Step, seconds: int) -> str:
    """Return the Set-Cookie value that keeps a step for as long as its challenge lives."""
    value = json.dumps([step.kind, step.target, step.handle]).encode()
    return secure(_NAME, urlsafe_b64encode(value).decode().rstrip("="), f"Max-Age={max(1, seconds)}")


def kept(call: Call, kind: str) -> Step | None:
    """Return the step of a kind that the browser has kept; None if there is none."""
    value = call.cookie(_NAME)
    try:
        parts = json.loads(urlsafe_b64decode(value + "=" * (-len(value) % 4))) if value.isascii() else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or len(parts) != _PARTS:
        return None
    if not all(isinstance(part, str) and part.isprintable() for part in parts):  # JSON can spell lone surrogates
        return None
    step = Step(*parts)
    return step if step.kind == kind else None


def forgotten() -> str:
    """Return the Set-Cookie value that ends a step."""
    return expired(_NAME)
