"""The use cases: create, read, find, change and delete profiles. Called by `rpc`; knows neither protobuf nor SQL."""

import re
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, invalid
from runtime.postgres import Connection, Database
from user_service import phone, rules
from user_service.model import FIRST_VERSION, Details, Profile
from user_service.store import locations
from user_service.store import profiles as store

_MAX_BATCH = 100
_PUBLIC_ID = re.compile(r"[0-9a-f]{32}")
_HIGHEST_NUMBER = 2**63 - 1

Said = Mapping[str, rules.Value]
"""Values as they came, by field of `Details`; `rules.clean` makes them fit to be stored."""


class _MadeMeanwhile(Exception):  # noqa: N818 no error: rolls back the loser of two equal calls
    pass


class Profiles:
    """Keeps one profile per account.

    Args:
        database: The database `users`.
        clock: Says when a profile was made and changed.
        mint_public_id: Makes 32 random lower-case hex digits.
    """

    def __init__(self, database: Database, clock: Clock, mint_public_id: Callable[[], str]) -> None:
        self._database = database
        self._clock = clock
        self._mint_public_id = mint_public_id

    async def create(self, user_id: UUID, project_id: UUID, said: Said) -> Profile:
        """Make the profile of an account, with the project's next number; if it has one, return that as it is.

        A repeat takes no number, even beside the first call. After a deletion it makes a new profile, with another
        number and public id: nothing is kept of what was deleted, so nothing tells that it was.

        Raises:
            GatepostError: INVALID_PARAMETER for values that cannot be taken.
        """
        details = Details(**rules.clean(said))
        try:
            async with self._database.transaction() as connection:
                existing = await store.find(connection, user_id)
                return existing or await self._insert(connection, user_id, project_id, details)
        except _MadeMeanwhile:
            return await self.get(user_id)

    async def get(self, user_id: UUID) -> Profile:
        """Return the profile of an account.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.acquire() as connection:
            return _found(await store.find(connection, user_id))

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
            found = {profile.user_id: profile for profile in await store.find_many(connection, user_ids)}
        return [found[user_id] for user_id in user_ids if user_id in found]

    async def find_by_number(self, project_id: UUID, number: int) -> Profile:
        """Return the profile with this number in the project.

        Raises:
            GatepostError: NOT_FOUND.
        """
        if not 1 <= number <= _HIGHEST_NUMBER:
            raise _not_found()
        async with self._database.acquire() as connection:
            return _found(await store.find_by_number(connection, project_id, number))

    async def find_by_public_id(self, project_id: UUID, public_id: str) -> Profile:
        """Return the profile with this public id if it is of the project.

        Raises:
            GatepostError: NOT_FOUND, also for what is no public id.
        """
        if not _PUBLIC_ID.fullmatch(public_id):
            raise _not_found()
        async with self._database.acquire() as connection:
            return _found(await store.find_by_public_id(connection, project_id, public_id))

    async def update(
        self, user_id: UUID, said: Said, *, mask: Sequence[str], etag: str = ""
    ) -> tuple[Profile, tuple[str, ...]]:
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
        values = rules.clean({name: said[name] for name in mask})
        async with self._database.transaction() as connection:
            profile = _found(await store.find_for_update(connection, user_id))
            if etag and etag != profile.etag:
                raise GatepostError(Reason.CONFLICT, "the profile has changed since it was read")
            changed = profile.differing(values)
            if changed:
                phone_e164 = phone.e164(values["phone"]) if "phone" in changed else profile.phone_e164
                profile = profile.changed(values, phone_e164=phone_e164, at=self._clock.now())
                await _check(connection, profile.details)
                await store.update(connection, profile)
        return profile, changed

    async def delete(self, user_id: UUID) -> None:
        """Delete the profile of an account, and with it its pictures; no error when there is none."""
        async with self._database.acquire() as connection:
            await store.delete(connection, user_id)

    async def _insert(self, connection: Connection, user_id: UUID, project_id: UUID, details: Details) -> Profile:
        await _check(connection, details)
        number = await store.take_number(connection, project_id)
        now = self._clock.now()
        profile = Profile(
            user_id=user_id,
            project_id=project_id,
            number=number,
            public_id=self._mint_public_id(),
            details=details,
            phone_e164=phone.e164(details.phone),
            version=FIRST_VERSION,
            created_at=now,
            updated_at=now,
        )
        if not await store.insert(connection, profile):
            raise _MadeMeanwhile
        return profile


async def _check(connection: Connection, details: Details) -> None:
    """Refuse what no field says by itself."""
    if details.phone_verified and not details.phone:
        raise invalid("phone_verified", "The phone_verified field needs a phone.")
    if details.location_id and not await locations.known(connection, [details.location_id]):
        raise invalid("location_id", "The location_id field names no location.", Rule.UNKNOWN)


def _found(profile: Profile | None) -> Profile:
    if profile is None:
        raise _not_found()
    return profile


def _not_found() -> GatepostError:
    return GatepostError(Reason.NOT_FOUND, "no such profile")
