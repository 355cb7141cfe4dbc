"""What a browser is known by when somebody signs in on it again: tokens of auth-service, one for each account.

They prove nothing and open nothing: auth-service lets whoever shows one try his password even while strangers guess at
it. So signing out leaves them. Used by the pages that end in a session or a new password.
"""

import re
from typing import Final

from gateway.call import Call
from gateway.web.cookies import DEVICES, LONGEST_SECONDS, secure

_MOST: Final = 5
_WHOSE_DIGITS: Final = 20  # see IssuedSession.device
_TOKEN: Final = re.compile(r"[0-9a-f]{84}")


def known(call: Call) -> list[str]:
    """Return the tokens that the browser keeps, newest first."""
    return [token for token in call.cookie(DEVICES).split(".")[:_MOST] if _TOKEN.fullmatch(token)]


def kept(call: Call, token: str) -> tuple[str, ...]:
    """Return the Set-Cookie value that keeps a new token in place of the account's last; none without one."""
    if not token:
        return ()
    others = [each for each in known(call) if each[:_WHOSE_DIGITS] != token[:_WHOSE_DIGITS]]
    return (secure(DEVICES, ".".join([token, *others][:_MOST]), f"Max-Age={LONGEST_SECONDS}"),)
