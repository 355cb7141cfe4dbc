"""The use cases of pictures: keep, show and delete them. Called by `rpc`; knows neither protobuf, SQL nor file systems.

Order of writing, so that a crash leaves neither a pointer without files nor files for good: the row that says files may
be there, then the files, then in one transaction what points to them. `sweep` deletes the files nothing points to.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

from runtime import heap
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, invalid
from runtime.logs import get_logger
from runtime.postgres import Database
from user_service.media import Media
from user_service.model import JPEG, Picture, PictureFile, PictureKind, PictureSize, Profile, sizes
from user_service.store import pictures as store
from user_service.store import profiles
from user_service.workers import Workers

_ID = re.compile(r"[0-9a-f]{32}")
_WRITING = timedelta(minutes=10)  # far longer than any caller waits
_REMOVING = timedelta(minutes=5)


class Pictures:
    """Keeps pictures.

    Args:
        database: The database `users`.
        media: Where the files are.
        workers: Threads to decode and encode in.
        clock: Says when something is due.
        mint_id: Makes 32 random lower-case hex digits.
    """

    def __init__(
        self, database: Database, media: Media, workers: Workers, clock: Clock, mint_id: Callable[[], str]
    ) -> None:
        self._database = database
        self._media = media
        self._workers = workers
        self._clock = clock
        self._mint_id = mint_id

    async def create(self, kind: PictureKind, content: bytes) -> str:
        """Keep a picture that belongs to no profile and return its id.

        Raises:
            GatepostError: INVALID_PARAMETER on `kind` for one of a profile, or on `content`; PAYLOAD_TOO_LARGE;
                OVERLOADED; UNAVAILABLE.
        """
        if kind is not PictureKind.ICON:
            raise invalid("kind", "The kind field must be of a picture that belongs to no profile.")
        if not content:
            raise invalid("content", "The content field is required.", Rule.REQUIRED)
        picture_id = await self._written(kind, content, None)
        async with self._database.acquire() as connection:
            if not await store.use(connection, picture_id, self._clock.now()):
                raise _too_slow()
        return picture_id

    async def set_of_profile(self, user_id: UUID, kind: PictureKind, content: bytes) -> Profile:
        """Make this the avatar or cover of a person, or remove the one there is, and return the profile.

        The one before can be shown no more, and its files are deleted soon. Of calls side by side the last one stays.

        Raises:
            GatepostError: NOT_FOUND; INVALID_PARAMETER on `kind` or `content`; PAYLOAD_TOO_LARGE; OVERLOADED;
                UNAVAILABLE.
        """
        if kind not in {PictureKind.AVATAR, PictureKind.COVER}:
            raise invalid("kind", "The kind field must be of a picture that belongs to a profile.")
        picture_id = await self._written(kind, content, user_id) if content else ""
        async with self._database.transaction() as connection:
            profile = _found(await profiles.find_for_update(connection, user_id))
            before = profile.cover if kind is PictureKind.COVER else profile.picture
            if before == picture_id:  # none, and none is wanted
                return profile
            now = self._clock.now()
            if not await store.replace(connection, before, picture_id, now):
                raise _too_slow()
            changed = profile.pictured(kind, picture_id, at=now)
            await profiles.update(connection, [(profile.version, changed)], {"picture", "cover"})
        return changed

    async def get(self, picture_id: str, size: PictureSize) -> PictureFile:
        """Return one size of a picture.

        Raises:
            GatepostError: NOT_FOUND, also for a size that its kind has not; UNAVAILABLE.
        """
        if not _ID.fullmatch(picture_id):
            raise _not_found()
        async with self._database.acquire() as connection:
            picture = await store.find(connection, picture_id)
        if picture is None or size not in sizes(picture.kind):
            raise _not_found()
        content = await self._media.get(_key(picture_id, size))
        if content is None:
            get_logger().warning("picture without file", size=size)
            raise _not_found()
        return PictureFile(content, picture.content_type if size is PictureSize.WHOLE else JPEG)

    async def delete(self, picture_id: str) -> None:
        """Delete a picture that belongs to no profile; no error when there is none, or it is a profile's."""
        if not _ID.fullmatch(picture_id):
            return
        async with self._database.acquire() as connection:
            await store.discard_icon(connection, picture_id, self._clock.now())

    async def sweep(self) -> bool:
        """Delete the files of one picture that nothing points to; True if there may be more.

        One that fails, or is cut off, is tried again later, by whichever instance.

        Raises:
            GatepostError: UNAVAILABLE.
        """
        now = self._clock.now()
        async with self._database.acquire() as connection:
            picture_id = await store.claim_due(connection, now, now + _REMOVING)
        if picture_id is None:
            return False
        for size in PictureSize:
            await self._media.delete(_key(picture_id, size))
        async with self._database.acquire() as connection:
            await store.forget(connection, picture_id)
        return True

    async def _written(self, kind: PictureKind, content: bytes, user_id: UUID | None) -> str:
        """Decode, cut and store a picture that nothing points to yet; return its id."""
        if user_id is not None:  # before the work of decoding
            async with self._database.acquire() as connection:
                _found(await profiles.find(connection, user_id))
        files = await self._workers.run(lambda: _rendered(content, kind))
        picture_id = self._mint_id()
        now = self._clock.now()
        picture = Picture(kind, files[PictureSize.WHOLE].content_type)
        async with self._database.acquire() as connection:
            if not await store.insert(connection, picture_id, picture, user_id=user_id, now=now, due_at=now + _WRITING):
                raise _no_profile()
        for size, file in files.items():
            await self._media.put(_key(picture_id, size), file.content)
        return picture_id


def _rendered(content: bytes, kind: PictureKind) -> Mapping[PictureSize, PictureFile]:
    from user_service import images  # noqa: PLC0415 see there

    try:
        return images.render(content, kind)
    finally:
        heap.trim()  # a large one leaves 200 MB free but kept


def _key(picture_id: str, size: PictureSize) -> str:
    return f"{picture_id}/{size}"


def _found(profile: Profile | None) -> Profile:
    if profile is None:
        raise _no_profile()
    return profile


def _no_profile() -> GatepostError:
    return GatepostError(Reason.NOT_FOUND, "no such profile")


def _not_found() -> GatepostError:
    return GatepostError(Reason.NOT_FOUND, "no such picture")


def _too_slow() -> GatepostError:
    return GatepostError(Reason.UNAVAILABLE, "storing the picture took too long", retry_after_seconds=1)
