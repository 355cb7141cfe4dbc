"""A server on loopback that inspects tokens as Facebook's Graph API does (`GET /debug_token`), for every test of it."""

import time
from http import HTTPStatus
from secrets import token_hex
from typing import Any, Self

from aiohttp import web

_MALFORMED, _BAD_APP_TOKEN = 100, 190


class FacebookServer:
    """Knows the tokens it gave away. `broken` makes it answer with that status and no JSON; None as it should."""

    def __init__(self) -> None:
        self.app_id = "424242424242"
        self.app_secret = token_hex(16)
        self.base_url = ""
        self.broken: HTTPStatus | None = None
        self.questions = 0
        self._tokens: dict[str, dict[str, Any]] = {}
        self._runner: web.AppRunner | None = None

    def token(self, user_id: str, /, **said: Any) -> str:
        """Return a new token of a user, made for our app and good for an hour; `said` differs in the inspection."""
        token = f"EAA{token_hex(24)}"
        now = int(time.time())
        self._tokens[token] = {
            "app_id": self.app_id,
            "type": "USER",
            "application": "Gatepost's tests",
            "expires_at": now + 3600,
            "is_valid": True,
            "issued_at": now,
            "scopes": ["email", "public_profile"],
            "user_id": user_id,
        } | said
        return token

    async def start(self) -> Self:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_get("/debug_token", self._inspect)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _inspect(self, request: web.Request) -> web.Response:
        self.questions += 1
        if self.broken is not None:
            return web.Response(status=self.broken, text="<html>Sorry, something went wrong.</html>")
        if request.query["access_token"] != f"{self.app_id}|{self.app_secret}":
            return _error("Invalid OAuth access token signature.", _BAD_APP_TOKEN)
        token = request.query["input_token"]
        if not token.startswith("EAA"):
            return _error("The access token could not be decrypted", _MALFORMED)
        unknown = {"error": {"code": 190, "message": "Malformed access token"}, "is_valid": False, "scopes": []}
        return web.json_response({"data": self._tokens.get(token, unknown)})


def _error(message: str, code: int) -> web.Response:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1"}
    return web.json_response({"error": error}, status=HTTPStatus.BAD_REQUEST)
