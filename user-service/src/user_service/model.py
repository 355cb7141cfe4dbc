"""The profile as the core knows it. Neither protobuf nor SQL here; the rules of single fields are in `rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

FIRST_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is said of a person: every field of a profile that may be changed. Text is empty when unknown.

    Args:
        first_name: At most 100 characters.
        last_name: At most 100 characters.
        phone: As typed, at most 40 characters.
        gender: `male`, `female`, `other` or empty.
        birth_date: None when unknown.
        biography: At most 2000 characters, lines ended by LF.
        website: http or https URL, at most 500 characters.
        relationship: At most 40 characters.
        language: BCP 47 tag.
        meta: Free text of the app, at most 16384 bytes of UTF-8; None when absent, which is not empty.
    """

    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    gender: str = ""
    birth_date: date | None = None
    biography: str = ""
    website: str = ""
    relationship: str = ""
    language: str = ""
    meta: str | None = None


EDITABLE = tuple(field.name for field in fields(Details))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of one account's person.

    Args:
        user_id: The account.
        project_id: Its project.
        number: Unique in the project, 1 and up, never used again.
        public_id: 32 random lower-case hex digits, unique.
        details: What is said of the person.
        phone_e164: The phone in E.164 when it could be read as a number, else empty.
        version: 1 and up, one more with every change.
        created_at: When it was made, aware.
        updated_at: When it last changed, aware.
    """

    user_id: UUID
    project_id: UUID
    number: int
    public_id: str
    details: Details
    phone_e164: str
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        """Opaque text that changes with every change."""
        return str(self.version)

    def differing(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of those values that are not what the profile says already, in the order given."""
        return tuple(name for name, value in values.items() if getattr(self.details, name) != value)

    def changed(self, values: Mapping[str, Any], *, phone_e164: str, at: datetime) -> "Profile":
        """Return the next version, with these values of `Details` in place of the present ones."""
        details = replace(self.details, **values)
        return replace(self, details=details, phone_e164=phone_e164, version=self.version + 1, updated_at=at)
