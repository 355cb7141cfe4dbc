"""Profiles and the numbers of projects in PostgreSQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import asyncpg

from runtime.postgres import Connection
from user_service.model import Details, Profile

_SELECT = """
SELECT user_id, project_id, number, public_id, first_name, last_name, phone, gender, birth_date, biography, website,
    relationship, language, meta, coalesce(location_id, 0), latitude, longitude, address,
    phone <> '' AND phone = verified_phone, badge, phone_e164, picture, cover, version, created_at, updated_at
FROM profiles"""
_FIRST, _AFTER = 4, 4 + len(Details._fields)  # a row is cut by position into Profile and the Details within
# `ARRAY(SELECT unnest(…))` keeps the planner from looking into the array: it expects ten items whatever comes, so one
# plan does for every batch. Knowing how few there are, it thinks the kept plan too dear and plans anew each time, which
# costs PostgreSQL 40 µs for a read and 300 µs for an update.
_OF_MANY = " WHERE user_id = ANY(ARRAY(SELECT unnest($1::uuid[])))"
_OF_PROJECTS = ", unnest(ARRAY(SELECT unnest($1::uuid[])), $2::{}[]) AS asked (project, key) WHERE project_id = project"
_BY_NUMBERS = _SELECT + _OF_PROJECTS.format("bigint") + " AND number = key"
_BY_PUBLIC_IDS = _SELECT + _OF_PROJECTS.format("text") + " AND public_id = key"

# What may change of a profile: each column's type, and its value.
_CHANGING: Mapping[str, tuple[str, Callable[[Profile], Any]]] = {
    "first_name": ("text", attrgetter("details.first_name")),
    "last_name": ("text", attrgetter("details.last_name")),
    "phone": ("text", attrgetter("details.phone")),
    "phone_e164": ("text", attrgetter("phone_e164")),
    "verified_phone": ("text", lambda profile: profile.details.phone if profile.details.phone_verified else ""),
    "gender": ("text", attrgetter("details.gender")),
    "birth_date": ("date", attrgetter("details.birth_date")),
    "biography": ("text", attrgetter("details.biography")),
    "website": ("text", attrgetter("details.website")),
    "relationship": ("text", attrgetter("details.relationship")),
    "language": ("text", attrgetter("details.language")),
    "meta": ("text", attrgetter("details.meta")),
    "location_id": ("bigint", lambda profile: profile.details.location_id or None),
    "latitude": ("float8", attrgetter("details.latitude")),
    "longitude": ("float8", attrgetter("details.longitude")),
    "address": ("text", attrgetter("details.address")),
    "badge": ("boolean", attrgetter("details.badge")),
    "picture": ("text", attrgetter("picture")),
    "cover": ("text", attrgetter("cover")),
    "version": ("bigint", attrgetter("version")),
    "updated_at": ("timestamptz", attrgetter("updated_at")),
}
_ALWAYS = frozenset({"version", "updated_at"})
_OF_PHONE = frozenset({"phone", "phone_e164", "verified_phone"})  # which go together
_PRIMARY_KEY = "profiles_pkey"


def _items(columns: Mapping[str, str]) -> str:
    """Return what to select from to have a row of these columns for each item; their arrays are the arguments."""
    arrays = [f"${position}::{kind}[]" for position, kind in enumerate(columns.values(), 1)]
    arrays[0] = f"ARRAY(SELECT unnest({arrays[0]}))"
    return f"unnest({', '.join(arrays)}) WITH ORDINALITY AS new ({', '.join(columns)}, position)"


def _insert_statement() -> str:
    lasting = {"user_id": "uuid", "project_id": "uuid", "public_id": "text", "created_at": "timestamptz"}
    columns = {**lasting, **{name: kind for name, (kind, _) in _CHANGING.items()}}
    return f"""
WITH missing AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY project_id ORDER BY position DESC) AS distance
    FROM {_items(columns)}
    WHERE NOT EXISTS (SELECT FROM profiles AS p WHERE p.user_id = new.user_id)
), taken AS (
    INSERT INTO project_numbers AS numbers (project_id, last_number)
    SELECT project_id, count(*) FROM missing GROUP BY project_id ORDER BY project_id
    ON CONFLICT (project_id) DO UPDATE SET last_number = numbers.last_number + excluded.last_number
    RETURNING project_id, last_number
)
INSERT INTO profiles ({", ".join(columns)}, number)
SELECT {", ".join(columns)}, last_number + 1 - distance FROM missing JOIN taken USING (project_id)
RETURNING user_id, number"""  # noqa: S608 names of ours


_INSERT = _insert_statement()


@lru_cache(maxsize=64)
def _update_statement(columns: tuple[str, ...]) -> str:
    kinds = {"user_id": "uuid", "version_before": "bigint", **{name: _CHANGING[name][0] for name in columns}}
    return f"""
