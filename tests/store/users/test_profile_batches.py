"""Profiles that are read and changed together: each caller has his own answer, and what another instance did holds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from runtime import costs
from runtime.clock import ManualClock
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection, Database
from user_service.model import EDITABLE, Details, Profile
from user_service.profiles import Profiles
from user_service.store import profiles as store

BLANK: dict[str, Any] = {name: getattr(Details(), name) for name in EDITABLE} | {"birth_date": ""}
PARALLEL = 20
PATIENCE_SECONDS = 10.0
MANY = 20_000
WORK = "a test"
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_MANY = """
INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    birth_date, biography, website, relationship, language, meta, version, created_at, updated_at)
SELECT gen_random_uuid(), $1, n, md5(n::text), 'Ann', '', '', '', '', NULL, '', '', '', '', NULL, 1, now(), now()
FROM generate_series(1, $2::int) AS n"""


@pytest.fixture
def profiles(database: Database, clock: ManualClock) -> Profiles:
    return Profiles(database, clock, partial(token_hex, 16), most=100)


@pytest.fixture(params=[100, 1], ids=["together", "each alone"])
def another(request: pytest.FixtureRequest, database: Database, clock: ManualClock) -> Profiles:
    """Return what another instance has."""
    return Profiles(database, clock, partial(token_hex, 16), most=request.param)


async def create(profiles: Profiles, count: int, **said: Any) -> list[Profile]:
    project_id = uuid4()
    return [await profiles.create(uuid4(), project_id, BLANK | said) for _ in range(count)]


def change(profiles: Profiles, user_id: UUID, etag: str = "", **said: Any) -> Awaitable[Any]:
    return profiles.update(user_id, BLANK | said, mask=list(said), etag=etag)


def reasons(answers: Sequence[Any]) -> list[Reason | None]:
    return [answer.reason if isinstance(answer, GatepostError) else None for answer in answers]


@asynccontextmanager
async def before_a_commit(database: Database, statement: str, *values: Any) -> AsyncIterator[None]:
    """Run a statement of another instance's; commit it when somebody waits for that, after the block."""
    async with database.transaction() as connection:
        await connection.execute(statement, *values)
        yield
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await connection.fetchval(_WAITING):  # noqa: ASYNC110 PostgreSQL is watched from outside
                await asyncio.sleep(0.01)


def spent(cost: costs.Cost) -> int:
    return costs._spent[cost, WORK]


async def test_an_unknown_account_spoils_nobody_elses_answer(profiles: Profiles) -> None:
    first, second = await create(profiles, 2)
    asked = [first.user_id, uuid4(), second.user_id, first.user_id]
    read = await asyncio.gather(*map(profiles.get, asked), return_exceptions=True)
    assert (read[0], read[2], read[3]) == (first, second, first)
    assert reasons(read) == [None, Reason.NOT_FOUND, None, None]
    changed = await asyncio.gather(
        *(change(profiles, user_id, last_name="Lee") for user_id in asked), return_exceptions=True
    )
    assert reasons(changed) == [None, Reason.NOT_FOUND, None, None]


async def test_looking_up_an_unknown_one_spoils_nobody_elses_answer(profiles: Profiles) -> None:
    first, second = await create(profiles, 2)
    keys = [(first.project_id, second.number), (uuid4(), first.number), (first.project_id, 3), (first.project_id, 1)]
    found = await asyncio.gather(*(profiles.find_by_number(*key) for key in keys), return_exceptions=True)
    assert (found[0], found[3]) == (second, first)
    assert reasons(found) == [None, Reason.NOT_FOUND, Reason.NOT_FOUND, None]
    others = [(first.project_id, second.public_id), (uuid4(), first.public_id), (first.project_id, first.public_id)]
    found = await asyncio.gather(*(profiles.find_by_public_id(*key) for key in others), return_exceptions=True)
    assert (found[0], found[2]) == (second, first)
    assert reasons(found) == [None, Reason.NOT_FOUND, None]


