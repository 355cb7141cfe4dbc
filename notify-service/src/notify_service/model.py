"""What the service is about: messages, their standing, and devices. Plain values; no SQL, no protobuf, no behaviour."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from uuid import UUID


@unique
class Channel(StrEnum):
    """How a message travels."""

    MAIL = "mail"
    SMS = "sms"
    PUSH = "push"


@unique
class Status(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a sender asks for, as it came.

    Args:
        id: UUID minted by the sender; the idempotency key.
        channel: How it shall travel.
        to: Mail address; phone number in E.164; or, for push, UUID of the account.
        template: Name of a template.
        language: BCP 47 wish; empty for English.
        data: Values for the template.
        project: Project name.
        expires_at: After this it is not worth delivering; None for never.
        brand: Name it is signed with, and the template's `project` value unless `data` has one; empty for `project`.
        accent_color: `#rrggbb` of its buttons and marks; empty for the house's.
    """

    id: UUID
    channel: Channel
    to: str
    template: str
    language: str
    data: dict[str, object]
    project: str
    expires_at: datetime | None
    brand: str = ""
    accent_color: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A message as people read it.

    Args:
        language: BCP 47 language it is written in.
        subject: One line, without codes or links: it outlives delivery. A push message's title; empty for SMS.
        text: Plain text; a push message's body.
        html: HTML of a mail with its styles inlined; else empty.
        code: The code in it, or empty.
        link: The link in it, or empty.
    """

    language: str
    subject: str
    text: str
    html: str
    code: str
    link: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message and what became of it.

    Args:
        id: UUID minted by the sender.
        channel: How it travels.
        to: Mail address, phone number or UUID of the account, normalised.
        template: Name of its template.
        project: Project name.
        content: As rendered when taken; all but language and subject are empty once a real transport delivered it.
        status: Where it stands.
        attempts: Attempts so far.
        last_error: What the last failed attempt said; never content.
        message_id: RFC 5322 Message-ID, the same for every attempt.
        created_at: When it was taken.
        next_attempt_at: When it is tried next; None unless pending.
        expires_at: After this it is not worth delivering; None for never.
        sent_at: When it was handed over; None until then.
    """

    id: UUID
    channel: Channel
    to: str
    template: str
    project: str
    content: Content
    status: Status
    attempts: int
    last_error: str
    message_id: str
    created_at: datetime
    next_attempt_at: datetime | None
    expires_at: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A pending message that one instance works on until its lease runs out.

    Args:
        message: As stored; `message.attempts` counts the attempt at hand and fences off whoever held it before.
        tries: Attempts that count against the limit, the one at hand included.
    """

    message: Message
    tries: int


@unique
class DeviceKind(StrEnum):
    """Push service of a device."""

    GCM = "gcm"
    FCM = "fcm"


@dataclass(frozen=True, slots=True)
class Device:
    """A place for push messages, as people see it: without its token, which is a secret.

    Args:
        id: UUID.
        user_id: UUID of the account.
        project_id: UUID of the project.
        kind: Push service.
        registered_at: When it was registered for this user.
    """

    id: UUID
    user_id: UUID
    project_id: UUID
    kind: DeviceKind
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """A device that a push message still has to reach.

    Args:
        device_id: UUID.
        registered_at: When it was registered; tells it from one registered again meanwhile.
        token: Of the push service. A secret.
    """

    device_id: UUID
    registered_at: datetime
    token: str = field(repr=False)


@unique
class PushOutcome(StrEnum):
    """What became of a push message on one device."""

    SENT = "sent"
    GONE = "gone"
