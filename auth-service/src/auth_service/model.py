"""The words of the identity core as plain values. Knows neither SQL, protobuf nor the network."""

from collections.abc import Mapping
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
class TokenForm(StrEnum):
    """What a client holds after a person has signed in; a token of one form is refused where another is asked for."""

    PAIR = "pair"
    SHORT_PAIR = "short-pair"
    SINGLE = "single"
    SESSION_KEY = "session-key"
    WEB = "web"

    @property
    def paired(self) -> bool:
        """Whether it is an access and a refresh token, computed from the session; else one random value."""
        return self in {TokenForm.PAIR, TokenForm.SHORT_PAIR}


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
    PHONE_CHANGE = "phone-change"
    VERIFY = "verify"


@unique
class LinkPurpose(StrEnum):
    """What following a mailed link, and pressing the button there, does."""

    VERIFY_EMAIL = "verify-email"
    UNDO_EMAIL_CHANGE = "undo-email-change"
    KEEP_ACCOUNT = "keep-account"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a notice goes to: an address (for push messages the account's id), and how a message to him looks."""

    to: str
    project: str
    language: str = ""
    brand: str = ""
    accent_color: str = ""


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
    display_name: str = ""
    accent_color: str = ""
    logo_picture: str = ""
    status_modes: Mapping[str, str] = field(default_factory=dict)
    user_apps: bool = True
    switches: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """What it is called: words that no password here should consist of."""
        return self.name, self.display_name

    def recipient(self, to: str) -> Recipient:
        """Return an address of somebody who has no account here yet, to post a notice to."""
        return Recipient(to, self.name, brand=self.display_name, accent_color=self.accent_color)

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
    description: str = ""
    website: str = ""
    icon_picture: str = ""
    allow_query_secret: bool = False
    status_mode: str = ""
    owner_id: UUID | None = None

    @property
    def allowed_scopes(self) -> frozenset[str]:
        """What it may ask for: `basic` needs no listing."""
        return frozenset((*self.scopes, "basic"))


@dataclass(frozen=True, slots=True)
class AppUsage:
    """What an app did on one UTC day (YYYY-MM-DD): sign-ins, different users among them, refused exchanges."""

    day: str
    sign_ins: int
    users: int
    failures: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that stands for a project, without its value."""

    id: UUID
    project: str
    scopes: tuple[str, ...]
    hint: str
    created_at: datetime
    networks: tuple[str, ...] = ()
    allow_query_credentials: bool = False
    bypass_second_factor: bool = False
    status_mode: str = ""


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
    language: str = ""
    closing_at: datetime | None = None
    has_password: bool = False
    brand: str = ""
    accent_color: str = ""

    def recipient(self, to: str = "") -> Recipient:
        """Return the user, at his address or another one, to post a notice to."""
        return Recipient(to or self.email, self.project, self.language, self.brand, self.accent_color)


@dataclass(frozen=True, slots=True)
class NewProfile:
    """What a new profile starts with; None means none."""

    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    meta: str | None = None
    gender: str = ""
    birth_date: str = ""
    location_id: int = 0
    latitude: float | None = None
    longitude: float | None = None
    language: str = ""


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
    username: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Pkce:
    """A checked proof key: the challenge, and `S256`, `plain` or `any` (either proves it; not named by the client)."""

    challenge: str
    method: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a person, as he says: an app with its credentials and perhaps a proof key, or a project's name."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    challenge: str = ""
    challenge_method: str = ""
    project: str = ""
    form: TokenForm = TokenForm.PAIR
    proof: "Proof | None" = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a form held as its proof of work, right or not; empty where the page demanded none."""

    challenge: str
    nonce: str


@dataclass(frozen=True, slots=True)
class ProofDemand:
    """What a form is to prove: a nonce that makes the hash of the challenge begin with so many zero bits, or a wait."""

    challenge: str
    bits: int
    wait_seconds: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Who asks for a person, checked: an app, which gets a code, or the gateway itself, which gets a session."""

    project: Project
    app: App | None
    form: TokenForm
    pkce: Pkce | None = None
    key_id: int = 0  # what is opened ends with this key; 0: with the one in use by then


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """The token of an external identity provider, as a client sends it."""

    provider: str
    token: str = field(repr=False)
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A client signed in by a user: a family of tokens, or one. Without app: of our own pages and the like."""

    id: UUID
    account_id: UUID
    app_id: UUID | None
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
    form: TokenForm = TokenForm.PAIR
    last_used_at: datetime | None = None
    user_agent: str = ""
    client_address: str = ""
    app_name: str = ""
    key_id: int = 0  # that the tokens of its generation are made with; 0: not known, by the release before


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What an app receives."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: datetime
    expires_in: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A session made without an app; for a browser with what it is known by when its user signs in again."""

    token: str = field(repr=False)
    expires_at: datetime
    account: Account
    device: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OpenChallenge:
    """A challenge as the client sees it."""

    handle: str = field(repr=False)
    purpose: Purpose
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInStep:
    """What a step of signing in leads to: exactly one of code, challenge and session."""

    policy: SignInPolicy
    code: str | None = field(default=None, repr=False)
    challenge: OpenChallenge | None = None
    session: IssuedSession | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A mailed link: what it does to whose account. `data` holds an address (`email`, `normalized`) or nothing."""

    purpose: LinkPurpose
    account_id: UUID
    project: str
    data: Mapping[str, str]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """A user's consent to an app."""

    id: UUID
    account_id: UUID
    client_id: str
    scopes: tuple[str, ...]
    granted_at: datetime