async def test_a_refused_change_spoils_no_other_of_the_same_profile(profiles: Profiles) -> None:
    (before,) = await create(profiles, 1)
    user_id = before.user_id
    answers = await asyncio.gather(
        change(profiles, user_id, first_name="Ann"),
        change(profiles, user_id, location_id=12345),
        change(profiles, user_id, phone_verified=True),
        change(profiles, user_id, last_name="Lee"),
        return_exceptions=True,
    )
    assert reasons(answers) == [None, Reason.INVALID_PARAMETER, Reason.INVALID_PARAMETER, None]
    after = await profiles.get(user_id)
    assert after.version == before.version + 2
    assert after.details == before.details._replace(first_name="Ann", last_name="Lee")


async def test_changes_of_one_profile_see_each_other_in_order(profiles: Profiles) -> None:
    (before,) = await create(profiles, 1)
    answers = await asyncio.gather(*(change(profiles, before.user_id, first_name=name) for name in ("A", "B", "B")))
    assert [(profile.details.first_name, changed) for profile, changed in answers] == [
        ("A", ("first_name",)),
        ("B", ("first_name",)),
        ("B", ()),
    ]
    assert [profile.version - before.version for profile, _ in answers] == [1, 2, 2]
    assert await profiles.get(before.user_id) == answers[-1][0]


async def test_an_etag_holds_against_others_in_the_same_batch(profiles: Profiles) -> None:
    first, second = await create(profiles, 2)
    answers = await asyncio.gather(
        change(profiles, first.user_id, first_name="A", etag=first.etag),
        change(profiles, first.user_id, first_name="B", etag=first.etag),
        change(profiles, second.user_id, first_name="C", etag=second.etag),
        return_exceptions=True,
    )
    assert reasons(answers) == [None, Reason.CONFLICT, None]
    assert (await profiles.get(first.user_id)).details.first_name == "A"


async def test_of_parallel_changes_by_two_instances_none_is_lost(profiles: Profiles, another: Profiles) -> None:
    (before,) = await create(profiles, 1)
    answers = await asyncio.gather(
        *(change((profiles, another)[n % 2], before.user_id, first_name=f"{n}") for n in range(2 * PARALLEL))
    )
    by_version = {profile.version: profile for profile, _ in answers}
    assert sorted(by_version) == [before.version + 1 + n for n in range(2 * PARALLEL)]
    assert await profiles.get(before.user_id) == by_version[max(by_version)]


async def test_what_another_instance_changed_meanwhile_is_kept(profiles: Profiles, database: Database) -> None:
    (before,) = await create(profiles, 1)
    statement = "UPDATE profiles SET last_name = 'Lee', version = version + 1 WHERE user_id = $1"
    async with before_a_commit(database, statement, before.user_id):
        changing: Awaitable[Sequence[Any]] = asyncio.gather(
            change(profiles, before.user_id, first_name="Ann"),
            change(profiles, before.user_id, first_name="Eve", etag=before.etag),
            return_exceptions=True,
        )
    answers = await changing
    assert reasons(answers) == [None, Reason.CONFLICT]
    after = await profiles.get(before.user_id)
    assert after == answers[0][0]
    assert (after.details.first_name, after.details.last_name, after.version) == ("Ann", "Lee", before.version + 2)


async def test_a_profile_that_is_deleted_meanwhile_is_not_found(profiles: Profiles, database: Database) -> None:
    gone, kept = await create(profiles, 2)
    async with before_a_commit(database, "DELETE FROM profiles WHERE user_id = $1", gone.user_id):
        changing = asyncio.gather(
            *(change(profiles, profile.user_id, first_name="Ann") for profile in (gone, kept)), return_exceptions=True
        )
    assert reasons(await changing) == [Reason.NOT_FOUND, None]


