"""One POST to a provider of SMS or push, with what may go wrong as the transports' errors. Called by `sms` and `fcm`.

Errors name what happened and never quote: addresses have account numbers in them, answers have phone numbers and texts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from notify_service.transports import DeferredError
from runtime.answers import read_at_most

_MOST_BYTES = 65536  # answers are a few hundred
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered.

    Args:
        status: HTTP status.
        body: The JSON object in it; empty if there is none.
        retry_after: Its Retry-After, at most a day; None without.
    """

    status: int
    body: Mapping[str, Any]
    retry_after: timedelta | None


async def post(
    session: aiohttp.ClientSession,
    url: str,
    now: datetime,
    *,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
    document: Mapping[str, Any] | None = None,
) -> Answer:
    """Send a form or a JSON document; redirects are not followed, since credentials travel along.

    Args:
        session: With its timeouts.
        url: Where to.
        now: The time, for a Retry-After that is a date.
        headers: Credentials.
        form: Body as application/x-www-form-urlencoded.
        document: Body as JSON.

    Raises:
        DeferredError: There is no answer, or none in time.
    """
    try:
        async with session.post(
            url, data=form, json=document, headers=headers, allow_redirects=False, raise_for_status=False
        ) as response:
            body = _object(await read_at_most(response, _MOST_BYTES) or b"")
            return Answer(response.status, body, _retry_after(response.headers.get("Retry-After"), now))
    except TimeoutError:
        raise DeferredError("the provider did not answer in time") from None
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        raise DeferredError(f"the provider cannot be reached: {type(exc).__name__}") from None


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read Retry-After (RFC 9110 section 10.2.3): seconds or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), _LONGEST_WAIT.total_seconds()))
    try:
        wait = parsedate_to_datetime(value) - now
    except (ValueError, TypeError):
        return None
    return max(timedelta(), min(wait, _LONGEST_WAIT))
