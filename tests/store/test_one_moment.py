"""Snapshots of the three databases are of one moment: whatever is under way, invariants hold in them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest_asyncio

from gatepost_cli import invariants
from gatepost_cli.backup import snapshots
from runtime.migrations import migrate

WORKERS = 6
MOMENTS = 15
PROJECT = UUID(int=1)
A_PROJECT = """
INSERT INTO projects (id, name, sign_in_policy, roles, self_assignable_roles, hosts, dialects, password_min_length,
    allow_plain_pkce, access_token_seconds, refresh_token_seconds, created_at)
VALUES ($1, 'default', 'none', '{user}', '{}', '{}', '{}', 8, false, 0, 0, now())"""
A_PROFILE = """
INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    biography, website, relationship, language, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, '', '', '', '', '', '', '', '', '', 1, now(), now())"""
AN_ACCOUNT = """
INSERT INTO accounts (id, project_id, state, role, created_at, updated_at)
VALUES ($1, $2, 'active', 'user', now(), now())"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dsns(postgres: Any) -> AsyncIterator[dict[str, str]]:
    packages = {"auth": "auth_service", "users": "user_service", "notify": "notify_service"}
    made = {word: postgres.create_database() for word in packages}
    for word, package in packages.items():
        await migrate(made[word], package)
    for word, statement in {"auth": A_PROJECT, "users": "INSERT INTO project_numbers VALUES ($1, 1000000)"}.items():
        connection = await asyncpg.connect(made[word])
        await connection.execute(statement, PROJECT)
        await connection.close()
    yield made


async def come_and_go(dsns: dict[str, str], worker: int, done: asyncio.Event) -> None:
    """Sign up and be deleted in the order that the services keep, each step a commit."""
    auth, users = await asyncpg.connect(dsns["auth"]), await asyncpg.connect(dsns["users"])
    number = worker * 100_000
    try:
        while not done.is_set():
            who, number = uuid4(), number + 1
            await auth.execute("INSERT INTO profile_removals VALUES ($1, now())", who)
            await users.execute(A_PROFILE, who, PROJECT, number + 1, who.hex)
            async with auth.transaction():
                await auth.execute("DELETE FROM profile_removals WHERE account_id = $1", who)
                await auth.execute(AN_ACCOUNT, who, PROJECT)
                await auth.execute("INSERT INTO identifiers VALUES ($1, 'email', $2, $2, $3)", PROJECT, who.hex, who)
            async with auth.transaction():
                await auth.execute("INSERT INTO profile_removals VALUES ($1, now())", who)
                await auth.execute("DELETE FROM accounts WHERE id = $1", who)
            await users.execute("DELETE FROM profiles WHERE user_id = $1", who)
            await auth.execute("DELETE FROM profile_removals WHERE account_id = $1", who)
    finally:
        await auth.close()
        await users.close()


async def test_every_moment_is_one_that_a_crash_may_leave(dsns: dict[str, str]) -> None:
    done = asyncio.Event()
    working = [asyncio.create_task(come_and_go(dsns, worker, done)) for worker in range(WORKERS)]
    found, seen = [], 0
    try:
        for _ in range(MOMENTS):
            async with snapshots.held(dsns) as moment:
                found += await invariants.violations(moment)
                seen += await moment["users"].fetchval("SELECT count(*) FROM profiles")
            await asyncio.sleep(0.02)
    finally:
        done.set()
        await asyncio.gather(*working)
    assert found == []
    assert seen > 0


async def test_what_is_violated_is_found(dsns: dict[str, str]) -> None:
    auth, users = await asyncpg.connect(dsns["auth"]), await asyncpg.connect(dsns["users"])
    lonely, orphan = uuid4(), uuid4()
    try:
        await auth.execute(AN_ACCOUNT, lonely, PROJECT)
        await users.execute(A_PROFILE, orphan, PROJECT, 2_000_000, orphan.hex)
        await users.execute("UPDATE profiles SET picture = 'gone' WHERE user_id = $1", orphan)
        async with snapshots.held(dsns) as moment:
            found = {each["what"]: each["examples"] for each in await invariants.violations(moment)}
    finally:
        await auth.execute("DELETE FROM accounts WHERE id = $1", lonely)
        await users.execute("DELETE FROM profiles WHERE user_id = $1", orphan)
        await auth.close()
        await users.close()
    assert found == {
        "an account has no identifier": [str(lonely)],
        "an account has no profile": [str(lonely)],
        "a profile has neither account nor note": [str(orphan)],
        "a profile points to a picture that is not there": [str(orphan)],
        "a number is above the last that was given": [str(orphan)],
    }