async def test_changes_of_many_profiles_are_two_statements_and_one_commit(profiles: Profiles) -> None:
    made = await create(profiles, PARALLEL)
    with bound(CallContext(work=WORK)):
        before = (spent("statement"), spent("commit"))
        await asyncio.gather(*(change(profiles, profile.user_id, first_name=profile.public_id) for profile in made))
        assert (spent("statement") - before[0], spent("commit") - before[1]) == (2, 1)
        before = (spent("statement"), spent("commit"))
        await asyncio.gather(*(change(profiles, profile.user_id, first_name=profile.public_id) for profile in made))
        assert (spent("statement") - before[0], spent("commit") - before[1]) == (1, 0)


async def test_profiles_of_several_projects_are_made_by_one_statement_and_numbered_as_asked(
    profiles: Profiles,
) -> None:
    projects = (uuid4(), uuid4())
    with bound(CallContext(work=WORK)):
        before = (spent("statement"), spent("commit"))
        made = await asyncio.gather(*(profiles.create(uuid4(), projects[n % 2], BLANK) for n in range(PARALLEL)))
        assert (spent("statement") - before[0], spent("commit") - before[1]) == (1, 1)
    assert [profile.number for profile in made] == [1 + n // 2 for n in range(PARALLEL)]
    assert await asyncio.gather(*(profiles.get(profile.user_id) for profile in made)) == made


async def test_a_profile_made_meanwhile_by_another_instance_is_returned_and_spoils_no_other(
    profiles: Profiles, another: Profiles
) -> None:
    project_id, accounts = uuid4(), [uuid4() for _ in range(PARALLEL)]
    made = await asyncio.gather(
        *(instance.create(account, project_id, BLANK) for account in accounts for instance in (profiles, another))
    )
    assert made[::2] == made[1::2]
    assert sorted(profile.number for profile in made[::2]) == [1 + n for n in range(PARALLEL)]


async def test_every_column_that_may_change_is_stored_by_a_change(profiles: Profiles) -> None:
    said: dict[str, Any] = {
        **{name: name for name in ("first_name", "last_name", "relationship", "address", "meta", "biography")},
        "phone": "+4930901820",
        "phone_verified": True,
        "gender": "other",
        "birth_date": "1990-05-17",
        "website": "https://example.org/",
        "language": "de",
        "latitude": 1.5,
        "longitude": 2.5,
        "badge": True,
    }
    whole, one_by_one = *await create(profiles, 1, **said), *await create(profiles, 1)
    for name, value in said.items():
        await change(profiles, one_by_one.user_id, **{name: value})
    after = await profiles.get(one_by_one.user_id)
    assert (after.details, after.phone_e164) == (whole.details, whole.phone_e164)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def many(database: Database) -> list[UUID]:
    """Return the accounts of so many profiles that reading all of them is no plan."""
    async with database.acquire() as connection:
        await connection.execute(_MANY, uuid4(), MANY)
        await connection.execute("ANALYZE profiles")
        return [row[0] for row in await connection.fetch("SELECT user_id FROM profiles LIMIT 100")]


async def explained(connection: Connection, statement: str, *values: Any) -> str:
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}", *values))


@pytest.mark.parametrize("count", [1, 2, 10, 64, 100])
async def test_a_batch_is_found_and_changed_by_the_index(database: Database, many: list[UUID], count: int) -> None:
    async with database.acquire() as connection:
        plans = [
            await explained(connection, store._SELECT + store._OF_MANY, many[:count]),
            await explained(connection, store._BY_NUMBERS, many[:count], [1] * count),
            await explained(connection, store._BY_PUBLIC_IDS, many[:count], ["0" * 32] * count),
        ]
        columns = ("first_name", "version", "updated_at")
        now = datetime.now(UTC)
        values = ([1] * count, ["Ann"] * count, [2] * count, [now] * count)
        changed = await explained(connection, store._update_statement(columns), many[:count], *values)
    for plan, index in zip([*plans, changed], ["pkey", "number_key", "public_id_key", "pkey"], strict=True):
        assert f"profiles_{index}" in plan
        assert "Seq Scan" not in plan
    assert "Nested Loop" in changed  # which looks up, and so locks, in the order given
