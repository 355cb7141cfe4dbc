"""Shoop auth v2: sign-in of a mobile app, which then shows a long-lived key. The contract is docs/dialects/shoop.md."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict
from uuid import uuid4

import msgspec
from google.protobuf.field_mask_pb2 import FieldMask

from gatepost.auth.v1.accounts_pb2 import Account, NewProfile
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.projects_pb2 import SignInPolicy
from gatepost.auth.v1.sign_in_pb2 import (
    CompletePasswordResetRequest,
    ExternalIdentity,
    IssuedSession,
    SignInRequest,
    SignInWithIdentityRequest,
    SignUpRequest,
    StartPasswordResetRequest,
)
from gatepost.auth.v1.tokens_pb2 import AuthenticateResponse
from gatepost.notify.v1.devices_pb2 import RegisterDeviceRequest
from gatepost.users.v1.locations_pb2 import GetLocationRequest, ListLocationsRequest, Location
from gatepost.users.v1.profiles_pb2 import Profile, UpdateProfileRequest
from gateway.call import Call
from gateway.clients import or_none
from gateway.dialect import Dialect, Failure, Rendering, Route
from gateway.fields import digits, email, number, text, text_or_int
from gateway.guards import ANYONE, Guard
from gateway.limits import Limit
from gateway.moments import second
from gateway.pictures import file_of
from gateway.reply import Reply
from runtime.errors import GatepostError, Reason, Rule, invalid, missing
from runtime.logs import get_logger

_FORM = TokenForm.TOKEN_FORM_SESSION_KEY
_HEADER = "X-API-KEY"
_FACEBOOK = "facebook"
_MAX_DEVICE_LENGTH = 4096
_MAX_FILE_NAME_LENGTH = 255
_MAX_LOCATION_LENGTH = 18  # fits 64 bits
# notify-service may be slow or away; who signs in does not wait for it.
_DEVICE_SECONDS = 1.0
# The core's names of fields, and the wire's where one text stands for several.
_WIRE_NAMES = {
    "login": "email",
    "code": "token",
    "id_location": "location",
    "location_id": "location",
    "latitude": "location",
    "longitude": "location",
    "first_name": "name",
    "last_name": "name",
}


@dataclass(frozen=True, slots=True)
class _Login:
    email: str = email(default="")
    password: str = text(default="", secret=True)
    fb_token: str = text(default="", secret=True)
    fb_uid: str = text_or_int(default="")
    gcm_id: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Register:
    email: str = email()
    password: str = text(secret=True)
    name: str = text()
    id_location: str = digits()
    phone: str = text_or_int(default="")
    gcm_id: str = text(default="")
    longitude: float | None = number(default=None)
    latitude: float | None = number(default=None)
    avatar: str = text(default="")
    fb_token: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _ForgotPassword:
    email: str = email()


@dataclass(frozen=True, slots=True)
class _ResetPassword:
    email: str = email()
    token: str = text_or_int(secret=True)
    password: str = text(secret=True)


@dataclass(frozen=True, slots=True)
class _EditUser:
    name: str | None = text(default=None)
    gcm_id: str = text(default="")
    address: str | None = text(default=None)
    id_location: str = digits(default="")
    phone: str | None = text_or_int(default=None)
    avatar: str | None = text(default=None)
    latitude: float | None = number(default=None)
    longitude: float | None = number(default=None)


@dataclass(frozen=True, slots=True)
class _Place:
    id_location: str = digits(default="")


class _KeyAnswer(TypedDict):
    """The key of a device: 40 hex digits for the header X-API-KEY."""

    status: Literal[1]
    key: str


class _Said(TypedDict):
    """Done, in words for the person."""

    status: Literal[1]
    message: str


class _UserObject(TypedDict):
    """A user; what other systems gave him as secrets is never told."""

    id_user: str
    name: str
    email: str
    phone: str | None
    birthdate: str | None
    username: str | None
    address: str | None
    city: str | None
    country: str | None
    bio: str | None
    avatar: str | None
    type: str
    fb_token: str
    fb_token_expired: str | None
    tw_token: str
    tw_secret: str
    album_id: str | None
    show_phone: str
    gcm_regid: str
    premium_end: str | None
    is_premium: str
    updated: str
    fb_uid: str
    joined_date: str
    id_key: str
    longitude: str | None
    latitude: str | None
    id_location: str | None
    status: str
    app_version: str | None
    last_activity: str | None
    buyer_poin: str
    seller_poin: str
    is_trusted: str
    is_sundul: str


class _ProductCount(TypedDict):
    all: int
    active: int


class _Follow(TypedDict):
    following: int
    follower: int


class _Point(TypedDict):
    balance: int


class _ActiveUser(TypedDict):
    """The key's user, and the counts of a shop that this is not."""

    status: Literal[1]
    user: _UserObject
    product_count: _ProductCount
    follow: _Follow
    shoop_count: int
    point: _Point


