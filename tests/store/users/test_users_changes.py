"""What the database of user-service tells who listens: which profile has changed, and nothing else."""

from typing import Any
from uuid import uuid4

from runtime.postgres import Database

MADE = """
INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    biography, website, relationship, language, version, created_at, updated_at)
VALUES ($1, $1, 1, $2, 'Ann', '', '', '', '', '', '', '', '', 1, now(), now())"""


async def test_a_change_and_an_end_tell_whose_and_a_beginning_nothing(database: Database) -> None:
    user_id, keys, told = uuid4(), [], []

    def hear(*heard: Any) -> None:
        keys.append(heard[-1])

    async with database.acquire() as connection:
        await connection.add_listener("gatepost_changes", hear)
        for statement, *values in (
            (MADE, user_id, user_id.hex),
            ("UPDATE profiles SET picture = 'p' WHERE user_id = $1", user_id),
            ("DELETE FROM profiles WHERE user_id = $1", user_id),
            ("TRUNCATE profiles CASCADE",),
        ):
            await connection.execute(statement, *values)
            told.append(keys.copy())
            keys.clear()
        await connection.remove_listener("gatepost_changes", hear)
    assert told == [[], [f"profile:{user_id}"], [f"profile:{user_id}"], ["*"]]