UPDATE profiles AS p SET {", ".join(f"{name} = new.{name}" for name in columns)}
FROM {_items(kinds)}
WHERE p.user_id = new.user_id AND p.version = new.version_before
RETURNING p.user_id"""  # noqa: S608 names of ours


class MadeMeanwhileError(Exception):
    """An account of the batch got its profile while ours was made."""


async def find(connection: Connection, user_id: UUID) -> Profile | None:
    """Read the profile of an account."""
    return _optional(await connection.fetchrow(_SELECT + " WHERE user_id = $1", user_id))


async def find_for_update(connection: Connection, user_id: UUID) -> Profile | None:
    """Read the profile of an account and keep others from changing it until the transaction ends."""
    return _optional(await connection.fetchrow(_SELECT + " WHERE user_id = $1 FOR UPDATE", user_id))


async def find_many(connection: Connection, user_ids: Sequence[UUID]) -> dict[UUID, Profile]:
    """Read the profiles of accounts; unknown ones are left out."""
    return _by_account(await connection.fetch(_SELECT + _OF_MANY, user_ids))


async def find_many_for_update(connection: Connection, user_ids: Sequence[UUID]) -> dict[UUID, Profile]:
    """Read the profiles of accounts and keep others from changing them until the transaction ends."""
    query = _SELECT + _OF_MANY + " ORDER BY user_id FOR UPDATE"
    return _by_account(await connection.fetch(query, user_ids))


async def find_by_numbers(connection: Connection, keys: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], Profile]:
    """Read profiles by project and number; unknown ones are left out."""
    profiles = map(_profile, await connection.fetch(_BY_NUMBERS, *zip(*keys, strict=True)))
    return {(profile.project_id, profile.number): profile for profile in profiles}


async def find_by_public_ids(
    connection: Connection, keys: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Profile]:
    """Read profiles by project and public id; those of another project are left out."""
    profiles = map(_profile, await connection.fetch(_BY_PUBLIC_IDS, *zip(*keys, strict=True)))
    return {(profile.project_id, profile.public_id): profile for profile in profiles}


async def insert(connection: Connection, profiles: Sequence[Profile]) -> dict[UUID, Profile]:
    """Store new profiles of different accounts, with the next numbers of their projects in place of those given.

    In one statement, so in one commit, until which other takers of a project's numbers wait. Accounts that have a
    profile already are left out, and take no number.

    Returns:
        What was stored, by account.

    Raises:
        MadeMeanwhileError: An account got its profile beside this statement. Nothing is stored and no number taken; to
            skip the row instead would leave a gap.
    """
    lasting = [(profile.user_id, profile.project_id, profile.public_id, profile.created_at) for profile in profiles]
    changing = ([value(profile) for profile in profiles] for _, value in _CHANGING.values())
    try:
        rows = await connection.fetch(_INSERT, *zip(*lasting, strict=True), *changing)
    except asyncpg.UniqueViolationError as exc:
        if exc.constraint_name != _PRIMARY_KEY:
            raise
        raise MadeMeanwhileError from exc
    numbers = {row[0]: row[1] for row in rows}
    return {
        profile.user_id: profile._replace(number=numbers[profile.user_id])
        for profile in profiles
        if profile.user_id in numbers
    }


async def update(connection: Connection, changes: Iterable[tuple[int, Profile]], fields: AbstractSet[str]) -> set[UUID]:
    """Store what may change of profiles; each only if its version is still the one given with it.

    In one statement, so in one commit. Columns of other fields are left out: of 64 changes of two fields each costs
    13 µs less so, and one that goes alone 55 µs.

    Args:
        connection: A connection.
        changes: The version before, and the profile after; one for each account.
        fields: Names of fields of Details or Profile that differ in any of them.

    Returns:
        The accounts whose profiles were stored.
    """
    if fields & {"phone", "phone_verified"}:
        fields = fields | _OF_PHONE
    columns = tuple(name for name in _CHANGING if name in fields or name in _ALWAYS)
    # In the order of the ids, in which rows are looked up and locked, so that no two writers wait for each other.
    ordered = sorted(changes, key=lambda change: change[1].user_id)
    profiles = [profile for _, profile in ordered]
    rows = await connection.fetch(
        _update_statement(columns),
        [profile.user_id for profile in profiles],
        [version for version, _ in ordered],
        *([_CHANGING[name][1](profile) for profile in profiles] for name in columns),
    )
    return {row[0] for row in rows}


async def delete(connection: Connection, user_id: UUID) -> None:
    """Delete the profile of an account, if there is one; its pictures become due."""
    await connection.execute("DELETE FROM profiles WHERE user_id = $1", user_id)


def _by_account(rows: Sequence[asyncpg.Record]) -> dict[UUID, Profile]:
    return {row[0]: _profile(row) for row in rows}


def _optional(row: asyncpg.Record | None) -> Profile | None:
    return None if row is None else _profile(row)


def _profile(row: asyncpg.Record) -> Profile:
    user_id, project_id, number, public_id = row[:_FIRST]
    return Profile(user_id, project_id, number, public_id, Details(*row[_FIRST:_AFTER]), *row[_AFTER:])