class _SuperLocation(TypedDict):
    """The place that a place lies in."""

    idsl: str
    name: str


class _LocationObject(TypedDict):
    """A place."""

    id_location: str
    name: str
    superloc: _SuperLocation | None


class _Locations(TypedDict):
    """Places, by id."""

    status: Literal[1]
    location: list[_LocationObject]


class _Error(TypedDict):
    """An error, in words."""

    status: Literal[0]
    error: str


async def _admit(call: Call) -> None:
    """Find the key: in its header, or in a parameter of that name, as the framework of old clients allowed."""
    given = call.header(_HEADER) or call.query.get(_HEADER) or (await call.body()).get(_HEADER)
    if not given:
        raise GatepostError(Reason.TOKEN_MISSING, "a key is required")
    call.token = str(given)


# A session key, in the header X-API-KEY or a parameter; auth-service says whose it is.
_SESSION_KEY = Guard("session key", ANYONE.check, _admit)


async def _login(call: Call, form: _Login) -> Reply:
    """Sign in, by address and password or by Facebook; answers the key of this device."""
    with_password = bool(form.email and form.password)
    if not with_password and not (form.fb_token and form.fb_uid):
        raise missing(_first_missing(form))
    _check_device(form.gcm_id)
    project = (await call.project()).name
    if with_password:
        request = SignInRequest(project=project, form=_FORM, login=form.email, password=form.password, single_step=True)
        session = (await call.clients.sign_in.SignIn(request)).result.session
    else:
        identity = ExternalIdentity(provider=_FACEBOOK, token=form.fb_token, subject=form.fb_uid)
        asked = SignInWithIdentityRequest(project=project, form=_FORM, identity=identity)
        session = (await call.clients.sign_in.SignInWithIdentity(asked)).session
    return await _key(call, session, form.gcm_id)


async def _register(call: Call, form: _Register) -> Reply:
    """Sign a person up; answers the key of this device."""
    _check_device(form.gcm_id)
    first_name, last_name = _split_name(form.name)
    avatar = _file_name(form.avatar)
    project = await call.project()
    if project.sign_in_policy != SignInPolicy.SIGN_IN_POLICY_NONE:
        raise GatepostError(Reason.SECOND_FACTOR_REQUIRED, "this wire has no second step")
    location = await _location(call, form.id_location)
    request = SignUpRequest(
        user_id=str(uuid4()),
        project=project.name,
        form=_FORM,
        email=form.email,
        password=form.password,
        profile=NewProfile(
            first_name=first_name,
            last_name=last_name,
            phone=form.phone,
            location_id=location.id,
            latitude=_degrees("latitude", form.latitude, 90),
            longitude=_degrees("longitude", form.longitude, 180),
            meta=_with_avatar(Profile(), avatar) if avatar else None,
        ),
    )
    if form.fb_token:
        request.identity.CopyFrom(ExternalIdentity(provider=_FACEBOOK, token=form.fb_token))
    return await _key(call, (await call.clients.sign_up(request)).result.session, form.gcm_id)


async def _forgot_password(call: Call, form: _ForgotPassword) -> Reply:
    """Mail a token to reset the password with; the answer is the same for an address without account."""
    project = (await call.project()).name
    await call.clients.sign_in.StartPasswordReset(StartPasswordResetRequest(project=project, email=form.email))
    return _said("Profile detail and reset password has been sent to your email.")


async def _reset_password(call: Call, form: _ResetPassword) -> Reply:
    """Set a new password with the mailed token."""
    project = (await call.project()).name
    await call.clients.sign_in.CompletePasswordReset(
        CompletePasswordResetRequest(email=form.email, project=project, code=form.token, password=form.password)
    )
    return _said("Your password has been changed.")


