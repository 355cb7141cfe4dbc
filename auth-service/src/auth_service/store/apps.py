"""Apps, their secrets, and API keys in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from auth_service.model import ApiKey, App, AppSecret, AppType, Project
from auth_service.store import projects
from auth_service.store.arrays import any_of
from runtime.postgres import Connection

_PROJECT = ", ".join(f"p.{column} AS p_{column}" for column in projects.COLUMNS.split(", "))
_SELECT = f"""
SELECT a.id, a.client_id, a.name, a.type, a.redirect_urls, a.scopes, a.origins, a.allow_plain_pkce, a.disabled,
       a.created_at, a.description, a.website, a.icon_picture, a.allow_query_secret, a.status_mode, a.owner_id,
       {_PROJECT},
       ARRAY(SELECT (s.id, s.hash, s.hint, s.created_at) FROM app_secrets s WHERE s.app_id = a.id
             ORDER BY s.created_at, s.id) AS secrets
FROM apps a JOIN projects p ON p.id = a.project_id
"""  # noqa: S608 columns are constants
_KEY = """k.id, p.name, k.scopes, k.hint, k.created_at, k.networks, k.allow_query_credentials, k.bypass_second_factor,
    k.status_mode"""


def _from_record(row: Record) -> App:
    return App(
        id=row["id"],
        project=projects.from_record(row, "p_"),
        client_id=row["client_id"],
        name=row["name"],
        type=AppType(row["type"]),
        redirect_urls=tuple(row["redirect_urls"]),
        scopes=tuple(row["scopes"]),
        origins=tuple(row["origins"]),
        allow_plain_pkce=row["allow_plain_pkce"],
        disabled=row["disabled"],
        created_at=row["created_at"],
        secrets=tuple(AppSecret(*secret) for secret in row["secrets"]),
        description=row["description"],
        website=row["website"],
        icon_picture=row["icon_picture"],
        allow_query_secret=row["allow_query_secret"],
        status_mode=row["status_mode"],
        owner_id=row["owner_id"],
    )


def _key(row: Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        project=row["name"],
        scopes=tuple(row["scopes"]),
        hint=row["hint"],
        created_at=row["created_at"],
        networks=tuple(row["networks"]),
        allow_query_credentials=row["allow_query_credentials"],
        bypass_second_factor=row["bypass_second_factor"],
        status_mode=row["status_mode"],
    )


async def insert(connection: Connection, app: App) -> bool:
    """Add an app; False if its client id is taken."""
    done = await connection.fetchval(
        "INSERT INTO apps (id, project_id, client_id, name, type, redirect_urls, scopes, origins, allow_plain_pkce, "
        "disabled, created_at, description, website, icon_picture, allow_query_secret, status_mode, owner_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) "
        "ON CONFLICT (client_id) DO NOTHING RETURNING true",
        app.id,
        app.project.id,
        app.client_id,
        app.name,
        app.type,
        app.redirect_urls,
        app.scopes,
        app.origins,
        app.allow_plain_pkce,
        app.disabled,
        app.created_at,
        app.description,
        app.website,
        app.icon_picture,
        app.allow_query_secret,
        app.status_mode,
        app.owner_id,
    )
    return bool(done)


async def update(connection: Connection, app: App) -> None:
    """Store what can be changed of an app."""
    await connection.execute(
        "UPDATE apps SET name = $2, disabled = $3, allow_plain_pkce = $4, redirect_urls = $5, origins = $6, "
        "scopes = $7, description = $8, website = $9, icon_picture = $10, allow_query_secret = $11, status_mode = $12 "
        "WHERE id = $1",
        app.id,
        app.name,
        app.disabled,
        app.allow_plain_pkce,
        app.redirect_urls,
        app.origins,
        app.scopes,
        app.description,
        app.website,
        app.icon_picture,
        app.allow_query_secret,
        app.status_mode,
    )


async def shrink_scopes(connection: Connection, app: App) -> None:
    """Take from grants and sessions of an app what it may not ask for any more."""
    kept = list(app.allowed_scopes)
    for table in ("grants", "sessions"):
        await connection.execute(
            f"UPDATE {table} SET scopes = ARRAY(SELECT scope FROM unnest(scopes) scope WHERE scope = ANY($2)) "  # noqa: S608
            "WHERE app_id = $1 AND NOT scopes <@ $2",
            app.id,
            kept,
        )


async def lock(connection: Connection, client_id: str) -> None:
    """Keep others from changing an app until the transaction ends."""
    await connection.execute("SELECT FROM apps WHERE client_id = $1 FOR UPDATE", client_id)


async def delete(connection: Connection, app_id: UUID) -> None:
    """Delete an app; its secrets, sessions and grants go with it."""
    await connection.execute("DELETE FROM apps WHERE id = $1", app_id)


async def fetch_by_client_ids(connection: Connection, client_ids: Sequence[str]) -> dict[str, App]:
    """Return apps with their projects and secrets, by client id; those that there are."""
    rows = await connection.fetch(_SELECT + f"WHERE a.client_id {any_of('text')}", client_ids)
    return {row["client_id"]: _from_record(row) for row in rows}


async def fetch_by_client_id(connection: Connection, client_id: str) -> App | None:
    """Return an app with its project and secrets."""
    return (await fetch_by_client_ids(connection, [client_id])).get(client_id)


async def fetch_many(connection: Connection, app_ids: Sequence[UUID]) -> dict[UUID, App]:
    """Return apps with their projects and secrets, by id; those that there are."""
    rows = await connection.fetch(_SELECT + f"WHERE a.id {any_of('uuid')}", app_ids)
    return {row["id"]: _from_record(row) for row in rows}


async def fetch(connection: Connection, app_id: UUID) -> App | None:
    """Return an app with its project and secrets, by id."""
    row = await connection.fetchrow(_SELECT + "WHERE a.id = $1", app_id)
    return _from_record(row) if row else None


async def fetch_granted(connection: Connection, account_id: UUID) -> dict[str, App]:
    """Return the apps that a user has granted something, by client id."""
    rows = await connection.fetch(
        _SELECT + "WHERE a.id IN (SELECT app_id FROM grants WHERE account_id = $1)",  # noqa: S608 constants
        account_id,
    )
    return {row["client_id"]: _from_record(row) for row in rows}


async def fetch_page(
    connection: Connection, project_id: UUID, after: datetime, after_id: UUID, limit: int
) -> list[App]:
    """Return a project's apps by creation, after a position."""
    rows = await connection.fetch(
        _SELECT + "WHERE a.project_id = $1 AND (a.created_at, a.id) > ($2, $3) ORDER BY a.created_at, a.id LIMIT $4",
        project_id,
        after,
        after_id,
        limit,
    )
    return [_from_record(row) for row in rows]


