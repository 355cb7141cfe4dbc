"""VorgID: OAuth 2.0 in its own spelling, and what apps may read and change. The contract is docs/dialects/vorgid.md."""

import base64
import binascii
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Literal, NotRequired, TypedDict, TypeVar

from gatepost.auth.v1 import accounts_pb2 as accounts
from gatepost.auth.v1.apps_pb2 import App
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.tokens_pb2 import AuthenticateResponse
from gatepost.users.v1.pictures_pb2 import PictureKind, SetProfilePictureRequest
from gatepost.users.v1.profiles_pb2 import Profile
from gateway import oauth, pictures
from gateway.call import Call
from gateway.dialect import Dialect, Failure, Rendering, Route
from gateway.fields import Takes, email, text, text_or_int
from gateway.guards import ANYONE, CLIENT, Guard, require_bearer
from gateway.limits import Limit
from gateway.reply import Reply
from gateway.web import authorization
from gateway.web.authorization import Ask, Decision, asked, proof_key
from gateway.web.forms import protected
from gateway.web.locale import mark as _
from gateway.web.session import SESSION, VISITOR
from runtime.errors import GatepostError, Reason, invalid

Data = TypeVar("Data")
_FORM = TokenForm.TOKEN_FORM_SHORT_PAIR
_USER, _USER_EMAIL, _USER_PHONE = "VorgID::user", "VorgID::user::email", "VorgID::user::phone"
_EDIT_EMAIL, _EDIT_PHONE, _EDIT_PERSONAL = "VorgID::edit::email", "VorgID::edit::phone", "VorgID::edit::personal"
# What the consent page says of each; scopes that are not ours are shown as they are.
_SHARES: Mapping[str, tuple[str, ...]] = {
    _USER: (_("Name"), _("Profile picture"), _("Date of birth")),
    _USER_EMAIL: (_("E-mail address"),),
    _USER_PHONE: (_("Phone number"),),
    _EDIT_EMAIL: (_("Change your e-mail address"),),
    _EDIT_PHONE: (_("Change your phone number"),),
    _EDIT_PERSONAL: (_("Change your name and profile picture"),),
}
_ID_AS_STRING = "vorgid.id_as_string"  # a switch of the project
_MAX_NAME_LENGTH = 100
_PNG = b"\x89PNG\r\n\x1a\n"
_DATA_URI = re.compile(r"data:image/png;base64,")
_PICTURES = "/v1/vorg-id/pictures/"


@dataclass(frozen=True, slots=True)
class _Authorize:
    client_id: str = text_or_int()
    redirect_url: str = text(default="")
    redirect_uri: str = text(default="")
    response_type: str = text()
    scopes: str = text(default="")
    scope: str = text(default="")
    state: str = text(default="")
    code_challenge: str = text(default="")
    code_challenge_method: str = text(default="")


@dataclass(frozen=True, slots=True)
class _EditEmail:
    email: str = email()
    sign: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _EditPhone:
    phone: str = text_or_int()
    sign: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _EditName:
    name: str = text()


@dataclass(frozen=True, slots=True)
class _EditPhoto:
    file: str = text()


class _Success(TypedDict, Generic[Data]):
    """What every other success looks like."""

    success: Literal["ok"]
    data: Data


class _Person(TypedDict):
    """A user; e-mail and phone by scope. The id is a string where the project wants it."""

    id: int | str
    name: str
    profile_img: str
    birthday: str | None
    email: NotRequired[str]
    phone: NotRequired[str | None]
    phone_accepted: NotRequired[bool]


class _NewEmail(TypedDict):
    """The new address; `hash_token` goes into `sign`, with the code. Changed when `confirmed`."""

    new_email: str
    hash_token: str
    confirmed: NotRequired[Literal[True]]


class _NewPhone(TypedDict):
    """The new number; `hash_token` goes into `sign`, with the code. Changed when `confirmed`."""

    new_phone: str
    hash_token: str
    confirmed: NotRequired[Literal[True]]


class _NewName(TypedDict):
    """The new name, as sent."""

    new_name: str


class _NewPhoto(TypedDict):
    """Where the new picture is."""

    link: str


class _Error(TypedDict):
    """What went wrong; `error_data` says more if a parameter or a scope is at fault, else it is empty."""

    error: str
    error_data: str | dict[str, str]


async def _authorize(call: Call, form: _Authorize) -> Reply:
    """Ask a person to let an app do what its scopes say, and send him back to it."""
    return await authorization.proceed(call, await _ask(call, form))


async def _decide(call: Call, form: Decision) -> Reply:
    """Take what the person decided on the consent page."""
    return await authorization.decide(call, await _ask(call, asked(call, _Authorize)), form)