async def _get_active_user(call: Call) -> Reply:
    """Return the user of the key."""
    found = await _authenticate(call)
    return await _active_user(call, found, await call.clients.profile(found.account.user_id))


async def _edit_user(call: Call, form: _EditUser) -> Reply:
    """Change the user of the key; returns him as he is then."""
    _check_device(form.gcm_id)
    avatar = None if form.avatar is None else _file_name(form.avatar)
    found = await _authenticate(call)
    profile = await call.clients.profile(found.account.user_id)
    changes: dict[str, Any] = {
        "phone": form.phone,
        "address": form.address,
        "latitude": _degrees("latitude", form.latitude, 90),
        "longitude": _degrees("longitude", form.longitude, 180),
    }
    if form.name is not None:
        changes["first_name"], changes["last_name"] = _split_name(form.name)
    if form.id_location:
        changes["location_id"] = (await _location(call, form.id_location)).id
    if avatar is not None:
        changes["meta"] = _with_avatar(profile, avatar)
    changes = {field: value for field, value in changes.items() if value is not None}
    if changes:
        request = UpdateProfileRequest(
            profile=Profile(user_id=profile.user_id, **changes), update_mask=FieldMask(paths=list(changes))
        )
        profile = (await call.clients.profiles.UpdateProfile(request)).profile
    await _register_device(call, found.account, form.gcm_id)
    return await _active_user(call, found, profile)


async def _get_location(call: Call, form: _Place) -> Reply:
    """List the places that people can say they are at, or one of them."""
    if form.id_location:
        return _locations([await _location(call, form.id_location)])
    found: list[Location] = []
    page_token = None
    while page_token != "":
        answer = await call.clients.locations.ListLocations(ListLocationsRequest(page_token=page_token or ""))
        found += answer.locations
        page_token = answer.next_page_token
    return _locations(found)


def _first_missing(form: _Login) -> str:
    """Name what is missing to a pair that was begun; the pair with the password goes first."""
    if form.email:
        return "password"
    if form.password or not (form.fb_token or form.fb_uid):
        return "email"
    return "fb_uid" if form.fb_token else "fb_token"


def _check_device(gcm_id: str) -> None:
    if len(gcm_id) > _MAX_DEVICE_LENGTH:
        raise invalid("gcm_id", "The gcm_id is too long.")


def _split_name(name: str) -> tuple[str, str]:
    """Split a name at its last blank; the wire has one name where we keep two."""
    first, _, last = name.strip().rpartition(" ")
    if not last:
        raise invalid("name", "The name is empty.")
    return (first.rstrip(), last) if first else (last, "")


def _file_name(avatar: str) -> str:
    if len(avatar) > _MAX_FILE_NAME_LENGTH or avatar in {".", ".."} or not avatar.isprintable():
        raise invalid("avatar", "The avatar must be a file name.")
    if {"/", "\\", ":"} & set(avatar):
        raise invalid("avatar", "The avatar must be a file name, not a path or an address.")
    return avatar


def _degrees(field: str, value: float | None, limit: float) -> float | None:
    if value is not None and abs(value) > limit:
        raise invalid(field, f"The {field} must be between -{limit} and {limit}.")
    return value


async def _location(call: Call, id_location: str) -> Location:
    found = None
    if len(id_location) <= _MAX_LOCATION_LENGTH:
        found = await or_none(call.clients.locations.GetLocation(GetLocationRequest(id=int(id_location))))
    if found is None:
        raise invalid("id_location", "The id_location is not known.")
    return found.location


async def _authenticate(call: Call) -> AuthenticateResponse:
    found = await call.clients.authenticate(call.token, _FORM)
    if found.account.project != (await call.project()).name:
        raise GatepostError(Reason.TOKEN_INVALID, "the key is of another project")
    return found


async def _key(call: Call, session: IssuedSession, gcm_id: str) -> Reply:
    await _register_device(call, session.account, gcm_id)
    return Reply(json={"status": 1, "key": session.token})


