"""Projects in PostgreSQL."""

import json
from uuid import UUID

from asyncpg import Record

from auth_service.model import Project, SignInPolicy
from runtime.postgres import Connection

COLUMNS = (
    "id, name, sign_in_policy, roles, self_assignable_roles, hosts, dialects, password_min_length, allow_plain_pkce, "
    "access_token_seconds, refresh_token_seconds, disabled, created_at, display_name, accent_color, logo_picture, "
    "status_modes, user_apps, switches"
)


def from_record(row: Record, prefix: str = "") -> Project:
    """Build a project from its columns, which may carry a prefix in a join."""
    return Project(
        id=row[prefix + "id"],
        name=row[prefix + "name"],
        sign_in_policy=SignInPolicy(row[prefix + "sign_in_policy"]),
        roles=tuple(row[prefix + "roles"]),
        self_assignable_roles=tuple(row[prefix + "self_assignable_roles"]),
        hosts=tuple(row[prefix + "hosts"]),
        dialects=tuple(row[prefix + "dialects"]),
        password_min_length=row[prefix + "password_min_length"],
        allow_plain_pkce=row[prefix + "allow_plain_pkce"],
        access_token_seconds=row[prefix + "access_token_seconds"],
        refresh_token_seconds=row[prefix + "refresh_token_seconds"],
        disabled=row[prefix + "disabled"],
        created_at=row[prefix + "created_at"],
        display_name=row[prefix + "display_name"],
        accent_color=row[prefix + "accent_color"],
        logo_picture=row[prefix + "logo_picture"],
        status_modes=json.loads(row[prefix + "status_modes"]),
        user_apps=row[prefix + "user_apps"],
        switches=tuple(row[prefix + "switches"]),
    )


async def insert(connection: Connection, project: Project) -> bool:
    """Add a project; False if its name or id is taken."""
    done = await connection.fetchval(
        f"INSERT INTO projects ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "  # noqa: S608
        "$14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING RETURNING true",
        project.id,
        project.name,
        project.sign_in_policy,
        project.roles,
        project.self_assignable_roles,
        project.hosts,
        project.dialects,
        project.password_min_length,
        project.allow_plain_pkce,
        project.access_token_seconds,
        project.refresh_token_seconds,
        project.disabled,
        project.created_at,
        project.display_name,
        project.accent_color,
        project.logo_picture,
        json.dumps(dict(project.status_modes)),
        project.user_apps,
        project.switches,
    )
    return bool(done)


async def update(connection: Connection, project: Project) -> None:
    """Store what an operator can change of a project."""
    await connection.execute(
        "UPDATE projects SET sign_in_policy = $2, roles = $3, self_assignable_roles = $4, hosts = $5, disabled = $6, "
        "dialects = $7, display_name = $8, accent_color = $9, logo_picture = $10, status_modes = $11, user_apps = $12, "
        "switches = $13 WHERE id = $1",
        project.id,
        project.sign_in_policy,
        project.roles,
        project.self_assignable_roles,
        project.hosts,
        project.disabled,
        project.dialects,
        project.display_name,
        project.accent_color,
        project.logo_picture,
        json.dumps(dict(project.status_modes)),
        project.user_apps,
        project.switches,
    )


async def fetch_by_name(connection: Connection, name: str, *, lock: bool = False) -> Project | None:
    """Return a project by name, locked for a change if asked."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM projects WHERE name = $1" + (" FOR UPDATE" if lock else ""),  # noqa: S608
        name,
    )
    return from_record(row) if row else None


async def fetch(connection: Connection, project_id: UUID) -> Project | None:
    """Return a project by id."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM projects WHERE id = $1", project_id)  # noqa: S608
    return from_record(row) if row else None


async def fetch_by_host(connection: Connection, host: str) -> list[Project]:
    """Return the projects that list a host name: two at most, enabled ones first."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM projects WHERE hosts @> ARRAY[$1] ORDER BY disabled, created_at LIMIT 2",  # noqa: S608
        host,
    )
    return [from_record(row) for row in rows]


async def fetch_sharing(connection: Connection, project: Project) -> Project | None:
    """Return another enabled project that lists a host name of this one."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM projects WHERE hosts && $1 AND id <> $2 AND NOT disabled LIMIT 1",  # noqa: S608
        project.hosts,
        project.id,
    )
    return from_record(row) if row else None


async def fetch_page(connection: Connection, after: str, limit: int) -> list[Project]:
    """Return projects by name, after a name."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM projects WHERE name > $1 ORDER BY name LIMIT $2",  # noqa: S608
        after,
        limit,
    )
    return [from_record(row) for row in rows]


async def roles_in_use(connection: Connection, project_id: UUID) -> set[str]:
    """Return the roles that some account of the project holds."""
    rows = await connection.fetch("SELECT DISTINCT role FROM accounts WHERE project_id = $1", project_id)
    return {row["role"] for row in rows}
