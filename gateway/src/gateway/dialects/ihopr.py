"""iHopr platform v1: hosted sign-in for projects, JSON below `/api/v1`. The contract is docs/dialects/ihopr.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict
from uuid import uuid4

from gatepost.auth.v1.accounts_pb2 import Account, NewProfile, UpdateOwnAccountRequest, UpdateOwnAccountResponse
from gatepost.auth.v1.projects_pb2 import SignInPolicy
from gatepost.auth.v1.sign_in_pb2 import (
    ChallengePurpose,
    ClientCredentials,
    CompletePasswordResetRequest,
    Pkce,
    SignInRequest,
    SignInResult,
    SignUpRequest,
    StartPasswordResetRequest,
    VerifyChallengeRequest,
)
from gatepost.auth.v1.tokens_pb2 import EndSessionRequest, ExchangeCodeRequest, RefreshTokensRequest, TokenSet
from gatepost.users.v1.profiles_pb2 import Profile
from gateway.call import Call
from gateway.dialect import Dialect, Failure, Rendering, Route
from gateway.fields import digits, email, text, text_or_int
from gateway.guards import BEARER, CHALLENGE, CLIENT
from gateway.limits import Limit
from gateway.moments import microsecond, second
from gateway.reply import Reply
from runtime.errors import Reason, Rule, Violation

# The dialect's words for what comes next, by the project's policy.
_NEXT_STEPS: Mapping[int, tuple[str, str, str]] = {
    SignInPolicy.SIGN_IN_POLICY_NONE: ("none", "Auth Code sent successfully", "code"),
    SignInPolicy.SIGN_IN_POLICY_OTP: ("otp", "OTP code sent successfully.", "otp_token"),
    SignInPolicy.SIGN_IN_POLICY_TWO_STEP: (
        "two-step",
        "Two Step Authentication code sent successfully.",
        "two_step_auth_token",
    ),
}
# The core's names of fields, where the wire has others.
_WIRE_NAMES = {"phone": "mobile_number", "login": "email"}


@dataclass(frozen=True, slots=True)
class _Client:
    client_id: str = text_or_int()
    client_secret: str = text_or_int(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _Login(_Client):
    email: str = email()
    password: str = text(default="", secret=True)
    code_challenge: str = text(default="")
    code_challenge_method: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Signup(_Login):
    first_name: str = text()
    last_name: str = text()
    mobile_number: str = text_or_int()
    meta: str | None = text(default=None)


@dataclass(frozen=True, slots=True)
class _OtpCode:
    otp_code: str = digits(secret=True)
    otp_token: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _TwoStepAuthCode:
    two_step_auth_code: str = digits(secret=True)
    two_step_auth_token: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _SendResetPasswordCode(_Client):
    email: str = email()


@dataclass(frozen=True, slots=True)
class _ResetPassword:
    reset_password_code: str = digits(secret=True)
    reset_password_token: str = text(secret=True)
    password: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _AccessToken(_Client):
    code: str = text(secret=True)
    code_verifier: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _RefreshToken(_Client):
    refresh_token: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _Update:
    first_name: str | None = text(default=None)
    last_name: str | None = text(default=None)
    password: str | None = text(default=None, secret=True)
    current_password: str | None = text(default=None, secret=True)
    mobile_number: str | None = text_or_int(default=None)
    role: str | None = text(default=None)


@dataclass(frozen=True, slots=True)
class _UpdateRole:
    role: str = text()


class _NextStep(TypedDict):
    """What comes next: a code, or a challenge to answer first."""

    status: Literal["success"]
    message: str
    project_type: Literal["none", "otp", "two-step"]
    code: NotRequired[str]
    otp_token: NotRequired[str]
    two_step_auth_token: NotRequired[str]


class _Code(TypedDict):
    """A one-time code for api-tauth-token."""

    status: Literal["success"]
    code: str


class _Started(TypedDict):
    """The challenge of a reset, alike for an address without account."""

    status: Literal["success"]
    message: str
    reset_password_token: str


class _Done(TypedDict):
    """Nothing more to say."""

    status: Literal["success"]


class _UserObject(TypedDict):
    """A user; `provider` only beside tokens."""

    id: int
    user_id: str
    first_name: str
    last_name: str
    email: str
    mobile_number: str
    meta: str | None
    role: str
    created_at: str
    provider: NotRequired[Literal[""]]


class _Tokens(TypedDict):
    """Tokens; `expires_at` is the access token's, UTC."""

    status: Literal["success"]
    access_token: str
    refresh_token: str
    expires_at: str
    expires_in: int
    user: _UserObject