async def _register_device(call: Call, account: Account, gcm_id: str) -> None:
    """Note where push messages for the person go, if that can be done at once; nobody is kept out for it."""
    if not gcm_id:
        return
    request = RegisterDeviceRequest(user_id=account.user_id, project_id=account.project_id, kind="gcm", token=gcm_id)
    try:
        async with asyncio.timeout(_DEVICE_SECONDS):
            await call.clients.devices.RegisterDevice(request)
    except (GatepostError, TimeoutError) as exc:
        get_logger().warning("device not registered", error=type(exc).__name__)


async def _active_user(call: Call, found: AuthenticateResponse, profile: Profile) -> Reply:
    city = None
    if profile.location_id:
        city = await or_none(call.clients.locations.GetLocation(GetLocationRequest(id=profile.location_id)))
    account = found.account
    user = {
        "id_user": str(profile.number),
        "name": f"{profile.first_name} {profile.last_name}".strip(),
        "email": account.email,
        "phone": profile.phone or None,
        "birthdate": profile.birth_date or None,
        "username": account.username or None,
        "address": profile.address or None,
        "city": city.location.name if city else None,
        "country": None,
        "bio": profile.biography or None,
        "avatar": _meta(profile).get("avatar") or file_of(profile.picture) or None,
        "type": account.role,
        "fb_token": "",
        "fb_token_expired": None,
        "tw_token": "",
        "tw_secret": "",
        "album_id": None,
        "show_phone": "0",
        "gcm_regid": "",
        "premium_end": None,
        "is_premium": "0",
        "updated": second(profile.update_time),
        "fb_uid": "null",  # as the wire's samples have it
        "joined_date": second(account.create_time),
        "id_key": found.session.id,
        "longitude": str(profile.longitude) if profile.HasField("longitude") else None,
        "latitude": str(profile.latitude) if profile.HasField("latitude") else None,
        "id_location": str(profile.location_id) if profile.location_id else None,
        "status": "1",
        "app_version": None,
        "last_activity": second(found.session.last_use_time) if found.session.HasField("last_use_time") else None,
        "buyer_poin": "0",
        "seller_poin": "0",
        "is_trusted": "1" if profile.badge else "0",
        "is_sundul": "0",
    }
    counts = {
        "product_count": {"all": 0, "active": 0},
        "follow": {"following": 0, "follower": 0},
        "shoop_count": 0,
        "point": {"balance": 0},
    }
    return Reply(json={"status": 1, "user": user, **counts})


def _locations(found: list[Location]) -> Reply:
    places = [
        {
            "id_location": str(place.id),
            "name": place.name,
            "superloc": {"idsl": str(place.parent_id), "name": place.parent_name} if place.parent_id else None,
        }
        for place in found
    ]
    return Reply(json={"status": 1, "location": places})