async def _token(call: Call, form: oauth.Grant) -> Reply:
    """Exchange a code or a refresh token for tokens."""
    return await oauth.exchange(call, form, _FORM)


async def _personal(call: Call) -> Reply:
    """Return the user of the token."""
    who = await _authenticate(call, _USER)
    profile = await call.clients.profile(who.account.user_id)
    as_string = _ID_AS_STRING in (await call.clients.project(who.account.project)).switches
    person = _Person(
        id=str(profile.number) if as_string else profile.number,
        name=f"{profile.first_name} {profile.last_name}".strip() or who.account.username or f"user{profile.number}",
        profile_img=_link(call, profile),
        birthday=profile.birth_date or None,
    )
    if _USER_EMAIL in who.session.scopes:
        person["email"] = who.account.email
    if _USER_PHONE in who.session.scopes:
        person["phone"] = profile.phone_e164 or profile.phone or None
        person["phone_accepted"] = profile.phone_verified
    return _success(person)


async def _edit_email(call: Call, form: _EditEmail) -> Reply:
    """Mail a code to a new address; with the code in `sign`, move to it."""
    await _authenticate(call, _EDIT_EMAIL)
    if not form.sign:
        start = accounts.StartEmailChangeRequest(access_token=call.token, form=_FORM, email=form.email)
        opened = await call.clients.accounts.StartEmailChange(start)
        return _success(_NewEmail(new_email=form.email, hash_token=opened.handle))
    code, handle = _signed(form.sign)
    await call.clients.accounts.CompleteEmailChange(
        accounts.CompleteEmailChangeRequest(
            access_token=call.token, form=_FORM, email=form.email, handle=handle, code=code
        )
    )
    return _success(_NewEmail(new_email=form.email, hash_token=handle, confirmed=True))


async def _edit_phone(call: Call, form: _EditPhone) -> Reply:
    """Send a code to a new phone number; with the code in `sign`, keep it."""
    await _authenticate(call, _EDIT_PHONE)
    phone = form.phone.replace(" ", "+", 1) if form.phone.startswith(" ") else form.phone  # a plus in a query
    if not form.sign:
        start = accounts.StartPhoneChangeRequest(access_token=call.token, form=_FORM, phone=phone)
        opened = await call.clients.accounts.StartPhoneChange(start)
        return _success(_NewPhone(new_phone=phone, hash_token=opened.handle))
    code, handle = _signed(form.sign)
    change = accounts.CompletePhoneChangeRequest(
        access_token=call.token, form=_FORM, phone=phone, handle=handle, code=code
    )
    await call.clients.accounts.CompletePhoneChange(change)
    return _success(_NewPhone(new_phone=phone, hash_token=handle, confirmed=True))


async def _edit_name(call: Call, form: _EditName) -> Reply:
    """Change the name: the last word becomes the last name."""
    await _authenticate(call, _EDIT_PERSONAL)
    name = form.name.strip()
    if not 0 < len(name) <= _MAX_NAME_LENGTH or any(unicodedata.category(char) == "Cc" for char in form.name):
        raise invalid("name", f"The name has 1 to {_MAX_NAME_LENGTH} characters, none of them a control character.")
    first, _blank, last = name.rpartition(" ")
    request = accounts.UpdateOwnAccountRequest(
        access_token=call.token, form=_FORM, first_name=first.strip() or last, last_name=last if first else ""
    )
    await call.clients.accounts.UpdateOwnAccount(request)
    return _success(_NewName(new_name=form.name))


async def _edit_photo(call: Call, form: _EditPhoto) -> Reply:
    """Change the profile picture to a PNG in base64."""
    who = await _authenticate(call, _EDIT_PERSONAL)
    content = _unbase64(_DATA_URI.sub("", form.file, count=1))
    if content is None or not content.startswith(_PNG):
        raise invalid("file", "The file must be a PNG in base64.")
    request = SetProfilePictureRequest(
        user_id=who.account.user_id, kind=PictureKind.PICTURE_KIND_AVATAR, content=content
    )
    profile = (await call.clients.pictures.SetProfilePicture(request)).profile
    return _success(_NewPhoto(link=_link(call, profile)))


async def _picture(call: Call) -> Reply:
    """Return a picture, to be kept for ever."""
    return await pictures.serve(call, call.segments["file"])


