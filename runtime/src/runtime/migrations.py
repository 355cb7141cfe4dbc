"""Forward-only migrations: numbered SQL files in each service's `migrations` folder, applied once, in order.

Safe when several instances start at once (advisory lock), refused when an applied file was edited (checksum), and
impatient with locks (lock_timeout), so that a busy table delays the migration and not the users. How long a statement
works is not bounded: an index on a large table takes its time, and cut off at each start it would never be there.

Each is a transaction, but for a file whose first line is `-- Outside a transaction.`: its statements run one by one, as
CREATE INDEX CONCURRENTLY wants it. Cut off, it is run again from its beginning, so it begins by dropping what it makes.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from runtime.logs import get_logger
from runtime.postgres import LOST, Database

OUTSIDE = "-- Outside a transaction.\n"
_BUSY_SECONDS = 0.2
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK = 0x67617465706F7374  # "gatepost"
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


class MigrationError(Exception):
    """The database's history and the shipped files disagree."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: number, name, text and its SHA-256."""

    version: int
    name: str
    sql: str
    checksum: str

    @property
    def statements(self) -> list[str]:
        """What runs outside a transaction, one by one; empty for a migration that is one."""
        return [each for each in re.split(r"(?<=;)\n", self.sql) if ";" in each] if self.sql.startswith(OUTSIDE) else []


def shipped(package: str) -> list[Migration]:
    """Read the migrations of a package (`auth_service`), by number.

    Raises:
        MigrationError: A file name is off, or a number is missing or double.
    """
    found: list[Migration] = []
    for item in files(package).joinpath("migrations").iterdir():
        if not item.name.endswith(".sql"):
            continue
        match = _NAME.match(item.name)
        if match is None:
            raise MigrationError(f"{item.name}: migrations are called NNNN_words.sql")
        sql = item.read_text(encoding="utf-8")
        found.append(Migration(int(match[1]), item.name, sql, hashlib.sha256(sql.encode()).hexdigest()))
    found.sort(key=lambda migration: migration.version)
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{package}: migration numbers must run 1, 2, 3, … without gap")
    return found


async def open_migrated(dsn: str, package: str, *, max_size: int, application_name: str) -> Database:
    """Open a database and bring it up to date, waiting for a server that is not there (yet, or again).

    Raises:
        MigrationError: See `migrate`.
    """
    while True:
        database = await Database.connect(dsn, max_size=max_size, application_name=application_name)
        try:
            await migrate(dsn, package)
        except LOST:
            await database.close()
        else:
            return database


async def migrate(dsn: str, package: str, to: int | None = None) -> list[str]:
    """Bring a database up to the package's newest migration, or to the one numbered `to`; return the names applied now.

    Raises:
        MigrationError: An applied migration's checksum differs from the shipped file's, or there is no such number.
    """
    migrations = shipped(package)
    if to is not None and to > len(migrations):
        raise MigrationError(f"{package} has migrations up to {len(migrations)}, not {to}: it is of an older release")
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        # Not waited for in the server: a statement that waits is what CREATE INDEX CONCURRENTLY waits for.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 another process
            await asyncio.sleep(_BUSY_SECONDS)
        await connection.execute(_TABLE)
        applied = await _apply(connection, migrations[:to])
        get_logger().info("migrated", version=len(migrations[:to]), newest=len(migrations))
        return applied
    finally:
        await connection.close()


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migrations: list[Migration]) -> list[str]:
    rows = await connection.fetch("SELECT version, checksum FROM schema_migrations")
    done = {row["version"]: row["checksum"] for row in rows}
    applied: list[str] = []
    for migration in migrations:
        if migration.version in done:
            if done[migration.version] != migration.checksum:
                raise MigrationError(f"{migration.name} was changed after it was applied")
            continue
        await connection.execute("SET lock_timeout = '5s'")
        for statement in migration.statements:
            await connection.execute(statement)
        async with connection.transaction():
            if not migration.statements:
                await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
        get_logger().info("migration applied", migration=migration.name)
        applied.append(migration.name)
    return applied
