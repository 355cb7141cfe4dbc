"""Pictures of people as files with a public address: those they uploaded, and drawn initials for who has none.

A file's name says all there is to know to serve it, so that it can be kept for ever by whoever asks. Dialects choose
the path before it. What a file really is, its Content-Type says.
"""

import re

from gatepost.users.v1.pictures_pb2 import DrawInitialsRequest, GetPictureRequest, PictureSize
from gatepost.users.v1.profiles_pb2 import Profile
from gateway.call import Call
from gateway.reply import Reply
from runtime.errors import GatepostError, Reason

_KEPT = re.compile(r"([0-9a-f]{32})\.jpg")
_DRAWN = re.compile(r"((?:[0-9a-f]{2}){1,16})-([0-9]{1,19})\.jpg")
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}


def portrait(profile: Profile) -> str:
    """Return the name of the file that shows a person: his picture, or his initials."""
    if profile.picture:
        return file_of(profile.picture)
    initials = " ".join(name.strip()[:1] for name in (profile.first_name, profile.last_name) if name.strip())
    return f"{(initials or 'U').encode().hex()}-{profile.number}.jpg"


def file_of(picture: str) -> str:
    """Return the name of a picture's file; empty for no picture."""
    return f"{picture}.jpg" if picture else ""


async def serve(call: Call, file: str) -> Reply:
    """Answer with a file.

    Raises:
        GatepostError: NOT_FOUND.
    """
    kept, drawn = _KEPT.fullmatch(file), _DRAWN.fullmatch(file)
    if kept:
        request = GetPictureRequest(id=kept[1], size=PictureSize.PICTURE_SIZE_WHOLE)
        found = await call.clients.pictures.GetPicture(request)
        return _reply(found.content, found.content_type)
    if drawn:
        name = bytes.fromhex(drawn[1]).decode(errors="replace")
        asked = DrawInitialsRequest(name=name, seed=drawn[2], size=PictureSize.PICTURE_SIZE_LARGER)
        answer = await call.clients.pictures.DrawInitials(asked)
        return _reply(answer.content, answer.content_type)
    raise GatepostError(Reason.NOT_FOUND, "no such file")


async def show(call: Call, profile: Profile, size: PictureSize.ValueType) -> Reply:
    """Answer with one size of a person's picture, or of his initials if he has none.

    Raises:
        GatepostError: NOT_FOUND.
    """
    if profile.picture:
        kept = await call.clients.pictures.GetPicture(GetPictureRequest(id=profile.picture, size=size))
        return _reply(kept.content, kept.content_type)
    name = f"{profile.first_name} {profile.last_name}".strip() or "U"
    asked = DrawInitialsRequest(name=name, seed=str(profile.number), size=size)
    drawn = await call.clients.pictures.DrawInitials(asked)
    return _reply(drawn.content, drawn.content_type)


def _reply(content: bytes, content_type: str) -> Reply:
    return Reply(body=content, headers={**_HEADERS, "Content-Type": content_type})
