"""A push service for tests: Google's token endpoint and FCM's HTTP v1 API on loopback. It can be told to misbehave."""

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROJECT = "harbour-7f3c1"
EMAIL = f"gatepost@{PROJECT}.iam.gserviceaccount.com"
KEY_ID = "0123456789abcdef"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 3600
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

Answer = tuple[int, Any, dict[str, str]]


def fcm_error(status: int, code: str, name: str = "INVALID_ARGUMENT", **headers: str) -> Answer:
    """Return an answer as FCM gives it: `code` is FCM's own, `name` the API's."""
    detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
    return status, {"error": {"code": status, "message": "…", "status": name, "details": [detail]}}, headers


def bad_token() -> Answer:
    """Return FCM's answer to what is no registration token."""
    fcm = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"}
    text = "The registration token is not a valid FCM registration token"
    field = {"@type": "type.googleapis.com/google.rpc.BadRequest"}
    violation = {"field": "message.token", "description": text}
    details = [fcm, field | {"fieldViolations": [violation]}]
    return 400, {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT", "details": details}}, {}


class FcmServer:
    """Takes push messages and remembers them."""

    def __init__(self) -> None:
        self.pushes: list[dict[str, Any]] = []
        self.exchanges = 0
        self.requests = 0
        self.token_answer: Answer | None = None
        """Answer to every exchange, instead of the honest one."""
        self.answers: defaultdict[str, list[Answer]] = defaultdict(list)
        """By device token: the next answers, instead of the honest ones."""
        self.delay_seconds = 0.0
        self.url = ""
        self._good_tokens: set[str] = set()
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def devices(self) -> list[str]:
        """The device tokens of what arrived, in order."""
        return [push["token"] for push in self.pushes]

    async def start(self) -> None:
        """Listen; on the same port as before when started again."""
        app = web.Application()
        app.router.add_post("/token", self._exchange)
        app.router.add_post("/v1/projects/{project}/messages:send", self._send)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Go away."""
        if self._runner is not None:
            await self._runner.cleanup()

    def revoke_tokens(self) -> None:
        """Take no access token given out so far."""
        self._good_tokens.clear()

    def write_account(self, folder: Path, **changed: Any) -> Path:
        """Write the key file of a service account, as the cloud console makes it."""
        private = _KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": private.decode(),
            "client_email": EMAIL,
            "token_uri": f"{self.url}/token",
        }
        file = folder / "service-account.json"
        file.write_text(json.dumps(account | changed))
        return file

    async def _exchange(self, request: web.Request) -> web.Response:
        self.exchanges += 1
        await asyncio.sleep(self.delay_seconds)
        if self.token_answer is not None:
            return _respond(self.token_answer)
        form = await request.post()
        assertion = str(form.get("assertion", ""))
        try:
            claims = jwt.decode(
                assertion,
                _KEY.public_key(),
                algorithms=["RS256"],
                audience=f"{self.url}/token",
                issuer=EMAIL,
                options={"require": ["iat", "exp"], "verify_iat": False, "verify_exp": False},
            )
        except jwt.InvalidTokenError:
            return web.json_response({"error": "invalid_grant"}, status=400)
        lifetime = claims["exp"] - claims["iat"]
        right = (form.get("grant_type"), claims.get("scope"), jwt.get_unverified_header(assertion).get("kid"))
        if right != (GRANT_TYPE, SCOPE, KEY_ID) or not 0 < lifetime <= TOKEN_SECONDS:
            return web.json_response({"error": "invalid_request"}, status=400)
        token = f"ya29.{self.exchanges}-{datetime.now(UTC).timestamp()}"
        self._good_tokens.add(token)
        return web.json_response({"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"})

    async def _send(self, request: web.Request) -> web.Response:
        self.requests += 1
        await asyncio.sleep(self.delay_seconds)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._good_tokens:
            return web.json_response({"error": {"code": 401, "message": "…", "status": "UNAUTHENTICATED"}}, status=401)
        message = (await request.json()).get("message", {})
        if waiting := self.answers.get(message.get("token", "")):
            return _respond(waiting.pop(0))
        if not _is_message(message) or request.match_info["project"] != PROJECT:
            return _respond(fcm_error(400, "INVALID_ARGUMENT"))
        self.pushes.append(message)
        return web.json_response({"name": f"projects/{PROJECT}/messages/{len(self.pushes)}"})


def _is_message(message: dict[str, Any]) -> bool:
    notification, data = message.get("notification", {}), message.get("data", {})
    return (
        isinstance(message.get("token"), str)
        and set(notification) == {"title", "body"}
        and all(isinstance(value, str) for value in (*notification.values(), *data.values()))
        and not set(data) & {"from", "message_type", "notification"}
        and set(message) <= {"token", "notification", "data", "android", "apns"}
    )


def _respond(answer: Answer) -> web.Response:
    status, body, headers = answer
    return web.json_response(body, status=status, headers=headers)
