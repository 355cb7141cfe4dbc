"""Profiles and the numbers of projects in PostgreSQL."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from runtime.postgres import Connection
from user_service.model import Details, Profile

_SELECT = """
SELECT user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender, birth_date, biography,
    website, relationship, language, meta, location_id, latitude, longitude, address, verified_phone, badge, picture,
    cover, version, created_at, updated_at
FROM profiles"""

_INSERT = """
INSERT INTO profiles (first_name, last_name, phone, phone_e164, gender, birth_date, biography, website, relationship,
    language, meta, location_id, latitude, longitude, address, verified_phone, badge, picture, cover, version,
    updated_at, user_id, project_id, number, public_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26)
ON CONFLICT (user_id) DO NOTHING"""

_UPDATE = """
UPDATE profiles SET first_name = $1, last_name = $2, phone = $3, phone_e164 = $4, gender = $5, birth_date = $6,
    biography = $7, website = $8, relationship = $9, language = $10, meta = $11, location_id = $12, latitude = $13,
    longitude = $14, address = $15, verified_phone = $16, badge = $17, picture = $18, cover = $19, version = $20,
    updated_at = $21
WHERE user_id = $22"""

_TAKE_NUMBER = """
INSERT INTO project_numbers AS numbers (project_id, last_number) VALUES ($1, 1)
ON CONFLICT (project_id) DO UPDATE SET last_number = numbers.last_number + 1
RETURNING last_number"""


async def find(connection: Connection, user_id: UUID) -> Profile | None:
    """Read the profile of an account."""
    return _optional(await connection.fetchrow(_SELECT + " WHERE user_id = $1", user_id))


async def find_for_update(connection: Connection, user_id: UUID) -> Profile | None:
    """Read the profile of an account and keep others from changing it until the transaction ends."""
    return _optional(await connection.fetchrow(_SELECT + " WHERE user_id = $1 FOR UPDATE", user_id))


async def find_many(connection: Connection, user_ids: Sequence[UUID]) -> list[Profile]:
    """Read the profiles of accounts, in no order; unknown ones are left out."""
    return [_profile(row) for row in await connection.fetch(_SELECT + " WHERE user_id = ANY($1)", user_ids)]


async def find_by_number(connection: Connection, project_id: UUID, number: int) -> Profile | None:
    """Read a profile by its number in a project."""
    row = await connection.fetchrow(_SELECT + " WHERE project_id = $1 AND number = $2", project_id, number)
    return _optional(row)


async def find_by_public_id(connection: Connection, project_id: UUID, public_id: str) -> Profile | None:
    """Read a profile by its public id, if it is of this project."""
    row = await connection.fetchrow(_SELECT + " WHERE public_id = $2 AND project_id = $1", project_id, public_id)
    return _optional(row)


async def take_number(connection: Connection, project_id: UUID) -> int:
    """Return the project's next number, 1 and up; other takers wait until the transaction ends.

    If the transaction is rolled back, the number is not taken.
    """
    number: int = await connection.fetchval(_TAKE_NUMBER, project_id)
    return number


async def insert(connection: Connection, profile: Profile) -> bool:
    """Store a new profile; False, and nothing stored, if the account has one already."""
    done = await connection.execute(
        _INSERT,
        *_changing(profile),
        profile.user_id,
        profile.project_id,
        profile.number,
        profile.public_id,
        profile.created_at,
    )
    return done == "INSERT 0 1"


async def update(connection: Connection, profile: Profile) -> None:
    """Store what may change of a profile that was read by `find_for_update` in this transaction."""
    await connection.execute(_UPDATE, *_changing(profile), profile.user_id)


async def delete(connection: Connection, user_id: UUID) -> None:
    """Delete the profile of an account, if there is one; its pictures become due."""
    await connection.execute("DELETE FROM profiles WHERE user_id = $1", user_id)


def _changing(profile: Profile) -> tuple[Any, ...]:
    details = profile.details
    return (
        details.first_name,
        details.last_name,
        details.phone,
        profile.phone_e164,
        details.gender,
        details.birth_date,
        details.biography,
        details.website,
        details.relationship,
        details.language,
        details.meta,
        details.location_id or None,
        details.latitude,
        details.longitude,
        details.address,
        details.phone if details.phone_verified else "",
        details.badge,
        profile.picture,
        profile.cover,
        profile.version,
        profile.updated_at,
    )


def _optional(row: asyncpg.Record | None) -> Profile | None:
    return None if row is None else _profile(row)


def _profile(row: asyncpg.Record) -> Profile:
    return Profile(
        user_id=row["user_id"],
        project_id=row["project_id"],
        number=row["number"],
        public_id=row["public_id"],
        details=Details(
            first_name=row["first_name"],
            last_name=row["last_name"],
            phone=row["phone"],
            gender=row["gender"],
            birth_date=row["birth_date"],
            biography=row["biography"],
            website=row["website"],
            relationship=row["relationship"],
            language=row["language"],
            meta=row["meta"],
            location_id=row["location_id"] or 0,
            latitude=row["latitude"],
            longitude=row["longitude"],
            address=row["address"],
            phone_verified=row["phone"] != "" and row["phone"] == row["verified_phone"],
            badge=row["badge"],
        ),
        phone_e164=row["phone_e164"],
        picture=row["picture"],
        cover=row["cover"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
