"""The use cases of places: list, look up, import; and the list that ships, for a database that has none yet.

Called by `rpc` and `main`; knows neither protobuf nor SQL. A place is never deleted, since profiles name it.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import islice

from runtime.errors import GatepostError, Reason, Rule, Violation, invalid
from runtime.logs import get_logger
from runtime.postgres import Connection, Database
from user_service import rules
from user_service.model import Location
from user_service.store import locations as store

_MAX_PAGE = 1000
_MAX_IMPORT = 10_000
_MOST_VIOLATIONS = 10  # that are reported: an answer's details have little room in its header
_HIGHEST_ID = 2**63 - 1


class Locations:
    """Keeps the list of places.

    Args:
        database: The database `users`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, parent_id: int, page_size: int, after: int) -> tuple[Sequence[Location], int]:
        """Return a page of places by id, and the id to continue after; 0 when that was the last page.

        Args:
            parent_id: Only those in this place, unless 0.
            page_size: At most so many; 0 means 1000, which is also the most.
            after: Only those with a greater id.

        Raises:
            GatepostError: INVALID_PARAMETER for a negative page_size.
        """
        if page_size < 0:
            raise invalid("page_size", "The page_size may not be negative.")
        limit = min(page_size or _MAX_PAGE, _MAX_PAGE)
        async with self._database.acquire() as connection:
            found = await store.find_page(connection, parent_id=parent_id, after=after, limit=limit + 1)
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else 0

    async def get(self, location_id: int) -> Location:
        """Return a place.

        Raises:
            GatepostError: NOT_FOUND.
        """
        if not 1 <= location_id <= _HIGHEST_ID:
            raise _not_found()
        async with self._database.acquire() as connection:
            found = await store.find(connection, location_id)
        if found is None:
            raise _not_found()
        return found

    async def put(self, given: Sequence[Location]) -> tuple[int, int]:
        """Add places and change those whose id is known, all or none; return how many were new, and how many changed.

        A parent may come later in the same list.

        Raises:
            GatepostError: INVALID_PARAMETER with a violation for each of the first places at fault, its field
                `locations[INDEX].FIELD` with the index from 0; or on `locations` for more than 10000.
        """
        if len(given) > _MAX_IMPORT:
            raise invalid("locations", f"At most {_MAX_IMPORT} locations can be imported at once.")
        wanted = _checked(given)
        async with self._database.transaction() as connection:
            await store.lock(connection)
            return await _put(connection, wanted)

    async def ship(self) -> None:
        """Put the list that ships with the service in place, unless there are places: an operator's own rows stay."""
        async with self._database.transaction() as connection:
            if not await store.is_empty(connection):
                return
            await store.lock(connection)
            if await store.is_empty(connection):  # another instance may have been first
                added, _ = await _put(connection, shipped())
                get_logger().info("locations shipped", count=added)


def shipped() -> list[Location]:
    """Return the list that ships: Indonesia's provinces and some cities. Ids are for good."""
    lines = files("user_service").joinpath("locations.csv").read_text(encoding="utf-8").splitlines()
    return [Location(int(row["id"]), row["name"], int(row["parent_id"] or 0)) for row in csv.DictReader(lines)]


async def _put(connection: Connection, wanted: Sequence[Location]) -> tuple[int, int]:
    ids = [location.id for location in wanted]
    known = await store.known(connection, [*ids, *(location.parent_id for location in wanted)])
    there = known | set(ids) | {0}
    _refuse(
        Violation(_field(index, "parent_id"), Rule.UNKNOWN, "The parent_id names no location.")
        for index, location in enumerate(wanted)
        if location.parent_id not in there
    )
    added = len(set(ids) - known)
    touched = await store.put(connection, wanted)
    circles = await store.in_circles(connection, ids)
    _refuse(
        Violation(_field(index, "parent_id"), Rule.INVALID, "A location cannot lie in itself.")
        for index, location in enumerate(wanted)
        if location.id in circles
    )
    return added, touched - added


def _checked(given: Sequence[Location]) -> list[Location]:
    violations: list[Violation] = []
    seen: set[int] = set()
    cleaned: list[Location] = []
    for index, location in enumerate(given):
        if location.id < 1:
            violations.append(Violation(_field(index, "id"), Rule.INVALID, "An id must be 1 or more."))
        elif location.id in seen:
            violations.append(Violation(_field(index, "id"), Rule.INVALID, f"The id {location.id} is there twice."))
        elif location.parent_id < 0 or location.parent_id == location.id:
            field = _field(index, "parent_id")
            violations.append(Violation(field, Rule.INVALID, "A parent_id must be another's id, or 0 for none."))
        seen.add(location.id)
        try:
            cleaned.append(replace(location, name=rules.place_name(_field(index, "name"), location.name)))
        except GatepostError as error:
            violations.extend(error.violations)
    _refuse(violations)
    return cleaned


def _refuse(found: Iterable[Violation]) -> None:
    violations = tuple(islice(found, _MOST_VIOLATIONS))
    if violations:
        raise GatepostError(Reason.INVALID_PARAMETER, violations[0].description, violations=violations)


def _field(index: int, name: str) -> str:
    return f"locations[{index}].{name}"


def _not_found() -> GatepostError:
    return GatepostError(Reason.NOT_FOUND, "no such location")
