"""Places over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.errors import GatepostError, Reason
from runtime.postgres import Database
from user_service.locations import Locations, shipped
from user_service.model import Location


@pytest_asyncio.fixture(loop_scope="session")
async def locations(postgres: Any) -> AsyncIterator[Locations]:
    database = await Database.connect(postgres.create_database("user_service"))
    yield Locations(database)
    await database.close()


async def everything(locations: Locations, **options: Any) -> list[Location]:
    found: list[Location] = []
    after = 0
    while True:
        page, after = await locations.page(**({"parent_id": 0, "page_size": 0} | options), after=after)
        found += page
        if not after:
            return found


async def refused(call: Any) -> list[str]:
    with pytest.raises(GatepostError) as caught:
        await call
    assert caught.value.reason is Reason.INVALID_PARAMETER
    return [violation.field for violation in caught.value.violations]


async def test_what_is_imported_is_listed_with_the_names_of_parents(locations: Locations) -> None:
    assert await locations.put([Location(20, "Surabaya", 3), Location(3, "Jawa Timur")]) == (2, 0)
    assert await everything(locations) == [Location(3, "Jawa Timur"), Location(20, "Surabaya", 3, "Jawa Timur")]
    assert await locations.get(20) == Location(20, "Surabaya", 3, "Jawa Timur")


async def test_known_ids_are_changed_and_only_differences_are_counted(locations: Locations) -> None:
    await locations.put([Location(1, "one"), Location(2, "two"), Location(3, "three")])
    assert await locations.put(
        [Location(1, "one"), Location(2, "zwei"), Location(3, "three", 1), Location(4, "four")]
    ) == (
        1,
        2,
    )
    assert await locations.put([Location(4, "four")]) == (0, 0)
    assert [place.name for place in await everything(locations)] == ["one", "zwei", "three", "four"]


async def test_an_empty_import_does_nothing(locations: Locations) -> None:
    assert await locations.put([]) == (0, 0)


async def test_pages_follow_each_other_without_gap(locations: Locations) -> None:
    await locations.put([Location(number, f"place {number}") for number in range(1, 1206)])
    first, after = await locations.page(parent_id=0, page_size=0, after=0)
    assert (len(first), after) == (1000, 1000)
    assert [place.id for place in await everything(locations)] == list(range(1, 1206))
    assert [place.id for place in await everything(locations, page_size=400)] == list(range(1, 1206))
    last, after = await locations.page(parent_id=0, page_size=5, after=1200)
    assert (len(last), after) == (5, 0)


async def test_the_places_in_one_place_can_be_listed_alone(locations: Locations) -> None:
    await locations.put(
        [Location(1, "a"), Location(2, "b", 1), Location(3, "c"), Location(4, "d", 1), Location(5, "e", 4)]
    )
    assert [place.id for place in await everything(locations, parent_id=1, page_size=1)] == [2, 4]


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ([Location(1, "a"), Location(1, "b")], ["locations[1].id"]),
        ([Location(0, "a"), Location(-1, "b")], ["locations[0].id", "locations[1].id"]),
        ([Location(1, "a"), Location(2, " ")], ["locations[1].name"]),
        ([Location(1, "x" * 101)], ["locations[0].name"]),
        ([Location(1, "a"), Location(2, "b", 3)], ["locations[1].parent_id"]),
        ([Location(1, "a", 1)], ["locations[0].parent_id"]),
        ([Location(1, "a", -1)], ["locations[0].parent_id"]),
        (
            [Location(1, "a", 2), Location(2, "b", 1), Location(3, "c")],
            ["locations[0].parent_id", "locations[1].parent_id"],
        ),
    ],
)
async def test_one_bad_place_refuses_the_whole_import(
    locations: Locations, given: list[Location], fields: list[str]
) -> None:
    await locations.put([Location(99, "before")])
    assert await refused(locations.put([*given, Location(100, "fine")])) == fields
    assert await everything(locations) == [Location(99, "before")]


async def test_a_circle_through_places_known_before_is_refused(locations: Locations) -> None:
    await locations.put([Location(1, "a"), Location(2, "b", 1), Location(3, "c", 2)])
    assert await refused(locations.put([Location(1, "a", 3)])) == ["locations[0].parent_id"]
    assert (await locations.get(1)).parent_id == 0


async def test_more_than_ten_thousand_are_refused_and_ten_thousand_are_not(locations: Locations) -> None:
    many = [Location(number, f"place {number}", number // 10) for number in range(1, 10_002)]
    assert await refused(locations.put(many)) == ["locations"]
    assert await locations.put(many[:-1]) == (10_000, 0)


async def test_parallel_imports_are_each_whole(locations: Locations) -> None:
    imports = [[Location(number, f"version {n}") for number in range(1, 51)] for n in range(8)]
    results = await asyncio.gather(*(locations.put(each[:: (-1) ** n]) for n, each in enumerate(imports)))
    assert sum(added for added, _ in results) == 50
    assert len({place.name for place in await everything(locations)}) == 1


@pytest.mark.parametrize("location_id", [0, -1, 5, 2**63 - 1])
async def test_an_unknown_place_is_not_found(locations: Locations, location_id: int) -> None:
    with pytest.raises(GatepostError) as caught:
        await locations.get(location_id)
    assert caught.value.reason is Reason.NOT_FOUND


async def test_the_list_that_ships_is_put_in_place_once_by_instances_that_start_together(locations: Locations) -> None:
    await asyncio.gather(*(locations.ship() for _ in range(8)))
    assert [place.id for place in await everything(locations)] == sorted(place.id for place in shipped())
    assert (await locations.get(1)).name == "Jawa Timur"


async def test_an_operators_own_places_are_left_as_they_are(locations: Locations) -> None:
    await locations.put([Location(1, "Wien")])
    await locations.ship()
    assert await everything(locations) == [Location(1, "Wien")]


async def test_what_an_operator_changed_in_the_shipped_list_stays(locations: Locations) -> None:
    await locations.ship()
    assert await locations.put([Location(1, "East Java")]) == (0, 1)
    await locations.ship()
    assert (await locations.get(1)).name == "East Java"


async def test_shipping_waits_for_an_import_under_way_and_then_leaves_it(locations: Locations) -> None:
    await asyncio.gather(locations.put([Location(500, "Wien")]), *(locations.ship() for _ in range(3)))
    assert (await locations.get(500)).name == "Wien"
    assert len(await everything(locations)) in {1, len(shipped()) + 1}