class _User(TypedDict):
    """The token's user."""

    status: Literal["success"]
    user: _UserObject


class _Changed(TypedDict):
    """The fields that changed, and when."""

    first_name: NotRequired[str]
    last_name: NotRequired[str]
    mobile_number: NotRequired[str]
    role: NotRequired[str]
    updated_at: str


class _Updated(TypedDict):
    """The user as he is now, and what changed."""

    status: Literal["success"]
    user: _UserObject
    updated: _Changed


class _Error(TypedDict):
    """An error; `errors` names the fields at fault."""

    status: Literal["error"]
    message: str
    errors: NotRequired[dict[str, list[str]]]


async def _login(call: Call, form: _Login) -> Reply:
    """Check the first factor."""
    answer = await call.clients.sign_in.SignIn(
        SignInRequest(
            client=_credentials(form),
            login=form.email,
            password=form.password,
            pkce=_pkce(form),
        )
    )
    return _next_step(answer.result)


async def _signup(call: Call, form: _Signup) -> Reply:
    """Sign a person up."""
    answer = await call.clients.sign_up(
        SignUpRequest(
            user_id=str(uuid4()),
            client=_credentials(form),
            email=form.email,
            password=form.password,
            pkce=_pkce(form),
            profile=NewProfile(
                first_name=form.first_name, last_name=form.last_name, phone=form.mobile_number, meta=form.meta
            ),
        )
    )
    return _next_step(answer.result)


async def _otp_code(call: Call, form: _OtpCode) -> Reply:
    """Answer the code mailed at sign-in of an `otp` project."""
    return await _verify(call, ChallengePurpose.CHALLENGE_PURPOSE_OTP, form.otp_token, form.otp_code)


async def _two_step_auth_code(call: Call, form: _TwoStepAuthCode) -> Reply:
    """Answer the second step of a `two-step` project."""
    purpose = ChallengePurpose.CHALLENGE_PURPOSE_TWO_STEP
    return await _verify(call, purpose, form.two_step_auth_token, form.two_step_auth_code)


async def _send_reset_code(call: Call, form: _SendResetPasswordCode) -> Reply:
    """Mail a code to reset the password with."""
    answer = await call.clients.sign_in.StartPasswordReset(
        StartPasswordResetRequest(client=_credentials(form), email=form.email)
    )
    return _success(message="Reset Password code sent successfully.", reset_password_token=answer.challenge.handle)


async def _reset_password(call: Call, form: _ResetPassword) -> Reply:
    """Set a new password with the mailed code."""
    await call.clients.sign_in.CompletePasswordReset(
        CompletePasswordResetRequest(
            handle=form.reset_password_token, code=form.reset_password_code, password=form.password
        )
    )
    return _success()


async def _access_token(call: Call, form: _AccessToken) -> Reply:
    """Exchange a one-time code for tokens."""
    await call.clients.demand_profiles()
    answer = await call.clients.tokens.ExchangeCode(
        ExchangeCodeRequest(client=_credentials(form), code=form.code, code_verifier=form.code_verifier)
    )
    return await _tokens(call, answer.tokens, answer.account)


async def _refresh_token(call: Call, form: _RefreshToken) -> Reply:
    """Exchange a refresh token for new tokens."""
    await call.clients.demand_profiles()
    answer = await call.clients.tokens.RefreshTokens(
        RefreshTokensRequest(client=_credentials(form), refresh_token=form.refresh_token)
    )
    return await _tokens(call, answer.tokens, answer.account)


async def _logout(call: Call) -> Reply:
    """End the session of the token."""
    # The body's refresh_token needs no reading: it belongs to the same session and ends with it.
    await call.clients.tokens.EndSession(EndSessionRequest(access_token=call.token))
    return _success()


async def _user(call: Call) -> Reply:
    """Return the user of the token."""
    account = (await call.clients.authenticate(call.token)).account
    return _success(user=_describe(account, await call.clients.profile(account.user_id)))


async def _update(call: Call, form: _Update) -> Reply:
    """Change names, phone, password or role of the user of the token."""
    request = UpdateOwnAccountRequest(
        access_token=call.token,
        password=form.password,
        current_password=form.current_password,
        role=form.role,
        first_name=form.first_name,
        last_name=form.last_name,
        phone=form.mobile_number,
    )
    return await _updated(call, await call.clients.accounts.UpdateOwnAccount(request))


