"""/account/picture: the picture of a person and the wide one behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from gatepost.users.v1.pictures_pb2 import PictureKind, SetProfilePictureRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import Takes, upload
from gateway.limits import Limit
from gateway.multipart import Upload
from gateway.pages.account import Seen
from gateway.pages.own import show_own, shown_name, signed_in
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.look import picture_url
from gateway.web.session import SESSION
from runtime.errors import GatepostError, invalid, missing

_HERE = "/account/picture"
# What user-service takes; said at the field, not as an error of the whole request.
MAX_BYTES: Final = 2 * 1024 * 1024
_KINDS: Mapping[str, PictureKind.ValueType] = {
    "picture": PictureKind.PICTURE_KIND_AVATAR,
    "cover": PictureKind.PICTURE_KIND_COVER,
}


@dataclass(frozen=True, slots=True)
class PictureForm(PageForm):
    """A new picture of the person."""

    picture: Upload | None = upload(default=None)


@dataclass(frozen=True, slots=True)
class CoverForm(PageForm):
    """A new wide picture."""

    cover: Upload | None = upload(default=None)


async def _show_page(call: Call, form: Seen) -> Reply:
    """Show both pictures."""
    return await _show(call, done=form.done)


async def _set_picture(call: Call, form: PictureForm) -> Reply:
    """Replace the picture."""
    return await _set(call, "picture", form.picture)


async def _set_cover(call: Call, form: CoverForm) -> Reply:
    """Replace the wide picture."""
    return await _set(call, "cover", form.cover)


async def _remove_picture(call: Call, _form: PageForm) -> Reply:
    """Remove the picture."""
    return await _put(call, "picture", b"", "removed")


async def _remove_cover(call: Call, _form: PageForm) -> Reply:
    """Remove the wide picture."""
    return await _put(call, "cover", b"", "removed")


async def _set(call: Call, field: str, chosen: Upload | None) -> Reply:
    call.again = partial(_show_refused, call, field)
    return await _put(call, field, checked(field, chosen), "saved")


async def _put(call: Call, field: str, content: bytes, done: str) -> Reply:
    who = await signed_in(call)
    request = SetProfilePictureRequest(user_id=who.account.user_id, kind=_KINDS[field], content=content)
    await call.clients.pictures.SetProfilePicture(request)
    return redirect(url(call, _HERE, done=done))


def checked(field: str, chosen: Upload | None) -> bytes:
    """Return the bytes of a picture that was chosen.

    Raises:
        GatepostError: MISSING_PARAMETER or INVALID_PARAMETER on the field; whether it is a picture, user-service says.
    """
    if chosen is None:
        raise missing(field)
    if len(chosen.content) > MAX_BYTES:
        raise invalid(field, f"A picture has at most {MAX_BYTES} bytes.")
    return chosen.content


async def _show_refused(call: Call, field: str, error: GatepostError) -> Reply:
    return await _show(call, error, names={"content": field})


async def _show(
    call: Call, error: GatepostError | None = None, names: Mapping[str, str] | None = None, *, done: str = ""
) -> Reply:
    who = await signed_in(call)
    profile = await call.clients.profile(who.account.user_id)
    return await show_own(
        call,
        "account_picture.html",
        who,
        error=error,
        names=names,
        here=url(call, _HERE),
        done=done,
        name=shown_name(who.account, profile),
        picture=picture_url(profile.picture, "larger"),
        cover=picture_url(profile.cover, "whole"),
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _set_picture, SESSION, Limit.UPLOAD, Takes.UPLOAD),
    Route("POST", "/account/picture/remove", _remove_picture, SESSION, Limit.ORDINARY),
    Route("POST", "/account/cover", _set_cover, SESSION, Limit.UPLOAD, Takes.UPLOAD),
    Route("POST", "/account/cover/remove", _remove_cover, SESSION, Limit.ORDINARY),
)
