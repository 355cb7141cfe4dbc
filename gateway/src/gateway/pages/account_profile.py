"""/account/profile: what others may come to know of a person, and his user name."""

from dataclasses import dataclass, replace
from functools import partial

from google.protobuf.field_mask_pb2 import FieldMask

from gatepost.auth.v1.accounts_pb2 import UpdateOwnAccountRequest
from gatepost.users.v1.locations_pb2 import GetLocationRequest, ListLocationsRequest, Location
from gatepost.users.v1.profiles_pb2 import Profile, UpdateProfileRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.account import Seen
from gateway.pages.own import WEB, show_own, signed_in
from gateway.reply import Reply, redirect
from gateway.web import locale, url
from gateway.web.forms import PageForm
from gateway.web.session import SESSION
from runtime.errors import GatepostError, Reason, Rule, invalid

_HERE = "/account/profile"
_MOST_LOCATIONS = 3000
_DIGITS_OF_ID = 18
_TEXTS = (
    "first_name",
    "last_name",
    "gender",
    "birth_date",
    "biography",
    "website",
    "relationship",
    "language",
)


@dataclass(frozen=True, slots=True)
class ProfileForm(PageForm):
    """The profile; `etag` is what it was when the form was shown."""

    etag: str = text(default="")
    first_name: str = text(default="")
    last_name: str = text(default="")
    gender: str = text(default="")
    birth_date: str = text(default="")
    biography: str = text(default="")
    website: str = text(default="")
    relationship: str = text(default="")
    language: str = text(default="")
    location_id: str = text(default="")


@dataclass(frozen=True, slots=True)
class UsernameForm(PageForm):
    """The user name."""

    username: str = text(default="")


async def _show_page(call: Call, form: Seen) -> Reply:
    """Show the profile's form."""
    return await _show(call, None, done=form.done)


async def _save(call: Call, form: ProfileForm) -> Reply:
    """Change the profile."""
    call.again = partial(_show, call, form)
    who = await signed_in(call)
    profile = Profile(user_id=who.account.user_id, etag=form.etag, location_id=_location_id(form.location_id))
    for name in _TEXTS:
        setattr(profile, name, getattr(form, name))
    mask = FieldMask(paths=[*_TEXTS, "location_id"])
    await call.clients.profiles.UpdateProfile(UpdateProfileRequest(profile=profile, update_mask=mask))
    return redirect(url(call, _HERE, done="saved"))


async def _save_username(call: Call, form: UsernameForm) -> Reply:
    """Change the user name."""
    call.again = partial(_show, call, form)
    await signed_in(call)
    request = UpdateOwnAccountRequest(access_token=call.token, form=WEB, username=form.username.strip())
    await call.clients.accounts.UpdateOwnAccount(request)
    return redirect(url(call, _HERE, done="saved"))


async def _show(
    call: Call, typed: ProfileForm | UsernameForm | None, error: GatepostError | None = None, *, done: str = ""
) -> Reply:
    who = await signed_in(call)
    profile = await call.clients.profile(who.account.user_id)
    form = typed if isinstance(typed, ProfileForm) else _filled(profile)
    if error is not None and error.reason is Reason.CONFLICT:
        form = replace(form, etag=profile.etag)  # he has been told; sending it once more is his will
    languages = dict(locale.LANGUAGES)
    if profile.language:
        languages.setdefault(profile.language, profile.language)
    return await show_own(
        call,
        "account_profile.html",
        who,
        error=error,
        here=url(call, _HERE),
        done=done,
        form=form,
        username=typed.username if isinstance(typed, UsernameForm) else who.account.username,
        places=await _places(call, profile.location_id),
        own_languages=list(languages.items()),
        own_relationship=profile.relationship,
        phone=profile.phone,
        phone_verified=profile.phone_verified,
    )


def _filled(profile: Profile) -> ProfileForm:
    texts = {name: getattr(profile, name) for name in _TEXTS}
    return ProfileForm(etag=profile.etag, location_id=str(profile.location_id or ""), **texts)


async def _places(call: Call, present: int) -> list[tuple[str, list[Location]]]:
    """Return the places to choose from by the name of what they lie in; his own in any case."""
    places: list[Location] = []
    page_token = ""
    while len(places) < _MOST_LOCATIONS:
        answer = await call.clients.locations.ListLocations(ListLocationsRequest(page_token=page_token))
        places += answer.locations
        page_token = answer.next_page_token
        if not page_token:
            break
    if present and all(place.id != present for place in places):
        places.append((await call.clients.locations.GetLocation(GetLocationRequest(id=present))).location)
    by_parent: dict[str, list[Location]] = {}
    for place in sorted(places, key=lambda place: place.name.casefold()):
        by_parent.setdefault(place.parent_name, []).append(place)
    return sorted(by_parent.items())


def _location_id(value: str) -> int:
    if not value:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) <= _DIGITS_OF_ID):
        raise invalid("location_id", "The location_id is the id of a place.", Rule.UNKNOWN)
    return int(value)


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _save, SESSION, Limit.ORDINARY),
    Route("POST", "/account/profile/username", _save_username, SESSION, Limit.ORDINARY),
)
