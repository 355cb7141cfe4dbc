"""Facebook's token inspection: whose user access token this is, if it was made for our app and lives.

`GET /debug_token` with the token and our app's own, `id|secret`; see
https://developers.facebook.com/docs/facebook-login/guides/access-tokens/debugging. Called by `identities`. Neither
token is ever logged or part of an error.
"""

import json
from http import HTTPStatus
from typing import Any

import aiohttp

from runtime.answers import read_at_most
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger

_MAX_TOKEN_LENGTH = 4096
_MAX_ANSWER_BYTES = 65_536
_BAD_PARAMETER = 100  # of Facebook's error codes
_SILENT = "the identity provider does not answer"


class Facebook:
    """Asks Facebook.

    Args:
        http: The client's session, with its time limit.
        clock: For what is expired.
        base_url: Of the Graph API, with a version if one is to be pinned.
        app_id: Ours.
        app_secret: Ours.
    """

    def __init__(self, http: aiohttp.ClientSession, clock: Clock, base_url: str, app_id: str, app_secret: str) -> None:
        self._http = http
        self._clock = clock
        self._url = f"{base_url.rstrip('/')}/debug_token"
        self._app_id = app_id
        self._app_token = f"{app_id}|{app_secret}"

    async def inspect(self, token: str) -> str | None:
        """Return the Facebook user id whose token it is; None if it is not good for our app (any more).

        Raises:
            GatepostError: UNAVAILABLE when Facebook does not answer, or not as it should.
        """
        if len(token) > _MAX_TOKEN_LENGTH:
            return None
        data = await self._ask(token)
        if data.get("is_valid") is not True or str(data.get("app_id")) != self._app_id:
            return None
        if data.get("type", "USER") != "USER":
            return None
        expires_at = data.get("expires_at")
        if not isinstance(expires_at, int) or 0 < expires_at <= self._clock.now().timestamp():  # 0: never
            return None
        user_id = str(data.get("user_id") or "")
        return user_id if user_id.isascii() and user_id.isdigit() else None

    async def _ask(self, token: str) -> dict[str, Any]:
        query = {"input_token": token, "access_token": self._app_token}
        try:
            async with self._http.get(self._url, params=query, allow_redirects=False) as response:
                status = response.status
                answer = json.loads(await read_at_most(response, _MAX_ANSWER_BYTES) or b"")
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError):
            raise GatepostError(Reason.UNAVAILABLE, _SILENT, retry_after_seconds=1) from None
        said = answer if isinstance(answer, dict) else {}
        if status == HTTPStatus.OK and isinstance(said.get("data"), dict):
            return dict(said["data"])
        error = said.get("error")
        if status == HTTPStatus.BAD_REQUEST and isinstance(error, dict) and error.get("code") == _BAD_PARAMETER:
            return {}  # what was sent is no token at all
        get_logger().error("facebook refused", status=status, code=error.get("code") if isinstance(error, dict) else "")
        raise GatepostError(Reason.UNAVAILABLE, _SILENT, retry_after_seconds=1)
