"""The words of the identity core as plain values. Knows neither SQL, protobuf nor the network."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from uuid import UUID


@unique
class SignInPolicy(StrEnum):
    """What signing in to a project takes: a password; a mailed code; or both."""

    NONE = "none"
    OTP = "otp"
    TWO_STEP = "two-step"


@unique
class AppType(StrEnum):
    """Whether an app can keep a secret (RFC 6749 section 2.1)."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"


@unique
class AccountState(StrEnum):
    """The life of an account."""

    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"


@unique
class Purpose(StrEnum):
    """What a challenge is for; one of one purpose is never accepted for another."""

    OTP = "otp"
    TWO_STEP = "two-step"
    RESET = "reset"
    EMAIL_CHANGE = "email-change"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Project:
    """A directory of users. See gatepost.auth.v1.Project for the meaning of each field."""

    id: UUID
    name: str
    sign_in_policy: SignInPolicy
    roles: tuple[str, ...]
    self_assignable_roles: tuple[str, ...]
    hosts: tuple[str, ...]
    dialects: tuple[str, ...]
    password_min_length: int
    allow_plain_pkce: bool
    access_token_seconds: int
    refresh_token_seconds: int
    disabled: bool
    created_at: datetime

    def canonical_role(self, role: str) -> str | None:
        """Return the project's spelling of a role, compared without case; None if it has no such role."""
        wanted = role.casefold()
        return next((known for known in self.roles if known.casefold() == wanted), None)

    def may_assign_himself(self, role: str) -> bool:
        """Say whether a user may give himself this role (canonical spelling)."""
        return role.casefold() in {allowed.casefold() for allowed in self.self_assignable_roles}


@dataclass(frozen=True, slots=True)
class AppSecret:
    """A secret of an app: SHA-256 and last four characters."""

    id: UUID
    hash: bytes
    hint: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class App:
    """A client of a project, with its live secrets."""

    id: UUID
    project: Project
    client_id: str
    name: str
    type: AppType
    redirect_urls: tuple[str, ...]
    scopes: tuple[str, ...]
    origins: tuple[str, ...]
    allow_plain_pkce: bool
    disabled: bool
    created_at: datetime
    secrets: tuple[AppSecret, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that stands for a project, without its value."""

    id: UUID
    project: str
    scopes: tuple[str, ...]
    hint: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the identity core knows him."""

    id: UUID
    project_id: UUID
    project: str
    state: AccountState
    role: str
    security_version: int
    email: str
    email_verified: bool
    username: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewProfile:
    """What a new profile starts with; None for meta means none."""

    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    meta: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A sign-up whose address is not proven yet."""

    account_id: UUID
    project_id: UUID
    email: str
    email_normalized: str
    password_hash: str | None
    profile: NewProfile
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Pkce:
    """A checked proof key: the challenge, and `S256`, `plain` or `any` (either proves it; not named by the client)."""

    challenge: str
    method: str


@dataclass(frozen=True, slots=True)
class Session:
    """An app signed in by a user: a family of tokens."""

    id: UUID
    account_id: UUID
    app_id: UUID
    client_id: str
    scopes: tuple[str, ...]
    salt: bytes
    generation: int
    security_version: int
    authenticated_at: datetime
    created_at: datetime
    rotated_at: datetime
    expires_at: datetime
    ends_at: datetime
    revoked: bool


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What an app receives."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: datetime
    expires_in: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenChallenge:
    """A challenge as the client sees it."""

    handle: str = field(repr=False)
    purpose: Purpose
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInStep:
    """What a step of signing in leads to: exactly one of code and challenge."""

    policy: SignInPolicy
    code: str | None = field(default=None, repr=False)
    challenge: OpenChallenge | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A user's consent to an app."""

    id: UUID
    account_id: UUID
    client_id: str
    scopes: tuple[str, ...]
    granted_at: datetime
