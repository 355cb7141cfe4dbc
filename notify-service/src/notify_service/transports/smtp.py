"""Mail by SMTP (RFC 5321): a few connections, kept open between messages and made anew when they went stale.

What fails before the message is offered (connecting, TLS, AUTH, our sender address) is the installation's trouble and
is tried again; a 5xx for the recipient or the content is the answer for this message. Answers to the content itself are
not repeated in errors, since they may quote it.
"""

import asyncio
import ssl
import time
from dataclasses import dataclass
from email.headerregistry import Address

import aiosmtplib

from notify_service.addresses import envelope
from notify_service.mail import compose
from notify_service.model import Message
from notify_service.transports import DeferredError, RefusedError

_IDLE_SECONDS = 30.0  # servers drop idle clients; a connection older than this is not trusted
_MOST_MESSAGES = 100  # servers limit messages per connection, a hundred being the usual figure
_MOST_ERROR = 200
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over, and how.

    Args:
        host: Name or address.
        port: TCP port.
        tls: Certificates to check the server against; None for plain text.
        implicit_tls: TLS from the first byte (RFC 8314) instead of STARTTLS.
        username: For AUTH; empty for none.
        password: For AUTH.
        timeout_seconds: For each step of the conversation.
        local_name: How we introduce ourselves in EHLO.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    implicit_tls: bool
    username: str
    password: str
    timeout_seconds: float
    local_name: str


@dataclass(slots=True)
class _Connection:
    client: aiosmtplib.SMTP
    messages: int = 0
    used_at: float = 0.0


class SmtpTransport:
    """Delivers to one mail server.

    Args:
        server: Where.
        sender: From and envelope sender of every mail.
        connections: Most connections at once.
    """

    keeps_content = False

    def __init__(self, server: Server, sender: Address, connections: int) -> None:
        self._server = server
        self._sender = sender
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []
        self.concurrency = connections

    async def deliver(self, message: Message) -> None:
        """Hand one mail over.

        Raises:
            DeferredError: The server cannot be reached or used, or says to come back.
            RefusedError: The server refuses the recipient or the mail for good.
        """
        mail = compose(message, self._sender)
        async with self._slots:
            connection = await self._borrow()
            try:
                await connection.client.send_message(
                    mail, sender=self._sender.addr_spec, recipients=[envelope(message.to)]
                )
            except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as exc:
                self._give_back(connection)  # it answered: the conversation is in order
                raise _explain(exc) from None
            except (aiosmtplib.SMTPException, OSError) as exc:
                connection.client.close()
                raise _explain(exc) from None
            except BaseException:
                connection.client.close()
                raise
            self._give_back(connection)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            await _quit(self._idle.pop().client)

    async def _borrow(self) -> _Connection:
        """Return the freshest idle connection that still answers, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            fresh = time.monotonic() - connection.used_at < _IDLE_SECONDS
            if fresh and connection.messages < _MOST_MESSAGES and await _answers(connection.client):
                return connection
            await _quit(connection.client)
        return _Connection(await self._connect())

    def _give_back(self, connection: _Connection) -> None:
        connection.messages += 1
        connection.used_at = time.monotonic()
        if connection.client.is_connected:
            self._idle.append(connection)

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls is not None and server.implicit_tls,
            start_tls=server.tls is not None and not server.implicit_tls,
            tls_context=server.tls,
            username=server.username or None,
            password=server.password if server.username else None,
            timeout=server.timeout_seconds,
            local_hostname=server.local_name,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as exc:
            raise DeferredError(f"the mail server refused our credentials ({exc.code})") from None
        except aiosmtplib.SMTPResponseException as exc:
            raise DeferredError(f"the mail server does not serve us: {_quote(exc)}") from None
        except ssl.SSLError as exc:
            raise DeferredError(f"TLS with the mail server failed: {exc.reason or 'error'}") from None
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise DeferredError(f"the mail server cannot be reached: {_clean(str(exc))}") from None
        return client


async def _answers(client: aiosmtplib.SMTP) -> bool:
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        return False
    except BaseException:
        client.close()
        raise
    return True


async def _quit(client: aiosmtplib.SMTP) -> None:
    try:
        await client.quit(timeout=1)
    except (aiosmtplib.SMTPException, OSError):
        pass  # it is gone already, which is what we want
    finally:
        client.close()


def _explain(exc: aiosmtplib.SMTPException | OSError) -> DeferredError | RefusedError:
    permanent = False
    match exc:
        case aiosmtplib.SMTPRecipientsRefused():
            permanent = exc.recipients[0].code >= _PERMANENT
            text = f"the recipient was refused: {_quote(exc.recipients[0])}"
        case aiosmtplib.SMTPSenderRefused():
            text = f"our sender address was refused: {_quote(exc)}"
        case aiosmtplib.SMTPDataError():
            permanent = exc.code >= _PERMANENT
            text = f"the mail was refused ({exc.code})"
        case aiosmtplib.SMTPNotSupported():
            permanent = True
            text = "the mail server cannot take this address (no SMTPUTF8)"
        case aiosmtplib.SMTPTimeoutError():
            text = "the mail server did not answer in time"
        case aiosmtplib.SMTPResponseException():
            text = f"the mail server answered {exc.code}"
        case _:
            text = f"the connection broke: {type(exc).__name__}"
    return RefusedError(text) if permanent else DeferredError(text)


def _quote(answer: aiosmtplib.SMTPResponseException) -> str:
    return f"{answer.code} {_clean(answer.message)}"


def _clean(text: str) -> str:
    """Make a server's words fit for one line of ours."""
    return "".join(c if c.isprintable() else " " for c in text)[:_MOST_ERROR].strip()
