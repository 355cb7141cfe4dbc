"""PostgreSQL and Valkey: reachable, told the same time, with room for connections, and keeping what they are given."""

import time
from collections.abc import Mapping

import asyncpg
from redis.exceptions import RedisError

from gatepost_cli.diagnosis.finding import Finding, fail, ok, warn
from runtime.errors import GatepostError
from runtime.valkey import Valkey

CONNECT_SECONDS = 3.0
DRIFT_SECONDS, TOO_MUCH_DRIFT_SECONDS = 2.0, 60.0
FULL = 0.9
QUERY = """
SELECT current_setting('server_version') AS version,
       extract(epoch FROM clock_timestamp())::float8 AS now,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::float8
           / current_setting('max_connections')::float8 AS used
"""


async def look(dsns: Mapping[str, str], valkey_url: str | None) -> list[Finding]:
    """Return the findings on each database and, if its URL is known, on Valkey."""
    found = [finding for name, dsn in dsns.items() for finding in await _postgres(name, dsn)]
    return [*found, *([await _valkey(valkey_url)] if valkey_url else [])]


async def _postgres(database: str, dsn: str) -> list[Finding]:
    name = f"PostgreSQL database {database}"
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
        try:
            before = time.time()
            row = await connection.fetchrow(QUERY, timeout=CONNECT_SECONDS)
            after = time.time()
        finally:
            connection.terminate()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [fail(name, str(error) or type(error).__name__, "start PostgreSQL, or correct the DSN and its password")]
    if row is None:
        raise AssertionError("a query without FROM has one row")
    found = [ok(name, f"version {row['version']}")]
    if row["used"] > FULL:
        found.append(
            warn(name, f"{row['used']:.0%} of its connections are taken", "raise max_connections, or run less")
        )
    drift = max(before - row["now"], row["now"] - after, 0.0)
    if drift > DRIFT_SECONDS:
        say = fail if drift > TOO_MUCH_DRIFT_SECONDS else warn
        found.append(say(name, f"its clock and ours differ by {drift:.0f} s", "keep both with NTP"))
    return found


async def _valkey(url: str) -> Finding:
    try:
        valkey = Valkey.connect(url)
    except ValueError as error:
        return fail("Valkey", str(error), "correct GATEPOST_VALKEY_URL")
    try:
        if not await valkey.ready():
            return fail(
                "Valkey", "does not answer, or refuses the password", "start it, or correct GATEPOST_VALKEY_URL"
            )
        try:
            answer = await valkey.command("CONFIG", "GET", "maxmemory-policy")
        except (GatepostError, RedisError):  # hosted ones do not tell
            return ok("Valkey", "answers")
    finally:
        await valkey.close()
    if b"noeviction" not in (answer if isinstance(answer, list) else [*answer.keys(), *answer.values()]):
        return warn(
            "Valkey", "throws keys away when it is full", "set maxmemory-policy to noeviction: codes would vanish"
        )
    return ok("Valkey", "answers, keeps what it is given")
