"""What the token paths read and write: one item each to whoever asks, in batches to PostgreSQL.

Called by the engines that check and issue tokens. Decides nothing: an answer is what is stored, alive or not. Nothing
is kept from one batch to the next, so whatever was acknowledged before somebody asks counts in what he is told.

What 64 callers at once cost each, this process and PostgreSQL together: checking a token 170 µs one by one, 60 in
batches; rotating a refresh token 570 and 150; exchanging a code 1100 and 260 (seven statements before, three now);
ending a session 640 and 130; reading a grant on a consent page 385 and 95. One caller alone pays what he did before.
"""

from collections.abc import Sequence
from uuid import UUID

from auth_service.model import Account, ApiKey, App, Grant, Project
from auth_service.store import apps, grants, session_writes, sessions
from auth_service.store.session_writes import Acquaintance, Ending, Opening, Rotation, Touch, Visit
from auth_service.store.sessions import Found
from runtime.coalescing import Coalesced
from runtime.postgres import Database


class Batches:
    """Reads and writes by the batch. Every method can raise UNAVAILABLE.

    Args:
        database: Where everything is.
        most: Items of one batch; 1 to let each go alone.
    """

    def __init__(self, database: Database, *, most: int) -> None:
        self._database = database
        self._sessions = database.reading(sessions.fetch_many, most=most)
        self._keys = database.reading(sessions.fetch_by_keys, most=most)
        self._apps = database.reading(apps.fetch_by_client_ids, most=most)
        self._holders = database.reading(apps.fetch_holders, most=most)
        self._grants = database.reading(grants.fetch_of_apps, most=most)
        self._visits = Coalesced(self._acquaint, most=most)
        self._openings = Coalesced(self._open, most=most)
        self._rotations = Coalesced(self._rotate, most=most)
        self._endings = Coalesced(self._end, most=most)
        self._touches = Coalesced(self._touch, most=most)

    async def session(self, session_id: UUID) -> Found | None:
        """Return a session with its account and app."""
        return await self._sessions(session_id)

    async def session_of(self, key_hash: bytes) -> Found | None:
        """Return the session of a token that is one random value, by its hash."""
        return await self._keys(key_hash)

    async def app(self, client_id: str) -> App | None:
        """Return an app with its project and secrets."""
        return await self._apps(client_id)

    async def holder(self, key_hash: bytes) -> tuple[ApiKey, Project] | None:
        """Return an API key and its project, by the hash of the key."""
        return await self._holders(key_hash)

    async def grant(self, account_id: UUID, app_id: UUID) -> Grant | None:
        """Return what a user has granted an app."""
        return await self._grants((account_id, app_id))

    async def acquaintance(self, visit: Visit) -> Acquaintance:
        """Say what an account's sessions know of a client."""
        return await self._visits(visit)

    async def open(self, opening: Opening) -> Account | None:
        """Open a session and return its account; None as for `session_writes.open_many`."""
        account = await self._openings(opening)
        if account is None:  # perhaps its account is being changed: alone, we can wait
            async with self._database.acquire() as connection:
                opened = await session_writes.open_many(connection, [opening], wait=True)
            account = opened.get(opening.session.id)
        return account

    async def rotate(self, rotation: Rotation) -> bool:
        """Move a session to its next generation; False if it is not live at this one (any more)."""
        if await self._rotations(rotation):
            return True
        async with self._database.acquire() as connection:  # perhaps it is being changed: alone, we can wait
            return bool(await session_writes.rotate_many(connection, [rotation], wait=True))

    async def end(self, ending: Ending) -> None:
        """End a session; the first reason stays."""
        if not await self._endings(ending):  # it has ended, or is being changed: alone, we can wait
            async with self._database.acquire() as connection:
                await session_writes.end_many(connection, [ending], wait=True)

    async def touch(self, touch: Touch) -> None:
        """Note that a session is used."""
        await self._touches(touch)

    async def _acquaint(self, visits: Sequence[Visit]) -> Sequence[Acquaintance]:
        async with self._database.acquire() as connection:
            return await session_writes.acquaint_many(connection, visits)

    async def _open(self, openings: Sequence[Opening]) -> list[Account | None]:
        async with self._database.acquire() as connection:
            opened = await session_writes.open_many(connection, openings, wait=False)
        return [opened.get(opening.session.id) for opening in openings]

    async def _rotate(self, rotations: Sequence[Rotation]) -> list[bool]:
        keys = [(rotation.session_id, rotation.generation) for rotation in rotations]
        different = dict(zip(reversed(keys), reversed(rotations), strict=True))
        async with self._database.acquire() as connection:
            done = await session_writes.rotate_many(connection, list(different.values()), wait=False)
        answers = []
        for key in keys:  # of several that would do the same the first has done it, as if they had come one by one
            answers.append(key in done)
            done.discard(key)
        return answers

    async def _end(self, endings: Sequence[Ending]) -> list[bool]:
        different = {ending.session_id: ending for ending in reversed(endings)}
        async with self._database.acquire() as connection:
            done = await session_writes.end_many(connection, list(different.values()), wait=False)
        return [ending.session_id in done for ending in endings]

    async def _touch(self, touches: Sequence[Touch]) -> list[None]:
        latest = {touch.session_id: touch for touch in touches}
        async with self._database.acquire() as connection:
            await session_writes.touch_many(connection, list(latest.values()))
        return [None] * len(touches)
