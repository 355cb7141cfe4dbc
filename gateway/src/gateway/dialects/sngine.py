"""Sngine's "Log in with": an app sends people here and gets them back with a key. See docs/dialects/sngine.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from gatepost.auth.v1.accounts_pb2 import Account
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.tokens_pb2 import ExchangeCodeRequest
from gatepost.users.v1.profiles_pb2 import Profile
from gateway import pictures, problem
from gateway.call import Call
from gateway.credentials import credentials
from gateway.dialect import Dialect, Failure, Rendering, Route, StatusMode
from gateway.fields import Takes, text, text_or_int
from gateway.guards import ANYONE, CLIENT, Guard, bearer_token
from gateway.limits import Limit
from gateway.moments import second
from gateway.reply import Reply
from gateway.web import authorization
from gateway.web.authorization import Ask, Decision, asked, proof_key
from gateway.web.forms import protected
from gateway.web.locale import mark as _
from gateway.web.session import DEAD, SESSION, VISITOR
from runtime.errors import GatepostError, Reason, invalid, missing

_APP_ID = re.compile(r"[0-9]{1,20}")
_UPLOADS = "/content/uploads/"
# What every app gets, and what it gets if it lists the scope, as the consent page names them.
_BASIC = (_("Name"), _("User name"), _("E-mail address"), _("Profile picture"))
_EXTRAS = {
    "birthdate": _("Date of birth"),
    "gender": _("Gender"),
    "relationship": _("Relationship status"),
    "biography": _("About me"),
    "website": _("Website"),
    "cover": _("Cover picture"),
}
# The day that secrets in query strings were put on the way out (RFC 9745).
_DEPRECATION = {"Deprecation": "@1767225600"}


@dataclass(frozen=True, slots=True)
class _OAuth:
    app_id: str = text(default="")
    state: str = text(default="")
    code_challenge: str = text(default="")
    code_challenge_method: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Authorize:
    app_id: str = text_or_int(default="")
    app_secret: str = text(default="", secret=True)
    auth_key: str = text(default="", secret=True)
    code_verifier: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _GetUserInfo:
    access_token: str = text(default="", secret=True)


class _Token(TypedDict):
    """A token for get_user_info."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class _User(TypedDict):
    """A user; what was not granted or is not known is empty."""

    user_id: str
    user_name: str
    user_email: str
    user_firstname: str
    user_lastname: str
    user_gender: str
    user_birthdate: str
    user_picture: str
    user_cover: str
    user_registered: str
    user_verified: Literal["0", "1"]
    user_relationship: str
    user_biography: str
    user_website: str
    profile_picture: str
    profile_cover: str


class _UserInfo(TypedDict):
    """Whose the token is."""

    user_info: _User


class _Error(TypedDict):
    """What went wrong."""

    error: Literal[True]
    message: str


async def _oauth(call: Call, form: _OAuth) -> Reply:
    """Ask a person to let an app know him, and send him back to it."""
    return await authorization.proceed(call, await _ask(call, form))


async def _decide(call: Call, form: Decision) -> Reply:
    """Take what the person decided on the consent page."""
    return await authorization.decide(call, await _ask(call, asked(call, _OAuth)), form)


async def _authorize(call: Call, form: _Authorize) -> Reply:
    """Exchange the one-time key for a token."""
    client = credentials(call, form.app_id, form.app_secret, secret_name="app_secret")  # noqa: S106 a parameter's name
    needed = {"app_id": client.client_id, "app_secret": client.client_secret, "auth_key": form.auth_key}
    if not all(needed.values()):
        raise missing(*(name for name, value in needed.items() if not value))
    request = ExchangeCodeRequest(
        client=client, code=form.auth_key, code_verifier=form.code_verifier, form=TokenForm.TOKEN_FORM_SINGLE
    )
    tokens = (await call.clients.tokens.ExchangeCode(request)).tokens
    answer = _Token(access_token=tokens.access_token, token_type="Bearer", expires_in=tokens.expires_in)  # noqa: S106
    return Reply(json=answer, headers=_DEPRECATION if client.secret_in_query else {})


async def _get_user_info(call: Call, form: _GetUserInfo) -> Reply:
    """Return whose a token is, as far as he has granted it."""
    token = call.token or form.access_token
    if not token:
        raise GatepostError(Reason.TOKEN_MISSING)
    who = await call.clients.authenticate(token, TokenForm.TOKEN_FORM_SINGLE)
    profile = await call.clients.profile(who.account.user_id)
    return Reply(json=_UserInfo(user_info=_describe(call, who.account, profile, frozenset(who.session.scopes))))


