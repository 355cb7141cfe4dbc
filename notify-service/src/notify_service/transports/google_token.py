"""Access tokens for Google's APIs: a signed assertion (RFC 7523) exchanged at the token endpoint. Called by `fcm`.

A token is kept until shortly before it expires; however many ask, one exchange is under way at a time.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import aiohttp
import jwt

from notify_service.service_account import ServiceAccount
from notify_service.transports import DeferredError
from notify_service.transports.http import post
from runtime.clock import Clock

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_LIFETIME = timedelta(hours=1)  # the longest Google takes
_EARLIER = timedelta(minutes=5)  # a token this close to its end is replaced, clocks being what they are
_OK = 200


class GoogleToken:
    """Keeps one access token.

    Args:
        session: With its timeouts; closed by whoever made it.
        account: Who asks.
        clock: The time.
        token_url: Where to exchange; empty for the account's own.
    """

    def __init__(self, session: aiohttp.ClientSession, account: ServiceAccount, clock: Clock, token_url: str) -> None:
        self._session = session
        self._account = account
        self._clock = clock
        self._url = token_url or account.token_uri
        self._exchanging = asyncio.Lock()
        self._token = ""
        self._good_until: datetime | None = None

    async def get(self) -> str:
        """Return a token that is good for some minutes.

        Raises:
            DeferredError: Google gives none.
        """
        async with self._exchanging:
            if self._good_until is None or self._clock.now() >= self._good_until:
                await self._exchange()
            return self._token

    def distrust(self, token: str) -> None:
        """Note that a token was refused; the next `get` exchanges anew, unless somebody has already done so."""
        if token == self._token:
            self._good_until = None

    async def _exchange(self) -> None:
        now = self._clock.now()
        form = {"grant_type": GRANT_TYPE, "assertion": self._assertion(now)}
        answer = await post(self._session, self._url, now, headers={}, form=form)
        token, seconds = answer.body.get("access_token"), answer.body.get("expires_in")
        if answer.status != _OK or not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise DeferredError(
                f"Google gave no access token ({answer.status}{_error(answer.body.get('error'))})",
                retry_after=answer.retry_after,
            )
        lifetime = timedelta(seconds=max(0, min(seconds, 86400)))
        self._token = token
        self._good_until = now + max(lifetime - _EARLIER, lifetime / 2)

    def _assertion(self, now: datetime) -> str:
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._url,
            "iat": int(now.timestamp()),
            "exp": int((now + _ASSERTION_LIFETIME).timestamp()),
        }
        headers = {"kid": self._account.private_key_id} if self._account.private_key_id else None
        return jwt.encode(claims, self._account.private_key, algorithm="RS256", headers=headers)


def _error(code: object) -> str:
    """Return an OAuth error code (RFC 6749 section 5.2) for a sentence; empty when it is something else."""
    plain = isinstance(code, str) and code.isascii() and code.replace("_", "").isalpha() and len(code) <= 40  # noqa: PLR2004 longer than any
    return f" {code}" if plain else ""
