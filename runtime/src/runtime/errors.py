"""The closed list of what can go wrong, and the one exception that carries it.

Use cases raise `GatepostError`; `grpc_server` turns it into a gRPC status with google.rpc details, `grpc_client` turns
it back, and each dialect of the gateway renders it. No text says whether an account exists, or carries SQL or secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique

import grpc


@unique
class Reason(StrEnum):
    """Why a request failed. Stable: part of the contract (google.rpc.ErrorInfo.reason) in upper case."""

    MALFORMED_REQUEST = "malformed_request"
    MISSING_PARAMETER = "missing_parameter"
    INVALID_PARAMETER = "invalid_parameter"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    CLIENT_UNKNOWN = "client_unknown"
    CLIENT_BAD_SECRET = "client_bad_secret"  # noqa: S105 a reason, not a secret
    BAD_CREDENTIALS = "bad_credentials"
    USER_NOT_VALIDATED = "user_not_validated"
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    API_KEY_INVALID = "api_key_invalid"
    IDENTITY_INVALID = "identity_invalid"
    IDENTITY_UNKNOWN = "identity_unknown"
    CODE_INVALID = "code_invalid"
    CHALLENGE_FAILED = "challenge_failed"
    TOKEN_MISSING = "token_missing"  # noqa: S105 a reason, not a secret
    TOKEN_INVALID = "token_invalid"  # noqa: S105 a reason, not a secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 a reason, not a secret
    SCOPE_MISSING = "scope_missing"
    EMAIL_TAKEN = "email_taken"
    USERNAME_TAKEN = "username_taken"
    IDENTITY_TAKEN = "identity_taken"
    WEAK_PASSWORD = "weak_password"  # noqa: S105 a reason, not a secret
    ROLE_UNKNOWN = "role_unknown"
    ROLE_FORBIDDEN = "role_forbidden"
    REAUTH_REQUIRED = "reauth_required"
    RATE_LIMITED = "rate_limited"
    UNKNOWN_METHOD = "unknown_method"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    DIALECT_DISABLED = "dialect_disabled"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    CONFLICT = "conflict"
    CALLER_REFUSED = "caller_refused"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL = "internal"


AWAY = frozenset({Reason.UNAVAILABLE, Reason.OVERLOADED, Reason.DEADLINE_EXCEEDED})
"""What says nothing of the request: what it needs is not there, or has no time for it."""


@unique
class Rule(StrEnum):
    """What a single field broke; dialects that report by field word it."""

    REQUIRED = "required"
    INVALID = "invalid"
    TAKEN = "taken"
    WEAK = "weak"
    UNKNOWN = "unknown"
    REAUTH = "reauth"


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong.

    Args:
        field: Name in the core's words (`email`, `client_secret`, `code_challenge`).
        rule: What it broke.
        description: One sentence for people, without the field's value.
    """

    field: str
    rule: Rule
    description: str


class GatepostError(Exception):
    """A request failed for a reason of the closed list.

    Args:
        reason: Why.
        message: One sentence for people; may cross to clients of internal RPC, never to public ones unrendered.
        violations: The fields at fault, if any.
        retry_after_seconds: When trying again may help.
        metadata: Small facts for machines (google.rpc.ErrorInfo.metadata), never secrets.
    """

    def __init__(
        self,
        reason: Reason,
        message: str = "",
        *,
        violations: tuple[Violation, ...] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or reason.value.replace("_", " "))
        self.reason = reason
        self.message = str(self)
        self.violations = violations
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})


def missing(*fields: str) -> GatepostError:
    """Build the error for required fields that are absent or empty."""
    violations = tuple(Violation(field, Rule.REQUIRED, f"The {field} field is required.") for field in fields)
    return GatepostError(Reason.MISSING_PARAMETER, violations=violations)


def invalid(field: str, description: str, rule: Rule = Rule.INVALID) -> GatepostError:
    """Build the error for one field with a value that cannot be taken."""
    return GatepostError(Reason.INVALID_PARAMETER, description, violations=(Violation(field, rule, description),))


# gRPC status for each reason (google.rpc.Code guidance, AIP-193).
STATUS: Mapping[Reason, grpc.StatusCode] = {
    Reason.MALFORMED_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.MISSING_PARAMETER: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.INVALID_PARAMETER: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.PAYLOAD_TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CLIENT_UNKNOWN: grpc.StatusCode.UNAUTHENTICATED,
    Reason.CLIENT_BAD_SECRET: grpc.StatusCode.UNAUTHENTICATED,
    Reason.BAD_CREDENTIALS: grpc.StatusCode.UNAUTHENTICATED,
    Reason.USER_NOT_VALIDATED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SECOND_FACTOR_REQUIRED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.API_KEY_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.IDENTITY_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.IDENTITY_UNKNOWN: grpc.StatusCode.NOT_FOUND,
    Reason.CODE_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CHALLENGE_FAILED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.TOKEN_MISSING: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_EXPIRED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.SCOPE_MISSING: grpc.StatusCode.PERMISSION_DENIED,
    Reason.EMAIL_TAKEN: grpc.StatusCode.ALREADY_EXISTS,
    Reason.USERNAME_TAKEN: grpc.StatusCode.ALREADY_EXISTS,
    Reason.IDENTITY_TAKEN: grpc.StatusCode.ALREADY_EXISTS,
    Reason.WEAK_PASSWORD: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.ROLE_UNKNOWN: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.ROLE_FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Reason.REAUTH_REQUIRED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNKNOWN_METHOD: grpc.StatusCode.UNIMPLEMENTED,
    Reason.METHOD_NOT_ALLOWED: grpc.StatusCode.UNIMPLEMENTED,
    Reason.DIALECT_DISABLED: grpc.StatusCode.UNIMPLEMENTED,
    Reason.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Reason.CONFLICT: grpc.StatusCode.ABORTED,
    Reason.CALLER_REFUSED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
}