def _meta(profile: Profile) -> dict[str, Any]:
    """Return the app's free text as an object: empty if there is none, or it is something else."""
    try:
        meta: dict[str, Any] = msgspec.json.decode(profile.meta, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return meta


def _with_avatar(profile: Profile, avatar: str) -> str | None:
    """Return the app's free text with the name of a picture in it; None where it is text of another kind."""
    if profile.meta and not _meta(profile) and profile.meta != "{}":
        return None
    return msgspec.json.encode(_meta(profile) | {"avatar": avatar}).decode()


def _said(message: str) -> Reply:
    return Reply(json={"status": 1, "message": message})


_TOKEN = Rendering(400, "Your token is invalid.")
_NO_KEY = Rendering(403, "Invalid API Key.")
_FORBIDDEN = Rendering(403, "This API key does not have enough permissions.")
_NO_METHOD = Rendering(404, "Unknown method.")
_CONFLICT = Rendering(409, "Your request conflicts with another one.")
_INTERNAL = Rendering(500, "Internal error.")
_AWAY = Rendering(503, "Our service is not available. Please try again.")

# The parameter in braces is filled in below.
ERRORS: Mapping[Reason, Rendering] = {
    Reason.MALFORMED_REQUEST: Rendering(400, "Your request is invalid."),
    Reason.MISSING_PARAMETER: Rendering(400, "Your parameter is not complete. Missing parameter '{parameter}'."),
    Reason.INVALID_PARAMETER: Rendering(400, "Your {parameter} is invalid."),
    Reason.PAYLOAD_TOO_LARGE: Rendering(413, "Your request is too large."),
    Reason.CLIENT_UNKNOWN: _NO_KEY,
    Reason.CLIENT_BAD_SECRET: _NO_KEY,
    Reason.BAD_CREDENTIALS: Rendering(401, "Your password is invalid."),
    Reason.USER_NOT_VALIDATED: Rendering(403, "Your account is not verified."),
    Reason.SECOND_FACTOR_REQUIRED: Rendering(403, "Your account needs a second step."),
    Reason.API_KEY_INVALID: _NO_KEY,
    Reason.IDENTITY_INVALID: Rendering(401, "Your Facebook token is invalid."),
    Reason.IDENTITY_UNKNOWN: Rendering(404, "Your Facebook account is not registered."),
    Reason.CODE_INVALID: _TOKEN,
    Reason.CHALLENGE_FAILED: _TOKEN,
    Reason.TOKEN_MISSING: _NO_KEY,
    Reason.TOKEN_INVALID: _NO_KEY,
    Reason.TOKEN_EXPIRED: _NO_KEY,
    Reason.SCOPE_MISSING: _FORBIDDEN,
    Reason.EMAIL_TAKEN: Rendering(409, "Your email has been registered."),
    Reason.USERNAME_TAKEN: Rendering(409, "Your username has been registered."),
    Reason.IDENTITY_TAKEN: Rendering(409, "Your Facebook account has been registered."),
    Reason.WEAK_PASSWORD: Rendering(422, "Your password is too weak."),
    Reason.ROLE_UNKNOWN: _FORBIDDEN,
    Reason.ROLE_FORBIDDEN: _FORBIDDEN,
    Reason.REAUTH_REQUIRED: _FORBIDDEN,
    Reason.RATE_LIMITED: Rendering(429, "Too many requests."),
    Reason.UNKNOWN_METHOD: _NO_METHOD,
    Reason.METHOD_NOT_ALLOWED: Rendering(405, _NO_METHOD.text),
    Reason.DIALECT_DISABLED: _NO_METHOD,
    Reason.NOT_FOUND: _NO_METHOD,
    Reason.ALREADY_EXISTS: _CONFLICT,
    Reason.CONFLICT: _CONFLICT,
    Reason.CALLER_REFUSED: _INTERNAL,
    Reason.OVERLOADED: _AWAY,
    Reason.UNAVAILABLE: _AWAY,
    Reason.DEADLINE_EXCEEDED: _AWAY,
    Reason.INTERNAL: _INTERNAL,
}


async def _error_body(failure: Failure) -> Reply:
    absent = failure.error.reason is Reason.MISSING_PARAMETER
    wrong = [each.field for each in failure.error.violations if (each.rule is Rule.REQUIRED) == absent]
    parameter = wrong[0] if wrong else "request"
    shown = parameter if absent else _WIRE_NAMES.get(parameter, parameter)
    return Reply(json={"status": 0, "error": failure.rendering.text.format(parameter=shown)})


DIALECT = Dialect(
    name="shoop",
    prefixes=("/api/v2",),
    routes=(
        Route("POST", "/api/v2/auth/login", _login, ANYONE, Limit.PASSWORD, answer=_KeyAnswer),
        Route("POST", "/api/v2/auth/register", _register, ANYONE, Limit.PASSWORD, answer=_KeyAnswer),
        Route("POST", "/api/v2/auth/forgot_password", _forgot_password, ANYONE, Limit.ORDINARY, answer=_Said),
        Route("POST", "/api/v2/auth/reset_password", _reset_password, ANYONE, Limit.PASSWORD, answer=_Said),
        Route(
            "GET", "/api/v2/user/get_active_user", _get_active_user, _SESSION_KEY, Limit.ORDINARY, answer=_ActiveUser
        ),
        Route("POST", "/api/v2/user/edit_user", _edit_user, _SESSION_KEY, Limit.ORDINARY, answer=_ActiveUser),
        Route("GET", "/api/v2/location", _get_location, ANYONE, Limit.ORDINARY, answer=_Locations),
        Route("GET", "/api/v2/location/get_location", _get_location, ANYONE, Limit.ORDINARY, answer=_Locations),
    ),
    errors=ERRORS,
    error_body=_error_body,
    legacy_status=200,
    mountable=True,
    error_answer=_Error,
)
