"""What is counted as a cost, held to what PostgreSQL and Valkey themselves say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from conftest import TestPostgres
from prometheus_client import REGISTRY

from runtime.context import CallContext, bound
from runtime.loops import Loop
from runtime.postgres import Connection, Database
from runtime.valkey import Script, Valkey

WORK = "/a.Service/Method"


def spent(cost: str, work: str = WORK) -> int:
    return int(REGISTRY.get_sample_value("gatepost_costs_total", {"cost": cost, "work": work}) or 0)


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: TestPostgres) -> AsyncIterator[Database]:
    opened = await Database.connect(postgres.create_database(), max_size=1)
    async with opened.acquire() as connection:
        await connection.execute("CREATE TABLE things (id int, update_time int)")
        await connection.execute("INSERT INTO things VALUES (1, 0)")
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def at_work() -> Iterator[None]:
    with bound(CallContext(work=WORK)):
        yield


async def written(database: Database) -> int:
    """Return how many transactions the server has numbered: those that wrote. Takes a number itself."""
    async with database.acquire() as connection:
        return int(await connection.fetchval("SELECT pg_current_xact_id()::text::bigint"))


async def read(connection: Connection) -> None:
    await connection.fetchval("SELECT update_time FROM things WHERE id = $1", 1)


async def write(connection: Connection) -> None:
    await connection.execute("UPDATE things SET update_time = $1", 1)


async def write_and_return(connection: Connection) -> None:
    await connection.fetchrow("WITH new AS (INSERT INTO things VALUES (2, 0) RETURNING id) SELECT id FROM new")


async def lock(connection: Connection) -> None:
    await connection.fetch("SELECT id FROM things for update")


async def fail_after_writing(database: Database) -> None:
    async with database.transaction() as connection:
        await write(connection)
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("statements", "commits"),
    [([read], 0), ([write], 1), ([write_and_return], 1), ([lock], 1), ([read, write, lock], 2), ([write] * 3, 3)],
)
async def test_each_statement_that_writes_by_itself_is_a_commit(
    database: Database, statements: list[Any], commits: int
) -> None:
    await held_to_the_server(database, statements, commits, transaction=False)


@pytest.mark.parametrize(
    ("statements", "commits"), [([], 0), ([read], 0), ([write], 1), ([read, lock], 1), ([write, write_and_return], 1)]
)
async def test_a_transaction_that_writes_is_one_commit(database: Database, statements: list[Any], commits: int) -> None:
    await held_to_the_server(database, statements, commits, transaction=True)


async def held_to_the_server(database: Database, statements: list[Any], commits: int, *, transaction: bool) -> None:
    numbers: list[int] = []
    while len(numbers) < 3:  # once is not enough where somebody else, as autovacuum, writes at the same time
        numbered, before = await written(database), (spent("statement"), spent("commit"))
        async with database.transaction() if transaction else database.acquire() as connection:
            for statement in statements:
                await statement(connection)
        after = (spent("statement") - before[0], spent("commit") - before[1])
        assert after == (len(statements) + 2 * transaction, commits)
        numbers.append(await written(database) - numbered - 1)
        if numbers[-1] == commits:
            break
    assert numbers[-1] == commits, numbers


async def test_a_transaction_that_is_rolled_back_is_no_commit_nor_makes_the_next_one_one(database: Database) -> None:
    before = spent("commit")
    with pytest.raises(ZeroDivisionError):
        await fail_after_writing(database)
    async with database.transaction() as connection:
        await read(connection)
    assert spent("commit") == before


async def test_a_script_that_is_not_known_yet_is_two_round_trips(valkey_url: Callable[[], str]) -> None:
    valkey = Valkey.connect(valkey_url())
    script = Script("return 'known from now on'")
    counts = []
    for _ in range(2):
        before = spent("valkey")
        await valkey.run(script, "key")
        counts.append(spent("valkey") - before)
    assert counts == [2, 1]
    await valkey.close()


async def test_what_a_background_loop_does_is_counted_as_its_own(database: Database) -> None:
    before, own = spent("statement"), spent("statement", "a loop")
    done = asyncio.Event()

    async def step() -> bool:
        async with database.acquire() as connection:
            await read(connection)
        done.set()
        return False

    loop = Loop("a loop", 60, step)
    loop.start()
    await done.wait()
    await loop.stop()
    assert (spent("statement"), spent("statement", "a loop")) == (before, own + 1)
