"""The icon of an app: kept by user-service before the app names it, deleted when no app does any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gatepost.users.v1.pictures_pb2 import CreatePictureRequest, DeletePictureRequest, PictureKind
from gateway.call import Call
from gateway.multipart import Upload
from gateway.pages.account_picture import checked
from runtime.errors import GatepostError


@asynccontextmanager
async def kept(call: Call, chosen: Upload | None) -> AsyncIterator[str]:
    """Keep an icon that was chosen; inside the block an app takes its id, empty when none was chosen.

    Raises:
        GatepostError: INVALID_PARAMETER on `icon` or `content`; what the block raises, and then the icon is gone.
    """
    picture = ""
    if chosen is not None:
        request = CreatePictureRequest(kind=PictureKind.PICTURE_KIND_ICON, content=checked("icon", chosen))
        picture = (await call.clients.pictures.CreatePicture(request)).id
    try:
        yield picture
    except GatepostError:
        await drop(call, picture)
        raise


async def drop(call: Call, picture: str) -> None:
    """Delete an icon that no app has any more; nothing for an empty id."""
    if picture:
        await call.clients.pictures.DeletePicture(DeletePictureRequest(id=picture))