async def _ask(call: Call, form: _Authorize) -> Ask:
    app = await authorization.find_app(call, form.client_id)
    redirect_url = _registered(app, form.redirect_url, form.redirect_uri)
    if not redirect_url:
        raise invalid("redirect_url", "It is not one of the app's.")
    if form.response_type != "code":
        raise invalid("response_type", "The response_type is code.")
    scopes = tuple(dict.fromkeys((form.scopes or form.scope).split()))
    if not scopes or not set(scopes) <= set(app.scopes):
        raise GatepostError(Reason.SCOPE_MISSING)
    return Ask(
        app=app,
        redirect_url=redirect_url,
        scopes=scopes,
        shares=tuple(line for scope in scopes for line in _SHARES.get(scope, (scope,))),
        issue=_FORM,
        code_name="code",
        state=form.state,
        pkce=proof_key(form.code_challenge, form.code_challenge_method),
    )


def _registered(app: App, *named: str) -> str:
    """The redirect URL that a request names by either parameter, if it is the app's; else nothing."""
    urls = set(filter(None, named))
    return urls.pop() if len(urls) == 1 and urls <= set(app.redirect_urls) else ""


async def _authenticate(call: Call, scope: str) -> AuthenticateResponse:
    who = await call.clients.authenticate(call.token, _FORM)
    if scope not in who.session.scopes:
        raise GatepostError(Reason.SCOPE_MISSING, metadata={"scope": scope})
    return who


def _signed(sign: str) -> tuple[str, str]:
    """Take base64(`code:hash_token`) apart."""
    code, colon, handle = (_unbase64(sign) or b"").decode("ascii", errors="replace").partition(":")
    if not colon:
        raise GatepostError(Reason.CHALLENGE_FAILED, "the sign cannot be read")
    return code, handle


def _unbase64(encoded: str) -> bytes | None:
    """Decode either alphabet, padded or not, in lines or not; a plus that a query string made a blank is a plus."""
    line = encoded.replace("\r", "").replace("\n", "")  # mobile platforms encode in lines of 76 unless told otherwise
    standard = line.strip().replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _link(call: Call, profile: Profile) -> str:
    return f"{call.public_url}{_PICTURES}{pictures.portrait(profile)}"


def _success(data: object) -> Reply:
    return Reply(json={"success": "ok", "data": data})


def _bearer(call: Call) -> None:
    require_bearer(call, "Authorization", "Authoriztion")


def _edit(call: Call) -> None:
    # A GET that changes something must come from somebody who means it.
    if any("prefetch" in call.header(name).lower() for name in ("Purpose", "Sec-Purpose")):
        raise GatepostError(Reason.MALFORMED_REQUEST, "this is not to be fetched ahead")
    _bearer(call)


# An access token in the header, which the published description misspells in places.
_BEARER = Guard("bearer", _bearer)
# The same, for what changes something.
_EDITOR = Guard("bearer", _edit)

_BAD_REQUEST = Rendering(400, "bad request", "invalid_request")
_CLIENT = Rendering(401, "unauthorized", "invalid_client")
_UNAUTHORIZED = Rendering(401, "unauthorized", "invalid_grant")
_FORBIDDEN = Rendering(403, "forbidden", "access_denied")
_NOT_FOUND = Rendering(404, "not found", "invalid_request")
_CONFLICT = Rendering(409, "conflict", "invalid_request")
_INTERNAL = Rendering(500, "internal server error", "server_error")
_UNAVAILABLE = Rendering(503, "service unavailable", "temporarily_unavailable")