async def _update_role(call: Call, form: _UpdateRole) -> Reply:
    """Change the role of the user of the token."""
    request = UpdateOwnAccountRequest(access_token=call.token, role=form.role)
    return await _updated(call, await call.clients.accounts.UpdateOwnAccount(request))


async def _verify(call: Call, purpose: ChallengePurpose.ValueType, handle: str, code: str) -> Reply:
    answer = await call.clients.sign_in.VerifyChallenge(
        VerifyChallengeRequest(purpose=purpose, handle=handle, code=code)
    )
    return _success(code=answer.code)


async def _tokens(call: Call, tokens: TokenSet, account: Account) -> Reply:
    # Patient: the code is spent, and the answer to it holds the tokens.
    user = _describe(account, await call.clients.profile(account.user_id, patient=True))
    user["provider"] = ""
    return _success(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_at=second(tokens.access_expire_time),
        expires_in=tokens.expires_in,
        user=user,
    )


async def _updated(call: Call, answer: UpdateOwnAccountResponse) -> Reply:
    user = _describe(answer.account, await call.clients.profile(answer.account.user_id))
    changed = [_WIRE_NAMES.get(name, name) for name in answer.changed if name != "password"]
    updated = {name: user[name] for name in changed} | {"updated_at": second(answer.update_time)}
    return _success(user=user, updated=updated)


def _success(**members: Any) -> Reply:
    return Reply(json={"status": "success", **members})


def _next_step(result: SignInResult) -> Reply:
    project_type, message, name = _NEXT_STEPS[result.policy]
    value = result.code if result.WhichOneof("next") == "code" else result.challenge.handle
    return _success(**{"message": message, name: value, "project_type": project_type})


def _credentials(form: _Client) -> ClientCredentials:
    return ClientCredentials(client_id=form.client_id, client_secret=form.client_secret)


def _pkce(form: _Login) -> Pkce | None:
    if not form.code_challenge and not form.code_challenge_method:
        return None
    return Pkce(challenge=form.code_challenge, method=form.code_challenge_method)


def _describe(account: Account, profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.number,
        "user_id": profile.public_id,
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "email": account.email,
        "mobile_number": profile.phone,
        "meta": profile.meta if profile.HasField("meta") else None,
        "role": account.role,
        "created_at": microsecond(account.create_time),
    }


_INVALID = Rendering(422, "The given data was invalid.")
_CLIENT = Rendering(401, "Client authentication failed.")
_UNAUTHENTICATED = Rendering(401, "Unauthenticated.")
_FORBIDDEN = Rendering(403, "This action is unauthorized.")
_NOT_FOUND = Rendering(404, "Not Found")
_CONFLICT = Rendering(409, "Conflict")
_INTERNAL = Rendering(500, "Server Error")
_UNAVAILABLE = Rendering(503, "Service Unavailable")

ERRORS: Mapping[Reason, Rendering] = {
    Reason.MALFORMED_REQUEST: Rendering(400, "The request body must be a JSON object."),
    Reason.MISSING_PARAMETER: _INVALID,
    Reason.INVALID_PARAMETER: _INVALID,
    Reason.PAYLOAD_TOO_LARGE: Rendering(413, "Payload Too Large"),
    Reason.CLIENT_UNKNOWN: _CLIENT,
    Reason.CLIENT_BAD_SECRET: _CLIENT,
    Reason.BAD_CREDENTIALS: Rendering(401, "These credentials do not match our records."),
    Reason.USER_NOT_VALIDATED: Rendering(403, "Your account is not verified."),
    Reason.SECOND_FACTOR_REQUIRED: _FORBIDDEN,
    Reason.API_KEY_INVALID: _CLIENT,
    Reason.IDENTITY_INVALID: _CLIENT,
    Reason.IDENTITY_UNKNOWN: _NOT_FOUND,
    Reason.CODE_INVALID: Rendering(400, "The authorization code is invalid or has expired."),
    Reason.CHALLENGE_FAILED: Rendering(400, "The code is invalid or has expired."),
    Reason.TOKEN_MISSING: _UNAUTHENTICATED,
    Reason.TOKEN_INVALID: _UNAUTHENTICATED,
    Reason.TOKEN_EXPIRED: _UNAUTHENTICATED,
    Reason.SCOPE_MISSING: _FORBIDDEN,
    Reason.EMAIL_TAKEN: _INVALID,
    Reason.USERNAME_TAKEN: _INVALID,
    Reason.IDENTITY_TAKEN: _CONFLICT,
    Reason.WEAK_PASSWORD: _INVALID,
    Reason.ROLE_UNKNOWN: _INVALID,
    Reason.ROLE_FORBIDDEN: _FORBIDDEN,
    Reason.REAUTH_REQUIRED: _INVALID,
    Reason.RATE_LIMITED: Rendering(429, "Too Many Attempts."),
    Reason.UNKNOWN_METHOD: _NOT_FOUND,
    Reason.METHOD_NOT_ALLOWED: Rendering(405, "Method Not Allowed"),
    Reason.DIALECT_DISABLED: _NOT_FOUND,
    Reason.NOT_FOUND: _NOT_FOUND,
    Reason.ALREADY_EXISTS: _CONFLICT,
    Reason.CONFLICT: _CONFLICT,
    Reason.CALLER_REFUSED: _INTERNAL,
    Reason.OVERLOADED: _UNAVAILABLE,
    Reason.UNAVAILABLE: _UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: _UNAVAILABLE,
    Reason.INTERNAL: _INTERNAL,
}
# Reasons that mean one field, should the core not name it.
_FIELD_OF: Mapping[Reason, Violation] = {
    Reason.EMAIL_TAKEN: Violation("email", Rule.TAKEN, ""),
    Reason.USERNAME_TAKEN: Violation("username", Rule.TAKEN, ""),
    Reason.WEAK_PASSWORD: Violation("password", Rule.WEAK, "The password is too weak."),
    Reason.ROLE_UNKNOWN: Violation("role", Rule.UNKNOWN, ""),
    Reason.REAUTH_REQUIRED: Violation(
        "current_password", Rule.REAUTH, "The current_password is required to change the password."
    ),
}


