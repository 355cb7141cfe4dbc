"""Changes of profiles: those asked for at the same time are read, made and committed together. Called by `profiles`.

A change is made to what was read, without a lock, and stored if the version is still the same: two statements and one
commit for all. What another instance has changed meanwhile is tried again under locks, which cannot fail so.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from runtime.clock import Clock
from runtime.coalescing import Coalesced
from runtime.errors import GatepostError, Reason, Rule, invalid
from runtime.postgres import Connection, Database
from user_service import phone
from user_service.model import Details, Profile
from user_service.store import locations
from user_service.store import profiles as store

Edited = tuple[Profile, tuple[str, ...]]
"""A profile as stored, and the names of those fields that really changed."""


class _Edit(NamedTuple):
    """What is to be done to one profile.

    Args:
        user_id: The account.
        values: Clean values, by field of `Details`.
        etag: When not empty, the version it is meant for.
        locked: Whether it must not meet others.
    """

    user_id: UUID
    values: Mapping[str, Any]
    etag: str
    locked: bool = False


class _ChangedMeanwhile(Exception):  # noqa: N818 no error: try again
    pass


class Edits:
    """Changes profiles.

    Args:
        database: The database `users`.
        clock: Says when a profile was changed.
        most: Changes that are made together.
    """

    def __init__(self, database: Database, clock: Clock, most: int) -> None:
        self._database = database
        self._clock = clock
        # With 64 callers one costs 83 µs of CPU, PostgreSQL's included; in a transaction of its own 480.
        self._together = Coalesced(self._make, most=most)

    async def make(self, user_id: UUID, values: Mapping[str, Any], etag: str) -> Edited:
        """Change a profile; when nothing changes, time and etag of the last change stay.

        Args:
            user_id: The account.
            values: Clean values, by field of `Details`.
            etag: When not empty, change only the version that has it.

        Raises:
            GatepostError: NOT_FOUND; CONFLICT when the profile has another etag; INVALID_PARAMETER for values that do
                not go together, or a location that is not listed.
        """
        edit = _Edit(user_id, values, etag)
        try:
            return await self._together(edit)
        except _ChangedMeanwhile:
            return await self._together(edit._replace(locked=True))

    async def _make(self, edits: Sequence[_Edit]) -> list[Edited | Exception]:
        user_ids = list({edit.user_id: None for edit in edits})
        if any(edit.locked for edit in edits):
            async with self._database.transaction() as connection:
                found = await store.find_many_for_update(connection, user_ids)
                return await self._store(connection, edits, found)
        async with self._database.acquire() as connection:
            return await self._store(connection, edits, await store.find_many(connection, user_ids))

    async def _store(
        self, connection: Connection, edits: Sequence[_Edit], found: Mapping[UUID, Profile]
    ) -> list[Edited | Exception]:
        named = {edit.values["location_id"] for edit in edits if edit.values.get("location_id")}
        listed = await locations.known(connection, list(named)) if named else named
        latest = dict(found)
        answers: list[Edited | Exception] = []
        fields: set[str] = set()
        for edit in edits:  # one after the other: the second of the same profile sees the first
            try:
                profile, changed = self._applied(edit, latest.get(edit.user_id), listed)
            except GatepostError as refused:
                answers.append(refused)
            else:
                latest[edit.user_id] = profile
                fields.update(changed)
                answers.append((profile, changed))
        changes = [
            (before.version, latest[user_id]) for user_id, before in found.items() if latest[user_id] is not before
        ]
        lost = {profile.user_id for _, profile in changes}
        if changes:
            lost -= await store.update(connection, changes, fields)
        # Refusals too: they may have been of what was never stored.
        return [
            _ChangedMeanwhile() if edit.user_id in lost else answer for edit, answer in zip(edits, answers, strict=True)
        ]

    def _applied(self, edit: _Edit, before: Profile | None, listed: Collection[int]) -> Edited:
        if before is None:
            raise GatepostError(Reason.NOT_FOUND, "no such profile")
        if edit.etag and edit.etag != before.etag:
            raise GatepostError(Reason.CONFLICT, "the profile has changed since it was read")
        values = edit.values
        changed = before.differing(values)
        if not changed:
            return before, changed
        phone_e164 = phone.e164(values["phone"]) if "phone" in changed else before.phone_e164
        profile = before.changed(values, phone_e164=phone_e164, at=self._clock.now())
        check(profile.details, {before.details.location_id, *listed})
        return profile, changed


def check(details: Details, listed: Collection[int]) -> None:
    """Refuse what no field says by itself.

    Args:
        details: As they are to be stored.
        listed: Locations that are known to be listed, the one in the details perhaps among them.

    Raises:
        GatepostError: INVALID_PARAMETER.
    """
    if details.phone_verified and not details.phone:
        raise invalid("phone_verified", "The phone_verified field needs a phone.")
    if details.location_id and details.location_id not in listed:
        raise invalid("location_id", "The location_id field names no location.", Rule.UNKNOWN)
