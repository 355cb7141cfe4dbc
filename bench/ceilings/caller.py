"""The calling side of a ceiling, in a process of its own, so that its CPU time can be told from everything else's.

`python -m bench.ceilings.caller PART ADDRESS CALLERS SECONDS` prints `{"items", "seconds", "cpu_seconds"}`; ADDRESS is
a port, a DSN or a URL. Parts as in `_PARTS`.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import jwt
import uvloop
from redis.asyncio import Redis

from bench.ceilings.coalescing import Coalescer, drive
from gatepost.users.v1.profiles_pb2 import BatchGetProfilesRequest, GetProfileRequest
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub

ROWS = 10_000
_USER = "00000000-0000-4000-8000-000000000000"
_COUNT = "if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return 0"
_READ = "SELECT id, number, public_id, first_name, last_name, phone, updated_at FROM rows WHERE id = ANY($1)"
_WRITE = (
    "UPDATE rows SET first_name = new.name, updated_at = now() "
    "FROM unnest($1::uuid[], $2::text[]) AS new (id, name) WHERE rows.id = new.id"
)
One = Callable[[int], Awaitable[object]]


async def _unary(address: str, stack: AsyncExitStack) -> One:
    stub = ProfileServiceStub(await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{address}")))
    return lambda _number: stub.GetProfile(GetProfileRequest(user_id=_USER))


async def _rpc(address: str, stack: AsyncExitStack) -> One:
    stub = ProfileServiceStub(await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{address}")))

    async def batch(users: list[str]) -> Sequence[object]:
        return (await stub.BatchGetProfiles(BatchGetProfilesRequest(user_ids=users))).profiles

    ask = Coalescer(batch)
    return lambda _number: ask(_USER)


async def _read(address: str, stack: AsyncExitStack) -> One:
    connection = await _connection(address, stack)
    statement = await connection.prepare(_READ)

    async def batch(keys: list[UUID]) -> Sequence[object]:
        found = {row["id"]: row for row in await statement.fetch(keys)}
        return [found[key] for key in keys]

    ask = Coalescer(batch)
    return lambda number: ask(UUID(int=number * 7919 % ROWS))


async def _commit_each(address: str, stack: AsyncExitStack) -> One:
    pool = await stack.enter_async_context(asyncpg.create_pool(address, min_size=8, max_size=8))
    return lambda number: pool.execute(_WRITE, [UUID(int=number * 7919 % ROWS)], [str(number)])


async def _commit(address: str, stack: AsyncExitStack) -> One:
    connection = await _connection(address, stack)

    async def batch(changes: list[tuple[UUID, str]]) -> Sequence[object]:
        newest = dict(changes)
        await connection.execute(_WRITE, list(newest), list(newest.values()))
        return changes

    ask = Coalescer(batch)
    return lambda number: ask((UUID(int=number * 7919 % ROWS), str(number)))


async def _script(address: str, stack: AsyncExitStack) -> One:
    client = await stack.enter_async_context(Redis.from_url(address))
    sha = await client.script_load(_COUNT)

    async def batch(keys: list[str]) -> Sequence[object]:
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.evalsha(sha, 1, key, 60_000)
        answers: list[object] = await pipeline.execute()
        return answers

    ask = Coalescer(batch)
    return lambda number: ask(f"bench:{{{number % ROWS}}}")


async def _connection(address: str, stack: AsyncExitStack) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await asyncpg.connect(address)
    stack.push_async_callback(connection.close)
    return connection


def _signature(seconds: float) -> int:
    key, made, until = os.urandom(32), 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        jwt.encode({"sub": _USER, "exp": 2_000_000_000 + made, "scope": "basic"}, key, "HS256")
        made += 1
    return made


_PARTS: dict[str, Callable[[str, AsyncExitStack], Awaitable[One]]] = {
    "unary": _unary,
    "rpc": _rpc,
    "read": _read,
    "commit_each": _commit_each,
    "commit": _commit,
    "script": _script,
}


async def _run(part: str, address: str, callers: int, seconds: float) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        one = await _PARTS[part](address, stack)
        await drive(one, callers=callers, seconds=min(0.2, seconds))
        began, cpu = time.perf_counter(), time.process_time()
        items = await drive(one, callers=callers, seconds=seconds)
        spent = time.process_time() - cpu
        return {"items": items, "seconds": time.perf_counter() - began, "cpu_seconds": spent}


def main() -> None:
    """Measure one part and print it."""
    part, address, callers, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    if part == "signature":
        began = time.process_time()
        made = _signature(seconds)
        print(json.dumps({"items": made, "seconds": seconds, "cpu_seconds": time.process_time() - began}))
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(part, address, callers, seconds))))


if __name__ == "__main__":
    main()
