"""Pictures of people, apps and projects, from user-service. An id never shows another picture: cached for ever."""

import re
from collections.abc import Mapping

from gatepost.users.v1.pictures_pb2 import GetPictureRequest, PictureSize
from gateway.call import Call
from gateway.dialect import Route
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.pages.assets import IMMUTABLE
from gateway.reply import Reply
from runtime.errors import GatepostError, Reason

_ID = re.compile(r"[0-9a-f]{32}")
_SIZES: Mapping[str, PictureSize.ValueType] = {
    "whole": PictureSize.PICTURE_SIZE_WHOLE,
    "topbar": PictureSize.PICTURE_SIZE_TOPBAR,
    "smaller": PictureSize.PICTURE_SIZE_SMALLER,
    "small": PictureSize.PICTURE_SIZE_SMALL,
    "large": PictureSize.PICTURE_SIZE_LARGE,
    "larger": PictureSize.PICTURE_SIZE_LARGER,
}


async def _picture(call: Call) -> Reply:
    """Return a picture."""
    picture, size = call.segments["id"], call.segments["size"]
    if not _ID.fullmatch(picture) or size not in _SIZES:
        raise GatepostError(Reason.NOT_FOUND)
    tag = f'"{picture}-{size}"'
    headers = {
        "Cache-Control": IMMUTABLE,
        "ETag": tag,
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if tag in call.header("If-None-Match"):
        return Reply(status=304, headers=headers)
    answer = await call.clients.pictures.GetPicture(GetPictureRequest(id=picture, size=_SIZES[size]))
    return Reply(body=answer.content, headers={**headers, "Content-Type": answer.content_type})


ROUTES = (Route("GET HEAD", "/pictures/{id}/{size}", _picture, ANYONE, Limit.ORDINARY),)