async def _upload(call: Call) -> Reply:
    """Return a picture, to be kept for ever."""
    return await pictures.serve(call, call.segments["file"])


async def _ask(call: Call, form: _OAuth) -> Ask:
    if not form.app_id:
        raise missing("app_id")
    if not _APP_ID.fullmatch(form.app_id):
        raise GatepostError(Reason.CLIENT_UNKNOWN)
    app = await authorization.find_app(call, form.app_id)
    if not app.redirect_urls:
        raise invalid("redirect_url", "The app has none.")
    extras = [scope for scope in _EXTRAS if scope in app.scopes]
    return Ask(
        app=app,
        redirect_url=app.redirect_urls[0],
        scopes=("basic", *extras),
        shares=(*_BASIC, *(_EXTRAS[scope] for scope in extras)),
        issue=TokenForm.TOKEN_FORM_SINGLE,
        code_name="auth_key",
        state=form.state,
        pkce=proof_key(form.code_challenge, form.code_challenge_method),
    )


def _describe(call: Call, account: Account, profile: Profile, scopes: frozenset[str]) -> _User:
    def granted(scope: str, value: str) -> str:
        return value if scope in scopes else ""

    picture = pictures.portrait(profile)
    cover = granted("cover", pictures.file_of(profile.cover))
    base = f"{call.public_url}{_UPLOADS}"
    return _User(
        user_id=str(profile.number),
        user_name=account.username or f"user{profile.number}",
        user_email=account.email,
        user_firstname=profile.first_name,
        user_lastname=profile.last_name,
        user_gender=granted("gender", profile.gender),
        user_birthdate=granted("birthdate", profile.birth_date),
        user_picture=picture,
        user_cover=cover,
        user_registered=second(account.create_time),
        user_verified="1" if profile.badge else "0",
        user_relationship=granted("relationship", profile.relationship),
        user_biography=granted("biography", profile.biography),
        user_website=granted("website", profile.website),
        profile_picture=f"{base}{picture}",
        profile_cover=f"{base}{cover}" if cover else "",
    )


def _token_if_shown(call: Call) -> None:
    call.token = bearer_token(call, "Authorization")


# An access token in the Authorization header, or among the parameters.
_TOKEN = Guard("bearer or parameter", _token_if_shown)

_NO_APP = "We're sorry, but the application you're trying to use doesn't exist or has been disabled"
_PARAMETER = Rendering(400, "Bad Request, invalid parameters")
_TOKEN_INVALID = Rendering(401, "Bad Request, invalid access_token")
_UNKNOWN = Rendering(404, "Bad Request, invalid parameters")
_FORBIDDEN = Rendering(403, "This action is not allowed")
_CONFLICT = Rendering(409, "Bad Request, invalid parameters")
_INTERNAL = Rendering(500, "Internal error")
_UNAVAILABLE = Rendering(503, "Service unavailable, try again later")

