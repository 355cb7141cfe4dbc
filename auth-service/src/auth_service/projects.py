"""Projects: create, find, list, change. The project `default` exists from the start."""

import re
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from auth_service.audit import Audit
from auth_service.model import Project, SignInPolicy
from auth_service.store import projects
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, invalid
from runtime.postgres import Database

DEFAULT = "default"
_ROLES = ("user", "admin")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,62}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_MIN_LENGTH, _MAX_MIN_LENGTH = 8, 64


class Projects:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def ensure_default(self) -> None:
        """Make the project `default` unless it is there; safe when several instances start at once."""
        async with self._database.acquire() as connection:
            await projects.insert(connection, self._new(uuid4(), DEFAULT, SignInPolicy.NONE))

    async def create(
        self,
        *,
        project_id: UUID,
        name: str,
        policy: SignInPolicy,
        roles: Sequence[str],
        self_assignable_roles: Sequence[str],
        hosts: Sequence[str],
        password_min_length: int,
        allow_plain_pkce: bool,
    ) -> Project:
        """Make a project. See ProjectService.CreateProject for arguments and errors."""
        if not _NAME.fullmatch(name):
            raise invalid("name", "A project name is 1 to 63 of a-z, 0-9 and hyphen, starting with a letter.")
        project = replace(
            self._new(project_id, name, policy),
            roles=tuple(dict.fromkeys(roles)) or _ROLES,
            self_assignable_roles=tuple(self_assignable_roles),
            hosts=_hosts(hosts),
            password_min_length=password_min_length or _MIN_LENGTH,
            allow_plain_pkce=allow_plain_pkce,
        )
        project = _checked(project)
        async with self._database.transaction() as connection:
            if await projects.insert(connection, project):
                await self._audit.record(connection, "project.create", project=name, by_user=False)
                return project
            known = await projects.fetch_by_name(connection, name)
        if known is None or known.id != project_id:
            raise GatepostError(Reason.ALREADY_EXISTS, f"there is a project {name!r} already")
        return known

    async def get(self, name: str) -> Project:
        """Return a project.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.acquire() as connection:
            return _found(await projects.fetch_by_name(connection, name), name)

    async def list(self, page_size: int, after: str) -> list[Project]:
        """Return a page of projects by name."""
        async with self._database.acquire() as connection:
            return await projects.fetch_page(connection, after, page_size)

    async def resolve(self, host: str) -> Project:
        """Return the project that answers for a host name; `default` answers for any that nobody lists.

        Raises:
            GatepostError: NOT_FOUND if it is disabled.
        """
        name = host.rsplit(":", 1)[0].lower().rstrip(".") if not host.endswith("]") else host.lower()
        async with self._database.acquire() as connection:
            project = await projects.fetch_by_host(connection, name)
            project = project or await projects.fetch_by_name(connection, DEFAULT)
        if project is None or project.disabled:
            raise GatepostError(Reason.NOT_FOUND, "no project answers for this host")
        return project

    async def update(
        self,
        name: str,
        *,
        policy: SignInPolicy | None,
        roles: Sequence[str],
        self_assignable_roles: Sequence[str] | None,
        hosts: Sequence[str] | None,
        disabled: bool | None,
    ) -> Project:
        """Change a project; None and an empty list of roles leave things as they are.

        Raises:
            GatepostError: NOT_FOUND, INVALID_PARAMETER.
        """
        async with self._database.transaction() as connection:
            project = _found(await projects.fetch_by_name(connection, name, lock=True), name)
            project = _checked(
                replace(
                    project,
                    sign_in_policy=policy or project.sign_in_policy,
                    roles=tuple(dict.fromkeys(roles)) or project.roles,
                    self_assignable_roles=project.self_assignable_roles
                    if self_assignable_roles is None
                    else tuple(self_assignable_roles),
                    hosts=project.hosts if hosts is None else _hosts(hosts),
                    disabled=project.disabled if disabled is None else disabled,
                )
            )
            if roles and (lost := await projects.roles_in_use(connection, project.id) - set(project.roles)):
                raise invalid("roles", f"Users hold the role {min(lost)}.")
            await projects.update(connection, project)
            await self._audit.record(connection, "project.change", project=name, by_user=False)
        return project

    def _new(self, project_id: UUID, name: str, policy: SignInPolicy) -> Project:
        return Project(
            id=project_id,
            name=name,
            sign_in_policy=policy,
            roles=_ROLES,
            self_assignable_roles=(),
            hosts=(),
            dialects=(),
            password_min_length=_MIN_LENGTH,
            allow_plain_pkce=False,
            access_token_seconds=0,
            refresh_token_seconds=0,
            disabled=False,
            created_at=self._clock.now(),
        )


def _checked(project: Project) -> Project:
    if not all(_ROLE.fullmatch(role) for role in project.roles):
        raise invalid("roles", "A role is a letter, then up to 62 letters, digits and _ . : -")
    if len({role.casefold() for role in project.roles}) != len(project.roles):
        raise invalid("roles", "Two roles differ by case only.")
    canonical = [project.canonical_role(role) for role in project.self_assignable_roles]
    known = tuple(role for role in canonical if role is not None)
    if len(known) != len(canonical):
        raise invalid("self_assignable_roles", "A self-assignable role must be one of the roles.", Rule.UNKNOWN)
    if not _MIN_LENGTH <= project.password_min_length <= _MAX_MIN_LENGTH:
        raise invalid("password_min_length", f"The shortest password is {_MIN_LENGTH} to {_MAX_MIN_LENGTH} characters.")
    return replace(project, self_assignable_roles=known)


def _hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    lowered = tuple(dict.fromkeys(host.lower() for host in hosts))
    if not all(_HOST.fullmatch(host) for host in lowered):
        raise invalid("hosts", "A host is a name without scheme, port or path.")
    return lowered


def _found(project: Project | None, name: str) -> Project:
    if project is None:
        raise GatepostError(Reason.NOT_FOUND, f"there is no project {name!r}")
    return project
