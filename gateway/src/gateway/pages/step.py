"""The step a page has led to: a challenge, carried over the redirect in a cookie until it is answered.

The form on the next page holds it from there, so that two tabs do not disturb each other.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatepost.auth.v1.sign_in_pb2 import Challenge, ChallengePurpose
from gateway.call import Call
from gateway.reply import Reply
from gateway.web.cookies import STEP, expired, secure

_COOKIE = re.compile(r"(otp|two-step|reset)\.([0-9a-f]{70})\.([A-Za-z0-9_-]{0,600}={0,2})")
_LIFE = "Max-Age=1800"
PURPOSES: Final[Mapping[str, ChallengePurpose.ValueType]] = {
    "otp": ChallengePurpose.CHALLENGE_PURPOSE_OTP,
    "two-step": ChallengePurpose.CHALLENGE_PURPOSE_TWO_STEP,
    "reset": ChallengePurpose.CHALLENGE_PURPOSE_RESET,
}
_NAMES = {number: name for name, number in PURPOSES.items()}


@dataclass(frozen=True, slots=True)
class Step:
    """A question that is open.

    Args:
        purpose: `otp`, `two-step` or `reset`.
        handle: See Challenge.handle.
        email: What the person typed to get here; empty if unknown.
    """

    purpose: str
    handle: str
    email: str = ""


def lead_to(target: str, challenge: Challenge, email: str) -> Reply:
    """Send the browser to the page that asks for the answer."""
    packed = urlsafe_b64encode(email.encode()).decode()
    value = f"{_NAMES[challenge.purpose]}.{challenge.handle}.{packed}"
    return Reply(status=303, headers={"Location": target}, cookies=(secure(STEP, value, _LIFE),))


def current_step(call: Call, *purposes: str) -> Step | None:
    """Return the open step of this browser, if it is for one of the purposes."""
    found = _COOKIE.fullmatch(call.cookie(STEP))
    if found is None or found[1] not in purposes:
        return None
    try:
        return Step(found[1], found[2], urlsafe_b64decode(found[3]).decode())
    except ValueError:
        return None


def done() -> str:
    """Return the Set-Cookie value that ends the step."""
    return expired(STEP)
