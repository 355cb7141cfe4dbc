"""A mail server for tests: real SMTP on loopback (aiosmtpd), which can be told to misbehave."""

import asyncio
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USERNAME = "gatepost"
PASSWORD = "correct horse"


class MailServer:
    """Takes mails and remembers them.

    Args:
        tls: Certificate to offer, or None.
        implicit: TLS from the first byte instead of STARTTLS.
        auth: Demand USERNAME and PASSWORD.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, implicit: bool = False, auth: bool = False) -> None:
        self.mails: list[EmailMessage] = []
        self.tls_sessions: list[bool] = []
        self.connections = 0
        self.answer_to_sender = "250 OK"
        self.answer_to_recipient = "250 OK"
        self.answer_to_data = "250 OK"
        self.data_delay_seconds = 0.0
        self.host = "127.0.0.1"
        self.port = 0
        self._tls = tls
        self._implicit = implicit
        self._auth = auth
        self._server: asyncio.Server | None = None
        self._live: set[asyncio.BaseTransport] = set()

    async def start(self) -> None:
        """Listen; on the same port as before when started again."""
        loop = asyncio.get_running_loop()
        implicit = self._tls if self._implicit else None
        self._server = await loop.create_server(self._session, self.host, self.port, ssl=implicit)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away at once, dropping everybody."""
        if self._server is not None:
            self._server.close()
        self.drop_all()
        await asyncio.sleep(0.05)

    def drop_all(self) -> None:
        """Break every connection, as a server that restarts does."""
        for transport in self._live:
            transport.close()
        self._live.clear()

    async def handle_MAIL(  # noqa: N802 the name and shape aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answer_to_sender

    async def handle_RCPT(  # noqa: N802 the name and shape aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.answer_to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_recipient

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 likewise
        await asyncio.sleep(self.data_delay_seconds)
        if not self.answer_to_data.startswith("2"):
            return self.answer_to_data
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.tls_sessions.append(session.ssl is not None or self._implicit)
        return self.answer_to_data

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        wanted = LoginPassword(USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=data == wanted, handled=False)

    def _session(self) -> SMTP:
        owner = self

        class Connection(SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                if transport not in owner._live and not getattr(self, "_counted", False):
                    self._counted = True
                    owner.connections += 1
                owner._live.add(transport)
                super().connection_made(transport)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # AUTH in plain text is unsafe, which is no matter on loopback
            return Connection(
                self,
                hostname="mail.test",
                tls_context=None if self._implicit else self._tls,
                require_starttls=self._tls is not None and not self._implicit,
                authenticator=self._authenticate if self._auth else None,
                auth_required=self._auth,
                auth_require_tls=False,
                loop=asyncio.get_running_loop(),
            )


def make_certificate(folder: Path, *, valid: bool = True) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS context for 127.0.0.1 and the PEM file to trust it by; not `valid` names another host."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(IPv4Address("127.0.0.1" if valid else "192.0.2.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted = folder / "certificate.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted
