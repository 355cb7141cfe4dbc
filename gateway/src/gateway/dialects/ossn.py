"""OSSN web services: servers that act on a site's users with one API key. The contract is docs/dialects/ossn.md."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Literal, NoReturn, NotRequired, TypedDict
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from gatepost.auth.v1.accounts_pb2 import Account, AccountRef, EmailRef, GetAccountRequest, NewProfile
from gatepost.auth.v1.directory_pb2 import (
    AddAccountRequest,
    CheckApiKeyRequest,
    CheckPasswordRequest,
    EditAccountRequest,
    FindAccountRequest,
    RemoveAccountRequest,
)
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.users.v1.pictures_pb2 import PictureSize
from gatepost.users.v1.profiles_pb2 import LookupProfileRequest, Profile
from gateway.call import Call
from gateway.clients import or_none
from gateway.dialect import Dialect, Failure, Rendering, Route, StatusMode
from gateway.fields import Takes, digits, email, text
from gateway.guards import ANYONE, Guard
from gateway.limits import Limit
from gateway.pictures import show
from gateway.reply import Reply
from runtime.clock import Clock, SystemClock
from runtime.context import current
from runtime.errors import GatepostError, Reason, Rule, invalid, missing

_CLOCK: Clock = SystemClock()
# What may stand in a query string only with a key that allows it.
_CREDENTIALS = frozenset({"api_key_token", "password", "current_password", "new_password"})
_DEPRECATED = "@1767225600"  # 2026-01-01, as RFC 9745 writes it
# Switches of a project.
_TELL_UNKNOWN = "ossn.legacy_103"
_GIVE_SESSION = "ossn.session_token"
# In the order of the published sample.
_SIZES: Mapping[str, PictureSize.ValueType] = {
    "topbar": PictureSize.PICTURE_SIZE_TOPBAR,
    "smaller": PictureSize.PICTURE_SIZE_SMALLER,
    "small": PictureSize.PICTURE_SIZE_SMALL,
    "larger": PictureSize.PICTURE_SIZE_LARGER,
    "large": PictureSize.PICTURE_SIZE_LARGE,
}
_GENDERS = frozenset({"male", "female"})
_ADMINISTRATOR = "admin"
_USERNAME = re.compile(r"[A-Za-z0-9]{1,64}")
_NUMBERED = re.compile(r"user([1-9][0-9]*)")
_MAX_GUID_LENGTH = 18  # fits 64 bits
_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_VERSION = re.compile(r"(?:/t/[^/]+)?/api/(v[^/?]*)")
_VERSIONS = frozenset({"v1.0", "v2.0"})
_NO_HEADERS: Mapping[str, str] = {}
# Who speaks when the project is not known.
_NOBODY = "Gatepost"


@dataclass(frozen=True, slots=True)
class _Shown:
    api_key_token: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _Key:
    api_key_token: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _Authenticate(_Key):
    username: str = text()
    password: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _Details(_Key):
    guid: str = digits(default="")
    username: str = text(default="")
    email: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Add(_Key):
    username: str = text()
    firstname: str = text()
    lastname: str = text()
    email: str = email()
    reemail: str = text()
    password: str = text(secret=True)
    gender: str = text()
    birthdate: str = text()


@dataclass(frozen=True, slots=True)
class _Edit(_Key):
    guid: str = digits()
    new_email: str = email()
    new_first_name: str = text()
    new_last_name: str = text()
    current_password: str = text(secret=True)
    new_gender: str = text(default="")
    new_password: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _Delete(_Key):
    guid: str = digits()


class _Icon(TypedDict):
    """Addresses of a picture in five sizes."""

    topbar: str
    smaller: str
    small: str
    larger: str
    large: str


class _User(TypedDict):
    """A user; `session_token` only where the project asks for it."""

    guid: str
    first_name: str
    last_name: str
    fullname: str
    username: str
    email: str
    birthdate: str
    gender: str
    icon: _Icon
    cover_url: str | bool
    language: str | None
    is_verified_user: bool | None
    session_token: NotRequired[str]


class _Envelope(TypedDict):
    merchant: str
    url: str
    time_token: int
    message: str


class _UserAnswer(_Envelope):
    """A user, in the envelope of every answer."""

    payload: _User
    code: Literal["100"]


class _Done(_Envelope):
    """Nothing more to say: the payload is true."""

    payload: bool
    code: Literal["100"]


class _Error(_Envelope):
    """An error: the payload is false, the code says which."""

    payload: bool
    code: Literal["101", "102", "103", "104", "105", "106", "107", "200"]


def _key(scope: str) -> Guard:
    """Make a guard: an API key among the parameters, good for `scope`. It also says whose project it is about."""
    return Guard("api key", ANYONE.check, partial(_admit, scope))


async def _admit(scope: str, call: Call) -> None:
    given = (await call.read(_Shown)).api_key_token
    if not given:
        raise GatepostError(Reason.API_KEY_INVALID, "an API key is required")
    answer = await call.clients.directory.CheckApiKey(CheckApiKeyRequest(api_key=given, scope=scope))
    call.belongs_to(answer.holder.project)
    current().error_metadata["status_mode"] = answer.holder.key.status_mode
    if not answer.holder.key.allow_query_credentials and not _CREDENTIALS.isdisjoint(call.query):
        raise GatepostError(Reason.API_KEY_INVALID, "this key does not allow credentials in a query string")


async def _user_authenticate(call: Call, form: _Authenticate) -> Reply:
    """Check a user's password."""
    project = await call.project()
    if _TELL_UNKNOWN in project.switches:
        await _account(call, form.username)
    request = CheckPasswordRequest(api_key=form.api_key_token, login=form.username, password=form.password)
    if _GIVE_SESSION in project.switches:
        request.session_form = TokenForm.TOKEN_FORM_SESSION_KEY
    answer = await call.clients.directory.CheckPassword(request)
    user = await _describe(call, answer.account)
    token = answer.session.token
    if not token:
        return await _success(call, user)
    return await _success(call, user | {"session_token": token}, {"X-Session-Token": token})


async def _user_details(call: Call, form: _Details) -> Reply:
    """Return a user, by the last given of guid, username and email."""
    request = FindAccountRequest(api_key=form.api_key_token)
    if form.email:
        request.email = form.email
    elif form.username:
        request.username = form.username
    elif form.guid:
        request.user_id = (await _profile(call, form.guid)).user_id
    else:
        raise missing("guid")
    answer = await or_none(call.clients.directory.FindAccount(request))
    if answer is None:  # perhaps he has no user name, and this is how he is shown
        shown = await _profile_by_number(call, request.username)
        if shown is None:
            raise GatepostError(Reason.NOT_FOUND)
        request.user_id = shown.user_id
        answer = await call.clients.directory.FindAccount(request)
    return await _success(call, await _describe(call, answer.account))


async def _user_add(call: Call, form: _Add) -> Reply:
    """Make a user, who proves the address by a mailed link."""
    if form.reemail != form.email:
        raise invalid("reemail", "The reemail must be the same as the email.")
    profile = NewProfile(
        first_name=form.firstname,
        last_name=form.lastname,
        gender=_gender("gender", form.gender),
        birth_date=_birth_date(form.birthdate),
    )
    request = AddAccountRequest(
        api_key=form.api_key_token,
        user_id=str(uuid4()),
        email=form.email,
        username=form.username,
        password=form.password,
        profile=profile,
    )
    answer = await call.clients.directory.AddAccount(request)
    return await _success(call, await _describe(call, answer.account, patient=True))


async def _user_edit(call: Call, form: _Edit) -> Reply:
    """Change a user, who agrees by the present password."""
    request = EditAccountRequest(
        api_key=form.api_key_token,
        user_id=(await _profile(call, form.guid)).user_id,
        current_password=form.current_password,
        email=form.new_email,
        first_name=form.new_first_name,
        last_name=form.new_last_name,
        gender=_gender("new_gender", form.new_gender) if form.new_gender else None,
        password=form.new_password or None,
    )
    answer = await call.clients.directory.EditAccount(request)
    return await _success(call, await _describe(call, answer.account))


async def _user_delete(call: Call, form: _Delete) -> Reply:
    """Delete a user at once; administrators stay."""
    user_id = (await _profile(call, form.guid)).user_id
    found = await call.clients.accounts.GetAccount(GetAccountRequest(account=AccountRef(user_id=user_id)))
    if found.account.role.casefold() == _ADMINISTRATOR:
        raise GatepostError(Reason.ROLE_FORBIDDEN, "administrators are not deleted with a key")
    await call.clients.directory.RemoveAccount(RemoveAccountRequest(api_key=form.api_key_token, user_id=user_id))
    return await _success(call, payload=True)


async def _avatar(call: Call) -> Reply:
    """Send the picture of a user, or one drawn from his initials."""
    name, size = call.segments["username"], call.segments["size"]
    for profile in [await _profile_by_number(call, name), await _profile_by_name(call, name)]:
        if size in _SIZES and profile and compare_digest(call.segments["file"].encode(), _file(profile, size).encode()):
            break
    else:
        raise GatepostError(Reason.NOT_FOUND, "nobody's picture")
    return await show(call, profile, _SIZES[size])


async def _profile_by_number(call: Call, name: str) -> Profile | None:
    """Find who is shown as `user<number>`, for want of a user name."""
    numbered = _NUMBERED.fullmatch(name)
    return await or_none(_profile(call, numbered[1])) if numbered else None


