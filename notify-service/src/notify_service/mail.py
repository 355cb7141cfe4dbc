"""A message as a mail (RFC 5322, MIME): headers, and text with an HTML alternative. Called by the SMTP transport."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from notify_service.addresses import envelope
from notify_service.model import Message


def compose(message: Message, sender: Address) -> EmailMessage:
    """Build the mail; two attempts at one message give the same headers, Date and Message-ID included.

    Raises:
        ValueError: A header value has a line break in it. What was taken has none.
    """
    recipient = envelope(message.to)
    mail = EmailMessage(policy=SMTP if recipient.isascii() else SMTPUTF8)
    mail["From"] = sender
    mailbox, _, domain = recipient.rpartition("@")
    mail["To"] = Address(username=mailbox, domain=domain)  # which takes RFC 6531 mailboxes; `addr_spec=` does not
    mail["Subject"] = message.content.subject
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = message.message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notices in return
    # Quoted-printable keeps lines short and ASCII, so that no relay has a reason to rewrite them.
    mail.set_content(message.content.text, cte="quoted-printable")
    mail.add_alternative(message.content.html, subtype="html", cte="quoted-printable")
    mail["Content-Language"] = message.content.language  # last: setting content clears headers of this family
    return mail


def mint_message_id(unique: object, domain: str) -> str:
    """Return the Message-ID of a message, the same whenever it is asked for again (RFC 5322 section 3.6.4)."""
    return f"<{unique}@{domain}>"
