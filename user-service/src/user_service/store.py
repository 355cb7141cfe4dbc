"""All SQL of user-service. Functions take the connection that a use case borrowed; transactions are the use case's."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from runtime.postgres import Connection
from user_service.model import Details, Profile

_SELECT = """
SELECT user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender, birth_date, biography,
    website, relationship, language, meta, version, created_at, updated_at
FROM profiles"""

_INSERT = """
INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    birth_date, biography, website, relationship, language, meta, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (user_id) DO NOTHING"""

_UPDATE = """
UPDATE profiles SET first_name = $2, last_name = $3, phone = $4, phone_e164 = $5, gender = $6, birth_date = $7,
    biography = $8, website = $9, relationship = $10, language = $11, meta = $12, version = $13, updated_at = $14
WHERE user_id = $1"""

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
    details = profile.details
    done = await connection.execute(
        _INSERT,
        profile.user_id,
        profile.project_id,
        profile.number,
        profile.public_id,
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
        profile.version,
        profile.created_at,
        profile.updated_at,
    )
    return done == "INSERT 0 1"


async def update(connection: Connection, profile: Profile) -> None:
    """Store what may change of a profile that was read by `find_for_update` in this transaction."""
    details = profile.details
    await connection.execute(
        _UPDATE,
        profile.user_id,
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
        profile.version,
        profile.updated_at,
    )


async def delete(connection: Connection, user_id: UUID) -> None:
    """Delete the profile of an account, if there is one."""
    await connection.execute("DELETE FROM profiles WHERE user_id = $1", user_id)


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
        ),
        phone_e164=row["phone_e164"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
