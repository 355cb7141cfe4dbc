"""The use cases of user-service over a real PostgreSQL."""

import asyncio
from datetime import date, timedelta
from functools import partial
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

import pytest

from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason, Rule
from runtime.postgres import Database
from user_service.locations import Locations
from user_service.model import EDITABLE, Details, Location, Profile
from user_service.profiles import Profiles

BLANK: dict[str, Any] = {name: getattr(Details(), name) for name in EDITABLE} | {"birth_date": ""}
PARALLEL = 20


@pytest.fixture(params=[100, 1], ids=["together", "each alone"])
def profiles(request: pytest.FixtureRequest, database: Database, clock: ManualClock) -> Profiles:
    return Profiles(database, clock, partial(token_hex, 16), most=request.param)


@pytest.fixture
def project_id() -> UUID:
    return uuid4()


async def create(profiles: Profiles, project_id: UUID, user_id: UUID | None = None, **said: Any) -> Profile:
    return await profiles.create(user_id or uuid4(), project_id, BLANK | said)


async def reason_of(call: Any) -> Reason:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value.reason


async def test_what_is_created_is_read_back_whole(profiles: Profiles, project_id: UUID) -> None:
    created = await create(
        profiles,
        project_id,
        first_name="Zoë",
        last_name="O'Neil; DROP TABLE",
        phone="+49 30 901820",
        gender="other",
        birth_date="1990-05-17",
        biography="one\ntwo",
        website="https://example.org/",
        relationship="it is complicated",
        language="de-CH",
        meta='{"a":1}',
    )
    assert await profiles.get(created.user_id) == created
    assert created.details.birth_date == date(1990, 5, 17)
    assert (created.phone_e164, created.version) == ("+4930901820", 1)


async def test_numbers_count_from_one_in_each_project(profiles: Profiles, project_id: UUID) -> None:
    other_project = uuid4()
    numbers = [(await create(profiles, project)).number for project in (project_id, project_id, other_project)]
    assert numbers == [1, 2, 1]


async def test_public_ids_are_random_hex(profiles: Profiles, project_id: UUID) -> None:
    first, second = await create(profiles, project_id), await create(profiles, project_id)
    assert len(bytes.fromhex(first.public_id)) == 16
    assert first.public_id != second.public_id


async def test_a_repeated_create_changes_nothing_and_takes_no_number(profiles: Profiles, project_id: UUID) -> None:
    first = await create(profiles, project_id, first_name="Ann")
    again = await create(profiles, project_id, first.user_id, first_name="Other")
    assert again == first
    assert (await create(profiles, project_id)).number == first.number + 1


async def test_parallel_repeats_make_one_profile_and_take_one_number(profiles: Profiles, project_id: UUID) -> None:
    user_id = uuid4()
    made = await asyncio.gather(
        *(create(profiles, project_id, user_id, first_name=str(index)) for index in range(PARALLEL))
    )
    assert all(profile == made[0] for profile in made)
    assert (made[0].number, (await create(profiles, project_id)).number) == (1, 2)


async def test_parallel_creates_take_numbers_without_gap(profiles: Profiles, project_id: UUID) -> None:
    made = await asyncio.gather(*(create(profiles, project_id) for _ in range(PARALLEL)))
    assert sorted(profile.number for profile in made) == list(range(1, PARALLEL + 1))


async def test_parallel_creates_of_one_account_in_two_projects_make_one_profile(profiles: Profiles) -> None:
    user_id, projects = uuid4(), (uuid4(), uuid4())
    made = await asyncio.gather(*(create(profiles, projects[index % 2], user_id) for index in range(PARALLEL)))
    assert all(profile == made[0] for profile in made)
    assert sorted([(await create(profiles, project)).number for project in projects]) == [1, 2]


async def test_refused_values_take_no_number(profiles: Profiles, project_id: UUID) -> None:
    assert await reason_of(create(profiles, project_id, gender="?")) is Reason.INVALID_PARAMETER
    assert (await create(profiles, project_id)).number == 1


async def test_a_deleted_profile_is_gone_and_its_number_is_never_used_again(
    profiles: Profiles, project_id: UUID
) -> None:
    deleted = await create(profiles, project_id)
    await profiles.delete(deleted.user_id)
    await profiles.delete(deleted.user_id)
    assert await reason_of(profiles.get(deleted.user_id)) is Reason.NOT_FOUND
    assert await reason_of(profiles.find_by_number(project_id, 1)) is Reason.NOT_FOUND
    again = await create(profiles, project_id, deleted.user_id)
    assert again.number == 2
    assert again.public_id != deleted.public_id


async def test_a_profile_is_found_by_number_and_public_id(profiles: Profiles, project_id: UUID) -> None:
    profile = await create(profiles, project_id)
    assert await profiles.find_by_number(project_id, profile.number) == profile
    assert await profiles.find_by_public_id(project_id, profile.public_id) == profile