async def _profile_by_name(call: Call, name: str) -> Profile | None:
    if not _USERNAME.fullmatch(name):
        return None
    account = await or_none(_account(call, name))
    return await or_none(call.clients.profile(account.user_id)) if account else None


async def _account(call: Call, login: str) -> Account:
    """Find an account by address or user name, whatever the key may do."""
    by_login = EmailRef(project=(await call.project()).name, email=login)
    return (await call.clients.accounts.GetAccount(GetAccountRequest(account=AccountRef(email=by_login)))).account


async def _profile(call: Call, guid: str) -> Profile:
    if len(guid) > _MAX_GUID_LENGTH:
        raise GatepostError(Reason.NOT_FOUND)
    request = LookupProfileRequest(project_id=(await call.project()).id, number=int(guid))
    return (await call.clients.profiles.LookupProfile(request)).profile


async def _describe(call: Call, account: Account, *, patient: bool = False) -> dict[str, Any]:
    profile = await call.clients.profile(account.user_id, patient=patient)
    username = account.username or f"user{profile.number}"
    folder = f"{await _site(call)}/avatar/{username}"
    return {
        "guid": str(profile.number),
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "fullname": _fullname(profile),
        "username": username,
        "email": account.email,
        "birthdate": f"{date.fromisoformat(profile.birth_date):%d/%m/%Y}" if profile.birth_date else "",
        "gender": profile.gender,
        "icon": {size: f"{folder}/{size}/{_file(profile, size)}" for size in _SIZES},
        "cover_url": f"{call.public_url}/pictures/{profile.cover}/whole" if profile.cover else False,
        "language": (profile.language or account.language).partition("-")[0] or None,
        "is_verified_user": profile.badge or None,
    }


async def _site(call: Call) -> str:
    """Return the base of the project's addresses: below its prefix, unless our own host stands for it."""
    project = await call.project()
    ours = await or_none(call.clients.project_of_host(urlsplit(call.public_url).netloc))
    return call.public_url if ours and ours.name == project.name else f"{call.public_url}/t/{project.name}"


def _file(profile: Profile, size: str) -> str:
    """Name the file of a picture: another one whenever it shows something else, and not to be guessed."""
    shown = f"{profile.user_id}:{size}:{profile.picture or _fullname(profile)}"
    return f"{sha256(shown.encode()).hexdigest()[:32]}.jpeg"


def _fullname(profile: Profile) -> str:
    return f"{profile.first_name} {profile.last_name}".strip()


def _gender(field: str, value: str) -> str:
    if value not in _GENDERS:
        raise invalid(field, f"The {field} must be male or female.")
    return value


def _birth_date(value: str) -> str:
    written = _DATE.fullmatch(value)
    try:
        return date(*(int(part) for part in reversed(written.groups()))).isoformat() if written else _no_date()
    except ValueError:
        return _no_date()


def _no_date() -> NoReturn:
    raise invalid("birthdate", "The birthdate must be a date as dd/mm/yyyy.")


async def _success(call: Call, payload: Any, headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
    if not _CREDENTIALS.isdisjoint(call.query):
        headers = {**headers, "Deprecation": _DEPRECATED}
    return await _envelope(call, payload, "100", "Request successfully executed", headers)


async def _envelope(
    call: Call, payload: Any, code: str, message: str, headers: Mapping[str, str] = _NO_HEADERS
) -> Reply:
    merchant = _NOBODY
    with suppress(GatepostError):
        project = await call.project()
        merchant = project.display_name or project.name
    body = {
        "merchant": merchant,
        "url": f"{call.public_url}/",
        "time_token": int(_CLOCK.now().timestamp()),
        "payload": payload,
        "code": code,
        "message": message,
    }
    return Reply(json=body, headers={"Content-Type": "application/json;charset=utf-8", **headers})


_BAD_KEY = Rendering(401, "Invalid API KEY token", "106")
_CREDENTIALS_WRONG = Rendering(401, "Invalid username or password!", "105")
_NO_USER = Rendering(404, "No such a user exists", "103")
_NO_METHOD = Rendering(404, "Invalid Method", "101")
_NO_VERSION = Rendering(404, "Invalid API version", "107")
_FAILED = Rendering(409, "The condition for this request is not met", "200")
_NOTHING = Rendering(500, "The requested method have no paypload for you", "102")
_AWAY = Rendering(503, _NOTHING.text, "102")

# Texts in braces are filled in below.
ERRORS: Mapping[Reason, Rendering] = {
    Reason.MALFORMED_REQUEST: Rendering(400, "The request cannot be read.", "103"),
    Reason.MISSING_PARAMETER: Rendering(400, "One or more input expected , is empty. Missing: {missing}.", "106"),
    Reason.INVALID_PARAMETER: Rendering(422, "{sentence}", "103"),
    Reason.PAYLOAD_TOO_LARGE: Rendering(413, "The request is too large.", "103"),
    Reason.CLIENT_UNKNOWN: _BAD_KEY,
    Reason.CLIENT_BAD_SECRET: _BAD_KEY,
    Reason.BAD_CREDENTIALS: _CREDENTIALS_WRONG,
    Reason.USER_NOT_VALIDATED: Rendering(403, "User not validated", "104"),
    Reason.SECOND_FACTOR_REQUIRED: Rendering(401, "Second factor required", "105"),
    Reason.API_KEY_INVALID: _BAD_KEY,
    Reason.IDENTITY_INVALID: _CREDENTIALS_WRONG,
    Reason.IDENTITY_UNKNOWN: _CREDENTIALS_WRONG,
    Reason.CODE_INVALID: _CREDENTIALS_WRONG,
    Reason.CHALLENGE_FAILED: _CREDENTIALS_WRONG,
    Reason.TOKEN_MISSING: _CREDENTIALS_WRONG,
    Reason.TOKEN_INVALID: _CREDENTIALS_WRONG,
    Reason.TOKEN_EXPIRED: _CREDENTIALS_WRONG,
    Reason.SCOPE_MISSING: Rendering(403, _BAD_KEY.text, "106"),
    Reason.EMAIL_TAKEN: Rendering(409, "email:inuse", "103"),
    Reason.USERNAME_TAKEN: Rendering(409, "username:inuse", "103"),
    Reason.IDENTITY_TAKEN: _FAILED,
    Reason.WEAK_PASSWORD: Rendering(422, "{minimum}", "107"),
    Reason.ROLE_UNKNOWN: _FAILED,
    Reason.ROLE_FORBIDDEN: Rendering(409, "Administrators cannot be deleted", "200"),
    Reason.REAUTH_REQUIRED: Rendering(403, "The current_password is required", "103"),
    Reason.RATE_LIMITED: Rendering(429, _CREDENTIALS_WRONG.text, "105"),
    Reason.UNKNOWN_METHOD: _NO_METHOD,
    Reason.METHOD_NOT_ALLOWED: Rendering(405, _NO_METHOD.text, "101"),
    Reason.DIALECT_DISABLED: _NO_VERSION,
    Reason.NOT_FOUND: _NO_USER,
    Reason.ALREADY_EXISTS: _FAILED,
    Reason.CONFLICT: _FAILED,
    Reason.CALLER_REFUSED: _NOTHING,
    Reason.OVERLOADED: _AWAY,
    Reason.UNAVAILABLE: _AWAY,
    Reason.DEADLINE_EXCEEDED: _AWAY,
    Reason.INTERNAL: _NOTHING,
}


async def _error_body(failure: Failure) -> Reply:
    call, error, rendering = failure.call, failure.error, failure.rendering
    version = _VERSION.match(call.target)
    if error.reason is Reason.UNKNOWN_METHOD and version and version[1] not in _VERSIONS:
        rendering = _NO_VERSION
    words = {
        "missing": ", ".join(each.field for each in error.violations if each.rule is Rule.REQUIRED),
        "sentence": next((each.description for each in error.violations), "The request is invalid."),
        "minimum": str((await call.project()).password_min_length) if error.reason is Reason.WEAK_PASSWORD else "",
    }
    answer = await _envelope(call, False, rendering.code, rendering.text.format(**words))
    # A picture is embedded, not read: there a status says it, in both modes.
    return answer if version else msgspec.structs.replace(answer, status=rendering.status)


_SERVICES = (
    ("/api/v1.0/user_authenticate", _user_authenticate, "user:authenticate", Limit.PASSWORD, _UserAnswer),
    ("/api/v1.0/user_details", _user_details, "user:read", Limit.ORDINARY, _UserAnswer),
    ("/api/v1.0/user_add", _user_add, "user:create", Limit.PASSWORD, _UserAnswer),
    ("/api/v1.0/user_edit", _user_edit, "user:edit", Limit.PASSWORD, _UserAnswer),
    ("/api/v2.0/user/delete", _user_delete, "user:delete", Limit.ORDINARY, _Done),
)
DIALECT = Dialect(
    name="ossn",
    prefixes=("/api/v*.*", "/avatar"),
    routes=(
        *(
            Route("GET POST", path, handler, _key(scope), limit, Takes.QUERY_AND_BODY, answer)
            for path, handler, scope, limit, answer in _SERVICES
        ),
        Route("GET HEAD", "/avatar/{username}/{size}/{file}", _avatar, ANYONE, Limit.ORDINARY),
    ),
    errors=ERRORS,
    error_body=_error_body,
    default_mode=StatusMode.LEGACY,
    legacy_status=200,
    cors=False,
    mountable=True,
    error_answer=_Error,
)