async def fetch_of_owner(connection: Connection, owner_id: UUID) -> list[App]:
    """Return the apps that a user has registered, oldest first, at most 100."""
    rows = await connection.fetch(_SELECT + "WHERE a.owner_id = $1 ORDER BY a.created_at, a.id LIMIT 100", owner_id)
    return [_from_record(row) for row in rows]


async def insert_secret(connection: Connection, app_id: UUID, secret: AppSecret) -> None:
    """Add a secret to an app."""
    await connection.execute(
        "INSERT INTO app_secrets (id, app_id, hash, hint, created_at) VALUES ($1, $2, $3, $4, $5)",
        secret.id,
        app_id,
        secret.hash,
        secret.hint,
        secret.created_at,
    )


async def delete_secret(connection: Connection, app_id: UUID, secret_id: UUID) -> bool:
    """End a secret of an app; False if it has no such secret."""
    sql = "DELETE FROM app_secrets WHERE app_id = $1 AND id = $2 RETURNING true"
    return bool(await connection.fetchval(sql, app_id, secret_id))


async def delete_secrets(connection: Connection, app_id: UUID) -> None:
    """End all secrets of an app."""
    await connection.execute("DELETE FROM app_secrets WHERE app_id = $1", app_id)


async def origin_listed(connection: Connection, origin: str) -> bool:
    """Say whether an enabled public app of an enabled project lists an origin."""
    return bool(
        await connection.fetchval(
            # Counted, not EXISTS: for a first one alone PostgreSQL reads apps from the start instead of the index.
            "SELECT count(*) > 0 FROM apps a JOIN projects p ON p.id = a.project_id WHERE a.origins @> ARRAY[$1] "
            "AND a.type = 'public' AND NOT a.disabled AND NOT p.disabled",
            origin,
        )
    )


async def put_key(connection: Connection, key: ApiKey, project_id: UUID, key_hash: bytes) -> bool:
    """Add an API key, or give a known one its value and rights anew; False if the id is another project's key."""
    done = await connection.fetchval(
        "INSERT INTO api_keys (id, project_id, hash, scopes, hint, created_at, networks, allow_query_credentials, "
        "bypass_second_factor, status_mode) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, hint = excluded.hint, scopes = excluded.scopes, "
        "networks = excluded.networks, allow_query_credentials = excluded.allow_query_credentials, "
        "bypass_second_factor = excluded.bypass_second_factor, status_mode = excluded.status_mode "
        "WHERE api_keys.project_id = excluded.project_id RETURNING true",
        key.id,
        project_id,
        key_hash,
        key.scopes,
        key.hint,
        key.created_at,
        key.networks,
        key.allow_query_credentials,
        key.bypass_second_factor,
        key.status_mode,
    )
    return bool(done)


async def fetch_holders(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, tuple[ApiKey, Project]]:
    """Return API keys with their projects by the hash of the key's value; those that there are."""
    rows = await connection.fetch(
        f"SELECT {_KEY}, k.hash, {_PROJECT} FROM api_keys k JOIN projects p ON p.id = k.project_id "  # noqa: S608
        f"WHERE k.hash {any_of('bytea')}",
        hashes,
    )
    return {row["hash"]: (_key(row), projects.from_record(row, "p_")) for row in rows}


async def fetch_keys(connection: Connection, project_id: UUID) -> list[ApiKey]:
    """Return a project's API keys, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_KEY} FROM api_keys k JOIN projects p ON p.id = k.project_id "  # noqa: S608 constant
        "WHERE k.project_id = $1 ORDER BY k.created_at, k.id",
        project_id,
    )
    return [_key(row) for row in rows]


async def delete_key(connection: Connection, key_id: UUID) -> str | None:
    """End an API key and return the name of its project; None if there is none."""
    project: str | None = await connection.fetchval(
        "DELETE FROM api_keys k USING projects p WHERE k.id = $1 AND p.id = k.project_id RETURNING p.name", key_id
    )
    return project