async def test_a_profile_is_not_found_from_another_project(profiles: Profiles, project_id: UUID) -> None:
    profile = await create(profiles, project_id)
    assert await reason_of(profiles.find_by_number(uuid4(), profile.number)) is Reason.NOT_FOUND
    assert await reason_of(profiles.find_by_public_id(uuid4(), profile.public_id)) is Reason.NOT_FOUND


@pytest.mark.parametrize("public_id", ["", "\x00" * 32, "g" * 32, "A" * 32, "a" * 31, "a" * 33, " " + "a" * 31])
async def test_what_is_no_public_id_is_not_found(profiles: Profiles, project_id: UUID, public_id: str) -> None:
    assert await reason_of(profiles.find_by_public_id(project_id, public_id)) is Reason.NOT_FOUND


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**63 - 1])
async def test_what_is_no_number_is_not_found(profiles: Profiles, project_id: UUID, number: int) -> None:
    assert await reason_of(profiles.find_by_number(project_id, number)) is Reason.NOT_FOUND


async def test_many_profiles_come_in_the_order_asked_without_unknown_ones(profiles: Profiles, project_id: UUID) -> None:
    first, second = await create(profiles, project_id), await create(profiles, project_id)
    asked = [second.user_id, uuid4(), first.user_id, second.user_id]
    assert await profiles.get_many(asked) == [second, first, second]


async def test_a_hundred_profiles_can_be_asked_for_and_no_more(profiles: Profiles) -> None:
    assert await profiles.get_many([]) == []
    assert await profiles.get_many([uuid4() for _ in range(100)]) == []
    assert await reason_of(profiles.get_many([uuid4() for _ in range(101)])) is Reason.INVALID_PARAMETER


async def test_an_update_changes_only_what_the_mask_names(
    profiles: Profiles, project_id: UUID, clock: ManualClock
) -> None:
    before = await create(profiles, project_id, first_name="Ann", last_name="Lee")
    clock.advance(timedelta(seconds=5))
    after, changed = await profiles.update(
        before.user_id, BLANK | {"first_name": "Eve", "last_name": "ignored"}, mask=["first_name"]
    )
    assert changed == ("first_name",)
    assert (after.details.first_name, after.details.last_name) == ("Eve", "Lee")
    assert (after.created_at, after.updated_at) == (before.created_at, before.updated_at + timedelta(seconds=5))
    assert after.etag != before.etag
    assert await profiles.get(before.user_id) == after


async def test_an_update_to_the_same_values_leaves_time_and_etag(
    profiles: Profiles, project_id: UUID, clock: ManualClock
) -> None:
    before = await create(profiles, project_id, first_name="é", birth_date="2000-01-01", meta="")
    clock.advance(timedelta(seconds=5))
    same = BLANK | {"first_name": "e\u0301", "birth_date": "2000-01-01", "meta": ""}
    assert await profiles.update(before.user_id, same, mask=EDITABLE) == (before, ())


async def test_an_empty_mask_changes_nothing(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id, first_name="Ann")
    assert await profiles.update(before.user_id, BLANK, mask=[]) == (before, ())


async def test_changed_names_only_what_differs_once_and_in_the_order_of_the_mask(
    profiles: Profiles, project_id: UUID
) -> None:
    before = await create(profiles, project_id, first_name="Ann", gender="female")
    said = BLANK | {"first_name": "Ann", "gender": "other", "language": "en"}
    _, changed = await profiles.update(
        before.user_id, said, mask=["language", "first_name", "gender", "language", "meta"]
    )
    assert changed == ("language", "gender")


async def test_meta_named_by_the_mask_and_absent_is_cleared_to_absent(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id, meta="")
    after, changed = await profiles.update(before.user_id, BLANK, mask=["meta"])
    assert (before.details.meta, after.details.meta, changed) == ("", None, ("meta",))
    assert await profiles.get(before.user_id) == after


async def test_the_e164_form_follows_the_phone(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id, phone="+1 650 253 0000")
    other, _ = await profiles.update(before.user_id, BLANK | {"first_name": "Ann"}, mask=["first_name"])
    local, changed = await profiles.update(before.user_id, BLANK | {"phone": "253 0000"}, mask=["phone"])
    assert (before.phone_e164, other.phone_e164, local.phone_e164) == ("+16502530000", "+16502530000", "")
    assert changed == ("phone",)


async def test_an_update_with_an_old_etag_is_a_conflict_and_changes_nothing(
    profiles: Profiles, project_id: UUID
) -> None:
    before = await create(profiles, project_id)
    first = BLANK | {"first_name": "First"}
    after, _ = await profiles.update(before.user_id, first, mask=["first_name"], etag=before.etag)
    second = BLANK | {"first_name": "Second"}
    late = profiles.update(before.user_id, second, mask=["first_name"], etag=before.etag)
    assert await reason_of(late) is Reason.CONFLICT
    assert await profiles.get(before.user_id) == after


