"""Pictures' files in and out of a backup: `python -m user_service read|write|keep`, by folder or bucket alike.

`read` takes picture ids, one a line, and writes their files as a tar stream, members named `<id>/<size>`. `write` takes
such a stream, puts the files in place, and lets go of pictures whose files did not come, so that no profile points to
nothing. `keep` deletes the files that no row knows, of a folder; a bucket's own rules do that there.
"""

import io
import tarfile
from collections.abc import Iterable
from typing import BinaryIO

from runtime.clock import Clock
from runtime.postgres import Database
from user_service.media import Media
from user_service.media.folder import FolderMedia
from user_service.model import PictureSize
from user_service.store import copies as store


async def read(media: Media, ids: Iterable[str], out: BinaryIO) -> None:
    """Write the files of pictures; those that are gone meanwhile are left out."""
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for picture_id in map(str.strip, ids):
            for size in PictureSize:
                content = await media.get(f"{picture_id}/{size}")
                if content is not None:
                    member = tarfile.TarInfo(f"{picture_id}/{size}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


async def write(database: Database, media: Media, source: BinaryIO, clock: Clock) -> int:
    """Put files in place; return of how many pictures there are none.

    Raises:
        ValueError: A member is no picture's file.
        tarfile.TarError: It is no tar stream.
    """
    whole: list[str] = []
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                raise ValueError(f"{member.name!r} is no file of a picture")
            await media.put(member.name, content.read())
            picture_id, _, size = member.name.partition("/")
            if size == PictureSize.WHOLE:
                whole.append(picture_id)
    async with database.transaction() as connection:
        return await store.let_go(connection, whole, clock.now())


async def keep(database: Database, media: FolderMedia) -> int:
    """Delete the files of pictures without row; return how many pictures they were of."""
    gone = 0
    async with database.acquire() as connection:
        for ids in media.found():
            for picture_id in ids - await store.known(connection, sorted(ids)):
                for size in PictureSize:
                    await media.delete(f"{picture_id}/{size}")
                gone += 1
    return gone
