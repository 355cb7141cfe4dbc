"""The release before goes on working on a database that this one has migrated."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio

from runtime.postgres import Connection, Database
from user_service.model import Picture, PictureKind
from user_service.store import pictures, profiles

OLD_INSERT = """
INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    birth_date, biography, website, relationship, language, meta, version, created_at, updated_at)
VALUES ($1, $1, 1, $2, 'Ann', '', '+4930901820', '', '', NULL, '', '', '', '', NULL, 1, $3, $3)"""
OLD_UPDATE = "UPDATE profiles SET phone = $2, phone_e164 = '', version = version + 1 WHERE user_id = $1"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.acquire() as connection:
        yield connection


async def made_by_the_release_before(connection: Connection) -> UUID:
    user_id = uuid4()
    await connection.execute(OLD_INSERT, user_id, user_id.hex, NOW)
    return user_id


async def verified_of(connection: Connection, user_id: UUID) -> bool:
    profile = await profiles.find(connection, user_id)
    assert profile is not None
    return profile.details.phone_verified


async def test_a_profile_it_makes_is_one(connection: Connection) -> None:
    user_id = await made_by_the_release_before(connection)
    profile = await profiles.find(connection, user_id)
    assert profile is not None
    assert (profile.picture, profile.cover, profile.details.location_id, profile.details.badge) == ("", "", 0, False)
    assert (profile.details.latitude, profile.details.address, profile.details.phone_verified) == (None, "", False)


async def test_a_phone_it_changes_does_not_pass_for_proven(connection: Connection) -> None:
    user_id = await made_by_the_release_before(connection)
    await connection.execute("UPDATE profiles SET verified_phone = phone WHERE user_id = $1", user_id)
    assert await verified_of(connection, user_id)
    for phone in ("+4930901821", ""):
        await connection.execute(OLD_UPDATE, user_id, phone)
        assert not await verified_of(connection, user_id)


async def test_a_profile_it_deletes_takes_its_pictures_along(connection: Connection, database: Any) -> None:
    user_id = await made_by_the_release_before(connection)
    picture_id = user_id.hex
    picture = Picture(PictureKind.AVATAR, "image/jpeg")
    await pictures.insert(connection, picture_id, picture, user_id=user_id, now=NOW, due_at=NOW)
    assert await pictures.use(connection, picture_id, NOW)
    assert await pictures.claim_due(connection, NOW, NOW) is None
    await connection.execute("DELETE FROM profiles WHERE user_id = $1", user_id)
    assert await pictures.find(connection, picture_id) is None
    assert await pictures.claim_due(connection, NOW, NOW) == picture_id
