"""The schemas that a restore works with: what is served, what is being restored, what was replaced.

Rows go into a schema of their own beside the one that is served, which the last step puts in its place. auth's served
schema is put aside first and its new one comes last: in between there is none, and auth-service, without which nothing
is served, cannot start. So a restore that is cut off leaves what was before, or what only another restore completes.
"""

from collections.abc import Mapping

import asyncpg

from gatepost_cli.backup.tables import Connection
from gatepost_cli.errors import CommandFailed

LIVE, COMING, REPLACED = "public", "gatepost_restored", "gatepost_replaced"
SERVICES = "(auth|user|notify)-service%"
LOCK_SECONDS = 10
_THERE = "SELECT to_regnamespace($1) IS NOT NULL"
_USED = """
SELECT string_agg(DISTINCT application_name, ', ') FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name SIMILAR TO $1"""
_OWNED = """
SELECT coalesce(bool_and(pg_has_role(nspowner, 'USAGE')), true) AND has_database_privilege(current_database(), 'CREATE')
FROM pg_namespace WHERE nspname = $1"""


async def there(connection: Connection, schema: str) -> bool:
    """Tell whether there is such a schema."""
    return bool(await connection.fetchval(_THERE, schema))


async def is_empty(connection: Connection, schema: str, table: str) -> bool:
    """Tell whether a schema has not even this table, or no row in it."""
    if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{schema}.{table}"):
        return True
    return not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {schema}.{table})")  # noqa: S608 constants


async def require_rest(name: str, connection: Connection) -> None:
    """See that no service uses a database, and that we may put another schema in place.

    Raises:
        CommandFailed: one does, or we may not.
    """
    users = await connection.fetchval(_USED, SERVICES)
    if users:
        raise CommandFailed(f"the database {name} is in use by {users}; stop the services first")
    if not await connection.fetchval(_OWNED, LIVE):
        raise CommandFailed(f"the database {name} must belong to the role of its DSN, which is to replace its tables")


async def begin(connection: Connection) -> None:
    """Make the empty schema that is restored into, without what an earlier restore left."""
    if await there(connection, LIVE):
        await connection.execute(f"DROP SCHEMA IF EXISTS {REPLACED} CASCADE")
    await connection.execute(f"DROP SCHEMA IF EXISTS {COMING} CASCADE")
    await connection.execute(f"CREATE SCHEMA {COMING}")


async def swap(connections: Mapping[str, Connection], patience_seconds: int = LOCK_SECONDS) -> None:
    """Put what was restored in place of what was served, in all databases.

    Raises:
        CommandFailed: somebody uses a table.
    """
    auth = connections["auth"]
    try:
        for connection in connections.values():
            await connection.execute(f"SET lock_timeout = '{patience_seconds}s'")
        if await there(auth, LIVE):
            await auth.execute(f"ALTER SCHEMA {LIVE} RENAME TO {REPLACED}")
        for name, connection in connections.items():
            if name != "auth":
                await _put(connection, LIVE)
        await _put(auth, REPLACED)
    except asyncpg.LockNotAvailableError as error:
        raise CommandFailed(f"somebody uses the databases: {error}; restore again") from error


async def _put(connection: Connection, gone: str) -> None:
    async with connection.transaction():
        await connection.execute(f"DROP SCHEMA IF EXISTS {gone} CASCADE")
        await connection.execute(f"ALTER SCHEMA {COMING} RENAME TO {LIVE}")
        await connection.execute(f"GRANT USAGE ON SCHEMA {LIVE} TO PUBLIC")  # as a new database has it