async def _error_body(failure: Failure) -> Reply:
    body: dict[str, Any] = {"status": "error", "message": failure.rendering.text}
    if failure.rendering is _INVALID:
        only = _FIELD_OF.get(failure.error.reason)
        violations = failure.error.violations or ((only,) if only else ())
        errors: dict[str, list[str]] = {}
        for violation in violations:
            field = _WIRE_NAMES.get(violation.field, violation.field)
            errors.setdefault(field, []).append(_sentence(field, violation))
        body["errors"] = errors
    return Reply(json=body)


def _sentence(field: str, violation: Violation) -> str:
    match violation.rule:
        case Rule.REQUIRED:
            return f"The {field} field is required."
        case Rule.TAKEN:
            return f"The {field} has already been taken."
        case Rule.UNKNOWN:
            return f"The selected {field} is invalid."
        case Rule.INVALID | Rule.WEAK | Rule.REAUTH:
            told = violation.description.removeprefix(f"The {violation.field} ")
            return f"The {field} {told}" if told and told != violation.description else f"The {field} is invalid."


DIALECT = Dialect(
    name="ihopr",
    prefixes=("/api/v1",),
    routes=(
        Route("POST", "/api/v1/login", _login, CLIENT, Limit.PASSWORD, answer=_NextStep),
        Route("POST", "/api/v1/signup", _signup, CLIENT, Limit.PASSWORD, answer=_NextStep),
        Route("POST", "/api/v1/otp-code", _otp_code, CHALLENGE, Limit.ORDINARY, answer=_Code),
        Route("POST", "/api/v1/two-step-auth-code", _two_step_auth_code, CHALLENGE, Limit.ORDINARY, answer=_Code),
        Route(
            "POST",
            "/api/v1/send-reset-password-code",
            _send_reset_code,
            CLIENT,
            Limit.ORDINARY,
            answer=_Started,
        ),
        Route("POST", "/api/v1/reset-password", _reset_password, CHALLENGE, Limit.PASSWORD, answer=_Done),
        Route("POST", "/api/v1/api-tauth-token", _access_token, CLIENT, Limit.ORDINARY, answer=_Tokens),
        Route("POST", "/api/v1/refresh-token", _refresh_token, CLIENT, Limit.ORDINARY, answer=_Tokens),
        Route("POST", "/api/v1/logout", _logout, BEARER, Limit.ORDINARY, answer=_Done),
        Route("GET", "/api/v1/user", _user, BEARER, Limit.CHECK, answer=_User),
        Route("PUT", "/api/v1/user/update", _update, BEARER, Limit.PASSWORD, answer=_Updated),
        Route("PUT", "/api/v1/user/update/role", _update_role, BEARER, Limit.ORDINARY, answer=_Updated),
    ),
    errors=ERRORS,
    error_body=_error_body,
    error_answer=_Error,
)