async def test_of_parallel_updates_with_one_etag_one_succeeds(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id)
    results = await asyncio.gather(
        *(
            profiles.update(before.user_id, BLANK | {"first_name": f"{i}"}, mask=["first_name"], etag=before.etag)
            for i in range(PARALLEL)
        ),
        return_exceptions=True,
    )
    failures = [result for result in results if isinstance(result, GatepostError)]
    assert [failure.reason for failure in failures] == [Reason.CONFLICT] * (PARALLEL - 1)


async def test_parallel_updates_of_different_fields_are_all_kept(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id)
    names = ["first_name", "last_name", "biography", "relationship", "meta"]
    await asyncio.gather(*(profiles.update(before.user_id, BLANK | {name: name}, mask=[name]) for name in names))
    after = await profiles.get(before.user_id)
    assert [getattr(after.details, name) for name in names] == names
    assert after.version == before.version + len(names)


async def test_an_update_of_an_unknown_account_is_not_found(profiles: Profiles) -> None:
    assert await reason_of(profiles.update(uuid4(), BLANK, mask=["first_name"])) is Reason.NOT_FOUND


async def test_an_update_of_an_output_only_field_changes_nothing(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id)
    call = profiles.update(before.user_id, BLANK | {"first_name": "Eve"}, mask=["first_name", "public_id"])
    assert await reason_of(call) is Reason.INVALID_PARAMETER
    assert await profiles.get(before.user_id) == before


@pytest.fixture
def locations(database: Database) -> Locations:
    return Locations(database)


async def test_where_somebody_is_is_read_back(profiles: Profiles, locations: Locations, project_id: UUID) -> None:
    await locations.put([Location(7, "Sumatera Selatan")])
    said: dict[str, Any] = {
        "location_id": 7,
        "latitude": -7.25,
        "longitude": 112.75,
        "address": "Jl. Tunjungan 1",
        "badge": True,
    }
    created = await create(profiles, project_id, **said)
    read = await profiles.get(created.user_id)
    assert {name: getattr(read.details, name) for name in said} == said
    said = BLANK | {"latitude": 0.0, "longitude": None}
    after, changed = await profiles.update(
        created.user_id, said, mask=["location_id", "latitude", "longitude", "badge"]
    )
    assert await profiles.get(created.user_id) == after
    assert (after.details.location_id, after.details.latitude, after.details.longitude) == (0, 0.0, None)
    assert changed == ("location_id", "latitude", "longitude", "badge")


async def test_a_location_that_is_not_listed_is_refused_and_nothing_changes(
    profiles: Profiles, project_id: UUID
) -> None:
    before = await create(profiles, project_id)
    for call in (
        create(profiles, project_id, location_id=12345),
        profiles.update(before.user_id, BLANK | {"location_id": 12345}, mask=["location_id"]),
    ):
        with pytest.raises(GatepostError) as caught:
            await call
        violation = caught.value.violations[0]
        assert (caught.value.reason, violation.field, violation.rule) == (
            Reason.INVALID_PARAMETER,
            "location_id",
            Rule.UNKNOWN,
        )
    assert await profiles.get(before.user_id) == before
    assert (await create(profiles, project_id)).number == before.number + 1


async def test_a_new_phone_is_not_proven_unless_the_mask_says_so(profiles: Profiles, project_id: UUID) -> None:
    created = await create(profiles, project_id, phone="+4930901820")
    assert not created.details.phone_verified

    async def change(mask: list[str], **said: Any) -> tuple[bool, tuple[str, ...]]:
        after, changed = await profiles.update(created.user_id, BLANK | said, mask=mask)
        assert await profiles.get(created.user_id) == after
        return after.details.phone_verified, changed

    assert await change(["phone_verified"], phone_verified=True) == (True, ("phone_verified",))
    assert await change(["phone", "first_name"], phone="+4930901820", first_name="A") == (True, ("first_name",))
    assert await change(["phone"], phone="+4930901821") == (False, ("phone",))
    assert await change(["phone", "phone_verified"], phone="+4930901822", phone_verified=True) == (
        True,
        ("phone", "phone_verified"),
    )
    assert await change(["phone", "phone_verified"], phone="+4930901823", phone_verified=True) == (True, ("phone",))
    assert await change(["phone"], phone="") == (False, ("phone",))


async def test_no_phone_cannot_be_proven(profiles: Profiles, project_id: UUID) -> None:
    before = await create(profiles, project_id)
    call = profiles.update(before.user_id, BLANK | {"phone_verified": True}, mask=["phone_verified"])
    assert await reason_of(call) is Reason.INVALID_PARAMETER
    assert await reason_of(create(profiles, project_id, phone_verified=True)) is Reason.INVALID_PARAMETER
    assert await profiles.get(before.user_id) == before
