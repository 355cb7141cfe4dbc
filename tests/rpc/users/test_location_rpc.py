"""LocationService of a running user-service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from gatepost.users.v1 import locations_pb2 as pb
from gatepost.users.v1 import profiles_pb2
from gatepost.users.v1.locations_pb2_grpc import LocationServiceStub
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from runtime.errors import GatepostError, Reason, Rule

if TYPE_CHECKING:  # the stubs' name for what LocationServiceStub makes of an asyncio channel
    from gatepost.users.v1.locations_pb2_grpc import LocationServiceAsyncStub


@pytest.fixture
def locations(channel: grpc.aio.Channel) -> LocationServiceAsyncStub:
    return LocationServiceStub(channel)


async def failure(call: Any) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value


async def listed(locations: LocationServiceAsyncStub, **options: Any) -> list[pb.Location]:
    found: list[pb.Location] = []
    request = pb.ListLocationsRequest(**options)
    while True:
        page = await locations.ListLocations(request)
        found += page.locations
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_a_new_service_knows_the_provinces(locations: LocationServiceAsyncStub) -> None:
    found = await locations.GetLocation(pb.GetLocationRequest(id=11))
    assert found.location == pb.Location(id=11, name="Jawa Tengah")


async def test_pages_of_any_size_make_the_same_list(locations: LocationServiceAsyncStub) -> None:
    whole = await listed(locations)
    assert await listed(locations, page_size=7) == whole
    assert [each.id for each in whole] == sorted(each.id for each in whole)


async def test_cities_name_their_province(locations: LocationServiceAsyncStub) -> None:
    cities = await listed(locations, parent_id=1)
    assert {(city.parent_id, city.parent_name) for city in cities} == {(1, "Jawa Timur")}


async def test_what_is_imported_is_counted_and_can_be_named_by_a_profile(
    locations: LocationServiceAsyncStub, channel: grpc.aio.Channel
) -> None:
    request = pb.ImportLocationsRequest(
        locations=[pb.Location(id=5002, name="Graz", parent_id=5001), pb.Location(id=5001, name="Steiermark")]
    )
    first, second = await locations.ImportLocations(request), await locations.ImportLocations(request)
    assert (first.added, first.changed, second.added, second.changed) == (2, 0, 0, 0)
    wanted = profiles_pb2.Profile(
        user_id=str(uuid4()), project_id=str(uuid4()), location_id=5002, latitude=47.07, longitude=15.44
    )
    answer = await ProfileServiceStub(channel).CreateProfile(profiles_pb2.CreateProfileRequest(profile=wanted))
    assert (answer.profile.location_id, answer.profile.latitude, answer.profile.longitude) == (5002, 47.07, 15.44)


async def test_a_bad_import_names_the_place_at_fault_and_adds_nothing(locations: LocationServiceAsyncStub) -> None:
    before = await listed(locations)
    request = pb.ImportLocationsRequest(
        locations=[pb.Location(id=6001, name="fine"), pb.Location(id=6002, name="lost", parent_id=9999)]
    )
    error = await failure(locations.ImportLocations(request))
    assert error.reason is Reason.INVALID_PARAMETER
    assert [(each.field, each.rule) for each in error.violations] == [("locations[1].parent_id", Rule.UNKNOWN)]
    assert await listed(locations) == before


async def test_however_much_is_wrong_the_answer_arrives(locations: LocationServiceAsyncStub) -> None:
    request = pb.ImportLocationsRequest(locations=[pb.Location() for _ in range(10_000)])
    error = await failure(locations.ImportLocations(request))
    assert (error.reason, len(error.violations)) == (Reason.INVALID_PARAMETER, 10)


@pytest.mark.parametrize("location_id", [0, -1, 4242])
async def test_an_unknown_place_is_not_found(locations: LocationServiceAsyncStub, location_id: int) -> None:
    error = await failure(locations.GetLocation(pb.GetLocationRequest(id=location_id)))
    assert error.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("token", ["x", "AAAA", "_" * 11 + "=", "AAAAAAAAAAA", "ä"])
async def test_a_page_token_that_is_none_of_ours_is_refused(locations: LocationServiceAsyncStub, token: str) -> None:
    error = await failure(locations.ListLocations(pb.ListLocationsRequest(page_token=token)))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "page_token")


async def test_a_negative_page_size_is_refused(locations: LocationServiceAsyncStub) -> None:
    error = await failure(locations.ListLocations(pb.ListLocationsRequest(page_size=-1)))
    assert error.violations[0].field == "page_size"
