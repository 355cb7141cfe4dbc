"""The use cases: create, read, find, change and delete profiles. Called by `rpc`; knows neither protobuf nor SQL."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

from runtime.clock import Clock
from runtime.coalescing import Coalesced
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Database
from user_service import phone, rules
from user_service.edits import Edited, Edits, check
from user_service.model import FIRST_VERSION, Details, Profile
from user_service.store import locations
from user_service.store import profiles as store

_MAX_BATCH = 100
_PUBLIC_ID = re.compile(r"[0-9a-f]{32}")
_HIGHEST_NUMBER = 2**63 - 1

Said = Mapping[str, rules.Value]
"""Values as they came, by field of `Details`; `rules.clean` makes them fit to be stored."""


class Profiles:
    """Keeps one profile per account.

    Args:
        database: The database `users`.
        clock: Says when a profile was made and changed.
        mint_public_id: Makes 32 random lower-case hex digits.
        most: Profiles that are read, or changed, together.
    """

    def __init__(self, database: Database, clock: Clock, mint_public_id: Callable[[], str], *, most: int) -> None:
        self._database = database
        self._clock = clock
        self._mint_public_id = mint_public_id
        self._edits = Edits(database, clock, most)
        # With 64 callers one costs 113 µs of CPU, PostgreSQL's included; in a transaction of its own 1450.
        self._made = Coalesced(self._make, most=most)
        # Likewise to read one: 21 µs; alone 111.
        self._by_account = database.reading(store.find_many, most=most)
        self._by_number = database.reading(store.find_by_numbers, most=most)
        self._by_public_id = database.reading(store.find_by_public_ids, most=most)

    async def create(self, user_id: UUID, project_id: UUID, said: Said) -> Profile:
        """Make the profile of an account, with the project's next number; if it has one, return that as it is.

        A repeat takes no number, even beside the first call. After a deletion it makes a new profile, with another
        number and public id: nothing is kept of what was deleted, so nothing tells that it was.

        Raises:
            GatepostError: INVALID_PARAMETER for values that cannot be taken.
        """
        details = Details(**rules.clean(said))
        now = self._clock.now()
        profile = Profile(
            user_id=user_id,
            project_id=project_id,
            number=0,
            public_id=self._mint_public_id(),
            details=details,
            phone_e164=phone.e164(details.phone),
            picture="",
            cover="",
            version=FIRST_VERSION,
            created_at=now,
            updated_at=now,
        )
        listed: Collection[int] = ()
        if details.location_id:
            async with self._database.acquire() as connection:
                listed = await locations.known(connection, [details.location_id])
        check(details, listed)
        try:
            return _found(await self._made(profile))
        except store.MadeMeanwhileError:
            return await self.get(user_id)

    async def get(self, user_id: UUID) -> Profile:
        """Return the profile of an account.

        Raises:
            GatepostError: NOT_FOUND.
        """
        return _found(await self._by_account(user_id))

    async def get_many(self, user_ids: Sequence[UUID]) -> list[Profile]:
        """Return the profiles of up to 100 accounts in the order asked, unknown ones left out.

        Raises:
            GatepostError: INVALID_PARAMETER for more than 100.
        """
        if len(user_ids) > _MAX_BATCH:
            raise invalid("user_ids", f"The user_ids field may have at most {_MAX_BATCH} values.")
        if not user_ids:
            return []
        async with self._database.acquire() as connection:
            found = await store.find_many(connection, user_ids)
        return [found[user_id] for user_id in user_ids if user_id in found]

    async def find_by_number(self, project_id: UUID, number: int) -> Profile:
        """Return the profile with this number in the project.

        Raises:
            GatepostError: NOT_FOUND.
        """
        if not 1 <= number <= _HIGHEST_NUMBER:
            raise _not_found()
        return _found(await self._by_number((project_id, number)))

    async def find_by_public_id(self, project_id: UUID, public_id: str) -> Profile:
        """Return the profile with this public id if it is of the project.

        Raises:
            GatepostError: NOT_FOUND, also for what is no public id.
        """
        if not _PUBLIC_ID.fullmatch(public_id):
            raise _not_found()
        return _found(await self._by_public_id((project_id, public_id)))

    async def update(self, user_id: UUID, said: Said, *, mask: Sequence[str], etag: str = "") -> Edited:
        """Change the fields named by the mask and return the profile with the names of those that really changed.

        When nothing changes, time and etag of the last change stay. An empty mask changes nothing.

        Args:
            user_id: The account.
            said: Values for at least the fields of the mask.
            mask: Names of fields of `Details`.
            etag: When not empty, change only the version that has it.

        Raises:
            GatepostError: NOT_FOUND; CONFLICT when the profile has another etag; INVALID_PARAMETER for an unknown
                name in the mask or a value that cannot be taken.
        """
        rules.check_mask(mask)
        return await self._edits.make(user_id, rules.clean({name: said[name] for name in mask}), etag)

    async def delete(self, user_id: UUID) -> None:
        """Delete the profile of an account, and with it its pictures; no error when there is none."""
        async with self._database.acquire() as connection:
            await store.delete(connection, user_id)

    async def _make(self, profiles: Sequence[Profile]) -> list[Profile | None]:
        first: dict[UUID, Profile] = {}  # of calls for the same account
        for profile in profiles:
            first.setdefault(profile.user_id, profile)
        async with self._database.acquire() as connection:
            made = await store.insert(connection, list(first.values()))
            others = first.keys() - made
            there = await store.find_many(connection, list(others)) if others else {}
        return [made.get(profile.user_id) or there.get(profile.user_id) for profile in profiles]


def _found(profile: Profile | None) -> Profile:
    if profile is None:
        raise _not_found()
    return profile


def _not_found() -> GatepostError:
    return GatepostError(Reason.NOT_FOUND, "no such profile")