# The code is the word of RFC 6749, sections 4.1.2.1 and 5.2, for the same.
ERRORS: Mapping[Reason, Rendering] = {
    Reason.MALFORMED_REQUEST: _BAD_REQUEST,
    Reason.MISSING_PARAMETER: _BAD_REQUEST,
    Reason.INVALID_PARAMETER: _BAD_REQUEST,
    Reason.PAYLOAD_TOO_LARGE: Rendering(413, "payload too large", "invalid_request"),
    Reason.CLIENT_UNKNOWN: _CLIENT,
    Reason.CLIENT_BAD_SECRET: _CLIENT,
    Reason.BAD_CREDENTIALS: _FORBIDDEN,
    Reason.USER_NOT_VALIDATED: _FORBIDDEN,
    Reason.SECOND_FACTOR_REQUIRED: _FORBIDDEN,
    Reason.API_KEY_INVALID: _FORBIDDEN,
    Reason.IDENTITY_INVALID: _FORBIDDEN,
    Reason.IDENTITY_UNKNOWN: _FORBIDDEN,
    Reason.CODE_INVALID: Rendering(400, "bad request", "invalid_grant"),
    Reason.CHALLENGE_FAILED: _BAD_REQUEST,
    Reason.TOKEN_MISSING: _UNAUTHORIZED,
    Reason.TOKEN_INVALID: _UNAUTHORIZED,
    Reason.TOKEN_EXPIRED: _UNAUTHORIZED,
    Reason.SCOPE_MISSING: Rendering(403, "forbidden", "invalid_scope"),
    Reason.EMAIL_TAKEN: _CONFLICT,
    Reason.USERNAME_TAKEN: _CONFLICT,
    Reason.IDENTITY_TAKEN: _CONFLICT,
    Reason.WEAK_PASSWORD: _BAD_REQUEST,
    Reason.ROLE_UNKNOWN: _BAD_REQUEST,
    Reason.ROLE_FORBIDDEN: _FORBIDDEN,
    Reason.REAUTH_REQUIRED: _FORBIDDEN,
    Reason.RATE_LIMITED: Rendering(429, "too many requests", "temporarily_unavailable"),
    Reason.UNKNOWN_METHOD: _NOT_FOUND,
    Reason.METHOD_NOT_ALLOWED: Rendering(405, "method not allowed", "invalid_request"),
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
# The core's names of fields, where the wire has others.
_WIRE_NAMES = {"first_name": "name", "last_name": "name", "content": "file"}
_FIELD_OF = {Reason.CHALLENGE_FAILED: "sign", Reason.PAYLOAD_TOO_LARGE: "file"}


async def _error_body(failure: Failure) -> Reply:
    match failure.call.path:
        case "/rrr/oauth2.0/authorize":
            asked = failure.call.query
            back = await _way_back(failure.call, {name: str(value) for name, value in asked.items()})
            return await oauth.authorization_error(failure, _said(failure), back, str(asked.get("state", "")))
        case "/oauth2/token":
            return oauth.token_error(failure, _said(failure))
        case _:
            return Reply(json=_Error(error=failure.rendering.text, error_data=_said(failure) or {}))


def _said(failure: Failure) -> str:
    """What is at fault; empty if there is nothing to name."""
    error = failure.error
    if error.reason is Reason.REAUTH_REQUIRED:
        return "the sign-in is too old for this, the user must sign in again"
    if error.reason is Reason.SCOPE_MISSING and "scope" in error.metadata:
        return f"scope '{error.metadata['scope']}' is required"
    field = error.violations[0].field if error.violations else _FIELD_OF.get(error.reason, "")
    return f"invalid '{_WIRE_NAMES.get(field, field)}' value" if field else ""


async def _way_back(call: Call, asked: Mapping[str, str]) -> str:
    """The redirect URL of a request that failed, if it can be trusted; else nothing."""
    with suppress(GatepostError):
        app = await authorization.find_app(call, asked.get("client_id", ""))
        return _registered(app, asked.get("redirect_url", ""), asked.get("redirect_uri", ""))
    return ""


DIALECT = Dialect(
    name="vorgid",
    prefixes=("/v1/vorg-id", "/oauth2/token", "/rrr/oauth2.0/authorize"),
    routes=(
        Route("GET", "/rrr/oauth2.0/authorize", _authorize, VISITOR, Limit.ORDINARY),
        *protected((Route("POST", "/rrr/oauth2.0/authorize", _decide, SESSION, Limit.ORDINARY),)),
        Route("POST", "/oauth2/token", _token, CLIENT, Limit.ORDINARY, answer=oauth.Tokens),
        Route("GET", "/v1/vorg-id/get/personal", _personal, _BEARER, Limit.CHECK, answer=_Success[_Person]),
        Route(
            "GET POST",
            "/v1/vorg-id/edit-email",
            _edit_email,
            _EDITOR,
            Limit.PASSWORD,
            Takes.QUERY_AND_BODY,
            answer=_Success[_NewEmail],
        ),
        Route(
            "GET POST",
            "/v1/vorg-id/edit-phone",
            _edit_phone,
            _EDITOR,
            Limit.PASSWORD,
            Takes.QUERY_AND_BODY,
            answer=_Success[_NewPhone],
        ),
        Route(
            "GET POST",
            "/v1/vorg-id/edit-name",
            _edit_name,
            _EDITOR,
            Limit.ORDINARY,
            Takes.QUERY_AND_BODY,
            answer=_Success[_NewName],
        ),
        Route("POST", "/v1/vorg-id/edit-photo", _edit_photo, _EDITOR, Limit.UPLOAD, answer=_Success[_NewPhoto]),
        Route("GET HEAD", "/v1/vorg-id/pictures/{file}", _picture, ANYONE, Limit.ORDINARY),
    ),
    errors=ERRORS,
    error_body=_error_body,
    cors=False,
    mountable=True,
    error_answer=(_Error, oauth.TokenError),
)
