"""PostgreSQL and Valkey for the ceilings and the peers: the embedded ones, as durable as the stack's own."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

import asyncpg
from redis.asyncio import Redis

from bench.accounting import Group
from bench.ceilings.caller import ROWS
from gatepost_cli.embedded import postgres, valkey

DATABASES = ("ceilings", "better_auth", "fastapi_users", "django")


@dataclass(frozen=True)
class Servers:
    """Both servers, running."""

    postgres: postgres.PostgresServer
    valkey: valkey.ValkeyServer

    @classmethod
    async def start(cls, folder: Path, databases: Sequence[str] = DATABASES) -> Self:
        """Start them in a folder; the ceilings' rows are loaded."""
        password = secrets.token_hex(12)
        database = await postgres.start(
            folder / "postgres", password=password, databases=databases, max_connections=200
        )
        try:
            cache = await valkey.start(folder / "valkey", password=password)
            servers = cls(database, cache)
            await _load_rows(servers.dsn("ceilings"))
        except BaseException:
            await database.stop()
            raise
        return servers

    @property
    def database_group(self) -> Group:
        """PostgreSQL alone."""
        return Group({"postgres": self.postgres.process.pid})

    @property
    def valkey_group(self) -> Group:
        """Valkey alone."""
        return Group({"valkey": self.valkey.process.pid})

    @property
    def valkey_socket(self) -> str:
        """Where Valkey listens."""
        return str(self.valkey.valkey.run / valkey.SOCKET)

    @property
    def password(self) -> str:
        """Of both."""
        return self.valkey.valkey.password

    def dsn(self, database: str, scheme: str = "postgresql") -> str:
        """Return the DSN of a database for a driver's scheme."""
        cluster = self.postgres.cluster
        host = quote(str(cluster.run), safe="/")
        return f"{scheme}://gatepost:{cluster.password}@/{database}?host={host}&port={postgres.PORT}"

    def address(self, database: str) -> dict[str, str]:
        """Return the same as libpq's environment variables."""
        cluster = self.postgres.cluster
        return {
            "PGHOST": str(cluster.run),
            "PGPORT": str(postgres.PORT),
            "PGUSER": "gatepost",
            "PGPASSWORD": cluster.password,
            "PGDATABASE": database,
        }

    async def empty(self) -> None:
        """Forget what the peers have stored."""
        for database in DATABASES[1:]:
            connection = await asyncpg.connect(self.dsn(database))
            try:
                await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            finally:
                await connection.close()
        async with Redis.from_url(self.valkey.url) as client:
            await client.flushall()

    async def stop(self) -> None:
        """Stop both."""
        await asyncio.gather(self.postgres.stop(), self.valkey.stop())


async def _load_rows(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "CREATE TABLE rows (id uuid PRIMARY KEY, number bigint, public_id text, first_name text, last_name text, "
            "phone text, updated_at timestamptz)"
        )
        await connection.execute(
            "INSERT INTO rows SELECT lpad(to_hex(n), 32, '0')::uuid, n, md5(n::text), 'Per', 'Son', '+15005550006', "
            "now() FROM generate_series(0, $1::integer - 1) AS n",
            ROWS,
        )
        await connection.execute("VACUUM ANALYZE rows")
    finally:
        await connection.close()