ERRORS: Mapping[Reason, Rendering] = {
    Reason.MALFORMED_REQUEST: _PARAMETER,
    Reason.MISSING_PARAMETER: _PARAMETER,
    Reason.INVALID_PARAMETER: _PARAMETER,
    Reason.PAYLOAD_TOO_LARGE: Rendering(413, "Bad Request, invalid parameters"),
    Reason.CLIENT_UNKNOWN: Rendering(401, _NO_APP),
    Reason.CLIENT_BAD_SECRET: Rendering(401, "Bad Request, invalid app_secret"),
    Reason.BAD_CREDENTIALS: _FORBIDDEN,
    Reason.USER_NOT_VALIDATED: _FORBIDDEN,
    Reason.SECOND_FACTOR_REQUIRED: _FORBIDDEN,
    Reason.API_KEY_INVALID: _FORBIDDEN,
    Reason.IDENTITY_INVALID: _FORBIDDEN,
    Reason.IDENTITY_UNKNOWN: _FORBIDDEN,
    Reason.CODE_INVALID: Rendering(400, "Bad Request, invalid auth_key"),
    Reason.CHALLENGE_FAILED: _PARAMETER,
    Reason.TOKEN_MISSING: _TOKEN_INVALID,
    Reason.TOKEN_INVALID: _TOKEN_INVALID,
    Reason.TOKEN_EXPIRED: Rendering(401, "Bad Request, expired access_token"),
    Reason.SCOPE_MISSING: _FORBIDDEN,
    Reason.EMAIL_TAKEN: _CONFLICT,
    Reason.USERNAME_TAKEN: _CONFLICT,
    Reason.IDENTITY_TAKEN: _CONFLICT,
    Reason.WEAK_PASSWORD: _PARAMETER,
    Reason.ROLE_UNKNOWN: _PARAMETER,
    Reason.ROLE_FORBIDDEN: _FORBIDDEN,
    Reason.REAUTH_REQUIRED: _FORBIDDEN,
    Reason.RATE_LIMITED: Rendering(429, "Too many requests"),
    Reason.UNKNOWN_METHOD: _UNKNOWN,
    Reason.METHOD_NOT_ALLOWED: Rendering(405, "Bad Request, invalid parameters"),
    Reason.DIALECT_DISABLED: Rendering(403, "This feature has been disabled by the admin"),
    Reason.NOT_FOUND: _UNKNOWN,
    Reason.ALREADY_EXISTS: _CONFLICT,
    Reason.CONFLICT: _CONFLICT,
    Reason.CALLER_REFUSED: _INTERNAL,
    Reason.OVERLOADED: _UNAVAILABLE,
    Reason.UNAVAILABLE: _UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: _UNAVAILABLE,
    Reason.INTERNAL: _INTERNAL,
}
# The core's names of fields, where the wire has others.
_WIRE_NAMES = {"client_id": "app_id", "client_secret": "app_secret", "code": "auth_key"}
_PAGES = frozenset({"/api/oauth", "/api/oauth2"})
# Reasons that people are told with a plain 400, never the app: as long as something is wrong, it may not be there.
_REFUSED = frozenset({Reason.CLIENT_UNKNOWN, Reason.MISSING_PARAMETER, Reason.INVALID_PARAMETER})


async def _error_body(failure: Failure) -> Reply:
    call, error = failure.call, failure.error
    if call.path in _PAGES:
        if error.reason in DEAD:
            return authorization.sign_in(call)
        return await authorization.refuse(call, error, _page_status(failure), problem.ERRORS[error.reason].text)
    # A picture that is not there is not there in legacy mode either.
    status = failure.rendering.status if call.path.startswith(_UPLOADS) else Reply().status
    return Reply(status=status, json=_Error(error=True, message=_message(failure)))


def _page_status(failure: Failure) -> int:
    if failure.mode is StatusMode.LEGACY:
        return 404 if failure.error.reason is Reason.MISSING_PARAMETER else 200
    return 400 if failure.error.reason in _REFUSED else failure.rendering.status


def _message(failure: Failure) -> str:
    violations = failure.error.violations
    if failure.rendering is not _PARAMETER or not violations:
        return failure.rendering.text
    return f"Bad Request, invalid {_WIRE_NAMES.get(violations[0].field, violations[0].field)}"


DIALECT = Dialect(
    name="sngine",
    prefixes=("/api", "/content/uploads"),
    routes=(
        Route("GET", "/api/oauth", _oauth, VISITOR, Limit.ORDINARY),
        Route("GET", "/api/oauth2", _oauth, VISITOR, Limit.ORDINARY),
        *protected(
            (
                Route("POST", "/api/oauth", _decide, SESSION, Limit.ORDINARY),
                Route("POST", "/api/oauth2", _decide, SESSION, Limit.ORDINARY),
            )
        ),
        Route("GET", "/api/authorize", _authorize, CLIENT, Limit.ORDINARY, answer=_Token),
        Route("POST", "/api/authorize", _authorize, CLIENT, Limit.ORDINARY, Takes.QUERY_AND_BODY, answer=_Token),
        Route("GET", "/api/get_user_info", _get_user_info, _TOKEN, Limit.CHECK, answer=_UserInfo),
        Route("GET HEAD", "/content/uploads/{file}", _upload, ANYONE, Limit.ORDINARY),
    ),
    errors=ERRORS,
    error_body=_error_body,
    default_mode=StatusMode.LEGACY,
    legacy_status=200,
    cors=False,
    mountable=True,
    error_answer=_Error,
    app_parameter="app_id",
)
