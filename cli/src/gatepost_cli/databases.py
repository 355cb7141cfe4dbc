"""The three databases: which DSN each service gets, and making the databases that do not exist yet.

`up` calls this for a PostgreSQL of the operator's own, `embedded.postgres` for ours. Tables are the services' own
business: each migrates its database when it starts.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from gatepost_cli.errors import CommandFailed

DATABASES = ("auth", "users", "notify")
SERVER_DSN = "GATEPOST_POSTGRES_DSN"
CONNECT_SECONDS = 10.0


def variable(database: str) -> str:
    """Return the environment variable that holds a database's DSN."""
    return f"GATEPOST_{database.upper()}_POSTGRES_DSN"


def on_server(dsn: str, database: str) -> str:
    """Return the DSN with its database replaced by `database`."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def external(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the DSN of each database when the environment names them all, else None.

    A service's own variable wins over GATEPOST_POSTGRES_DSN, which names a server: its database part is replaced.
    """
    server = environ.get(SERVER_DSN)
    dsns = {}
    for database in DATABASES:
        dsn = environ.get(variable(database)) or (on_server(server, database) if server else None)
        if dsn is None:
            return None
        dsns[database] = dsn
    return dsns


def in_schema(dsn: str, schema: str) -> str:
    """Return the DSN for asyncpg with tables found in `schema`."""
    return f"{dsn}{'&' if urlsplit(dsn).query else '?'}search_path={schema}"


async def ensure(dsn: str, names: Iterable[str], *, strategy: str = "") -> None:
    """Create those of the databases that do not exist on the server of `dsn`, owned by the DSN's user.

    `strategy` says how the server copies its template; servers before PostgreSQL 15 know but one.

    Raises:
        CommandFailed: the server cannot be reached, refuses us, or refuses to create a database.
    """
    import asyncpg  # noqa: PLC0415  a tenth of a second that nobody else of this process has to pay

    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(f"PostgreSQL cannot be used: {str(error) or type(error).__name__}") from error
    try:
        present = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for name in names:
            if name not in present:
                with suppress(asyncpg.DuplicateDatabaseError):  # another `up` was faster
                    how = f" STRATEGY {strategy}" if strategy else ""
                    await connection.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'{how}")
    except asyncpg.PostgresError as error:
        raise CommandFailed(f"PostgreSQL refuses to create the databases it lacks: {error}") from error
    finally:
        await connection.close()
