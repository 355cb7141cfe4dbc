"""Twilio's form of text messages: POST …/Accounts/{sid}/Messages.json (API of 2010-04-01), Basic authentication."""

import re
from base64 import b64encode
from typing import Final

from notify_service.transports import DeferredError, RefusedError
from notify_service.transports.http import Answer
from notify_service.transports.sms import Request

_MESSAGING_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_SUCCESS = range(200, 300)
# Twilio's error numbers that are about the recipient or the text, so that no later attempt can succeed. All else is the
# installation's trouble (credentials, sender, balance) or passes.
_FINAL: Final = frozenset(
    {
        21211,  # no valid number
        21214,  # cannot be reached
        21217,  # no valid number
        21219,  # not verified, as trial accounts demand
        21408,  # a region this account does not send to
        21602,  # no text
        21604,  # no number
        21605,  # text too long
        21608,  # not verified, as trial accounts demand
        21610,  # unsubscribed
        21612,  # not reachable from this sender
        21614,  # no mobile number
        21617,  # text too long
        21635,  # a landline
    }
)


class Twilio:
    """Twilio.

    Args:
        base_url: `https://api.twilio.com`, or a server that speaks its API.
        account_sid: Account, the name in Basic authentication.
        auth_token: Password in Basic authentication.
        sender: A number in E.164, a short code or a name; or the SID (`MG…`) of a messaging service.
    """

    def __init__(self, base_url: str, account_sid: str, auth_token: str, sender: str) -> None:
        self._url = f"{base_url.rstrip('/')}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._headers = {"Authorization": f"Basic {b64encode(f'{account_sid}:{auth_token}'.encode()).decode()}"}
        self._sender = {"MessagingServiceSid" if _MESSAGING_SERVICE.fullmatch(sender) else "From": sender}

    def request(self, to: str, text: str) -> Request:
        """Return what to send, for a number in E.164."""
        return Request(self._url, {"To": to, **self._sender, "Body": text}, self._headers)

    def check(self, answer: Answer) -> None:
        """Return if Twilio took the message.

        Raises:
            DeferredError: It did not, and trying again may help.
            RefusedError: It did not and never will.
        """
        if answer.status in _SUCCESS:
            if not answer.body.get("sid"):
                raise DeferredError(f"Twilio answered {answer.status} without a message's SID")
            return
        code = answer.body.get("code")
        number = f", error {code}" if isinstance(code, int) else ""
        if number and code in _FINAL and answer.status < 500:  # noqa: PLR2004 HTTP's server errors
            raise RefusedError(f"Twilio refused the message ({answer.status}{number})")
        raise DeferredError(
            f"Twilio did not take the message ({answer.status}{number})", retry_after=answer.retry_after
        )
