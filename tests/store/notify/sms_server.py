"""A provider of text messages for tests: Twilio's API on loopback, which can be told to misbehave."""

import asyncio
import re
from base64 import b64encode
from typing import Any

from aiohttp import web

ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "a token of the provider"
SENDER = "+15005550006"


class SmsServer:
    """Takes text messages and remembers them."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.requests = 0
        self.answer: tuple[int, Any, dict[str, str]] | None = None
        """Status, body and headers of every answer, instead of the honest ones."""
        self.delay_seconds = 0.0
        self.url = ""
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; on the same port as before when started again."""
        app = web.Application()
        app.router.add_post("/2010-04-01/Accounts/{sid}/Messages.json", self._send)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Go away."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _send(self, request: web.Request) -> web.Response:
        self.requests += 1
        await asyncio.sleep(self.delay_seconds)
        if self.answer is not None:
            status, body, headers = self.answer
            return web.json_response(body, status=status, headers=headers)
        wanted = b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}" or request.match_info["sid"] != ACCOUNT:
            return _error(401, 20003, "Authenticate")
        form = {name: str(value) for name, value in (await request.post()).items()}
        sender = form.keys() & {"From", "MessagingServiceSid"}
        if len(sender) != 1 or form.keys() - sender != {"To", "Body"}:
            return _error(400, 21603, "A 'From' phone number is required.")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form["To"]):
            return _error(400, 21211, f"The 'To' number {form['To']} is not a valid phone number.")
        self.messages.append(form)
        sid = f"SM{len(self.messages):032x}"
        return web.json_response({"sid": sid, "status": "queued", "to": form["To"], "body": form["Body"]}, status=201)


def _error(status: int, code: int, message: str) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return web.json_response({"code": code, "message": message, "more_info": more, "status": status}, status=status)
