"""A message as a mail."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from uuid import UUID

import pytest

from notify_service.mail import compose, mint_message_id
from notify_service.model import Channel, Content, Message, Status

SENDER = Address("The Harbour", "no-reply", "example.com")
CONTENT = Content("en", "Your code for Café", "Your code is 482915.\n", "<p>Your code is 482915. " + "x" * 3000, "", "")
MESSAGE = Message(
    id=UUID(int=7),
    channel=Channel.MAIL,
    to="ada@bücher.example",
    template="sign_in_code",
    project="Café",
    content=CONTENT,
    status=Status.PENDING,
    attempts=1,
    last_error="",
    message_id=mint_message_id(UUID(int=7), "example.com"),
    created_at=datetime(2026, 11, 22, 6, 5, tzinfo=UTC),
    next_attempt_at=None,
    expires_at=None,
    sent_at=None,
)


def parsed(message: Message = MESSAGE) -> EmailMessage:
    mail = message_from_bytes(compose(message, SENDER).as_bytes(policy=SMTP), policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_the_headers_say_who_when_and_that_no_answer_is_wanted() -> None:
    mail = parsed()

    assert {name: str(mail[name]) for name in set(mail.keys()) - {"Content-Type"}} == {
        "From": "The Harbour <no-reply@example.com>",
        "To": "ada@xn--bcher-kva.example",
        "Subject": "Your code for Café",
        "Date": "Sun, 22 Nov 2026 06:05:00 +0000",
        "Message-ID": "<00000000-0000-0000-0000-000000000007@example.com>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "en",
        "MIME-Version": "1.0",
    }


def test_text_comes_first_and_html_is_the_alternative() -> None:
    mail = parsed()

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines() == CONTENT.text.splitlines()


def test_on_the_wire_lines_are_short_and_ascii() -> None:
    raw = compose(MESSAGE, SENDER).as_bytes()

    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_a_line_break_cannot_reach_a_header() -> None:
    bad = replace(MESSAGE, content=replace(CONTENT, subject="Hello\r\nBcc: all@example.com"))

    with pytest.raises(ValueError, match="Header values"):
        compose(bad, SENDER)
