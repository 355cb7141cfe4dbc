"""A mail server on loopback that keeps nothing but the last code mailed to each address until somebody takes it.

Real SMTP, so that connections to it are opened, reused and closed as in production. Used by `load`.
"""

import asyncio
import re
from email import message_from_bytes
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

_CODE = re.compile(r"^ +(\d{6})\s*$", re.MULTILINE)
_PATIENCE_SECONDS = 30.0


class Mailbox:
    """Takes every mail.

    Attributes:
        port: on 127.0.0.1, once started.
        mails: how many were taken.
    """

    def __init__(self) -> None:
        self.port = 0
        self.mails = 0
        self._expected: dict[str, asyncio.Future[str]] = {}
        self._server: asyncio.Server | None = None
        self._live: set[asyncio.BaseTransport] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return sum(not each.is_closing() for each in self._live)

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away."""
        if self._server is not None:
            self._server.close()
        for each in self._live:
            each.close()
        await asyncio.sleep(0)

    def expect(self, address: str) -> None:
        """Keep the next code for an address; said before it is asked for."""
        self._expected[address] = asyncio.get_running_loop().create_future()

    async def code(self, address: str) -> str:
        """Return the code that was expected.

        Raises:
            TimeoutError: none came.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._expected[address]
        finally:
            del self._expected[address]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's
        """Take a mail; called by the server."""
        self.mails += 1
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        part = message_from_bytes(content, policy=default).get_body(("plain",))
        found = _CODE.search(part.get_content()) if part else None
        for address in envelope.rcpt_tos:
            waiting = self._expected.get(address)
            if found and waiting is not None and not waiting.done():
                waiting.set_result(found[1])
        return "250 OK"

    def _connection(self) -> SMTP:
        live = self._live

        class Connection(SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                live.add(transport)
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                live.difference_update([each for each in live if each.is_closing()])
                super().connection_lost(error)

        return Connection(self, hostname="mail.test", loop=asyncio.get_running_loop())
