"""Projects: create, find, list, change. The project `default` exists from the start."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from auth_service.audit import Audit
from auth_service.clients import check_dialect
from auth_service.model import Project, SignInPolicy
from auth_service.store import projects
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason, Rule, invalid
from runtime.postgres import Connection, Database

DEFAULT = "default"
_DEFAULT_DISPLAY_NAME = "Gatepost"  # nobody wants a letter from "default"
_ROLES = ("user", "admin")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,62}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,31}")  # a dialect, opaque here
_SWITCH = re.compile(r"[a-z][a-z0-9_-]{0,31}\.[a-z0-9][a-z0-9_-]{0,63}")
_COLOR = re.compile(r"(#[0-9a-f]{6})?")
_PICTURE = re.compile(r"([0-9a-f]{32})?")
_MODES = {"legacy", "strict"}
_MIN_LENGTH, _MAX_MIN_LENGTH = 8, 64
_MAX_DISPLAY_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectChanges:
    """What is asked for; None, an empty list of roles and no status modes leave things as they are.

    See gatepost.auth.v1.UpdateProjectRequest for the meaning of each field.
    """

    policy: SignInPolicy | None = None
    roles: Sequence[str] = ()
    self_assignable_roles: Sequence[str] | None = None
    hosts: Sequence[str] | None = None
    disabled: bool | None = None
    dialects: Sequence[str] | None = None
    display_name: str | None = None
    accent_color: str | None = None
    logo_picture: str | None = None
    status_modes: Mapping[str, str] = field(default_factory=dict)
    user_apps: bool | None = None
    switches: Sequence[str] | None = None

    def applied(self, project: Project) -> Project:
        """Return the project as it would be, not checked."""
        modes = {**project.status_modes, **self.status_modes}
        return replace(
            project,
            sign_in_policy=self.policy or project.sign_in_policy,
            roles=_unique(self.roles) or project.roles,
            self_assignable_roles=_or(self.self_assignable_roles, project.self_assignable_roles),
            hosts=project.hosts if self.hosts is None else _hosts(self.hosts),
            disabled=project.disabled if self.disabled is None else self.disabled,
            dialects=_or(self.dialects, project.dialects),
            display_name=project.display_name if self.display_name is None else self.display_name.strip(),
            accent_color=project.accent_color if self.accent_color is None else self.accent_color.lower(),
            logo_picture=project.logo_picture if self.logo_picture is None else self.logo_picture,
            status_modes={dialect: mode for dialect, mode in modes.items() if mode},
            user_apps=project.user_apps if self.user_apps is None else self.user_apps,
            switches=_or(self.switches, project.switches),
        )


class Projects:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def ensure_default(self) -> None:
        """Make the project `default` unless it is there; safe when several instances start at once."""
        async with self._database.acquire() as connection:
            project = self._new(uuid4(), DEFAULT, SignInPolicy.NONE)
            await projects.insert(connection, replace(project, display_name=_DEFAULT_DISPLAY_NAME))

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
            roles=_unique(roles) or _ROLES,
            self_assignable_roles=tuple(self_assignable_roles),
            hosts=_hosts(hosts),
            password_min_length=password_min_length or _MIN_LENGTH,
            allow_plain_pkce=allow_plain_pkce,
        )
        project = _checked(project)
        async with self._database.transaction() as connection:
            if await projects.insert(connection, project):
                await _check_hosts(connection, project)
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
            GatepostError: NOT_FOUND if it is disabled, or if several list the host; DIALECT_DISABLED.
        """
        name = host.rsplit(":", 1)[0].lower().rstrip(".") if not host.endswith("]") else host.lower()
        async with self._database.acquire() as connection:
            listing = await projects.fetch_by_host(connection, name)
            project = listing[0] if listing else await projects.fetch_by_name(connection, DEFAULT)
        if len(listing) > 1 and not listing[1].disabled:
            raise GatepostError(Reason.NOT_FOUND, "several projects list this host")  # nobody signs in by chance
        if project is None or project.disabled:
            raise GatepostError(Reason.NOT_FOUND, "no project answers for this host")
        check_dialect(project.dialects)
        return project

    async def update(self, name: str, changes: ProjectChanges) -> Project:
        """Change a project.

        Raises:
            GatepostError: NOT_FOUND, INVALID_PARAMETER.
        """
        async with self._database.transaction() as connection:
            project = _found(await projects.fetch_by_name(connection, name, lock=True), name)
            project = _checked(changes.applied(project))
            if changes.roles and (lost := await projects.roles_in_use(connection, project.id) - set(project.roles)):
                raise invalid("roles", f"Users hold the role {min(lost)}.")
            await _check_hosts(connection, project)
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
    _check_looks(project)
    _check_dialects(project)
    return replace(project, self_assignable_roles=known)


async def _check_hosts(connection: Connection, project: Project) -> None:
    """Refuse a host name that another project answers for. Of two changes made at once both pass; see `resolve`."""
    if project.disabled or not project.hosts:
        return
    other = await projects.fetch_sharing(connection, project)
    if other is not None:
        raise invalid("hosts", f"The project {other.name!r} answers for one of the hosts already.", Rule.TAKEN)


def _check_looks(project: Project) -> None:
    if len(project.display_name) > _MAX_DISPLAY_NAME_LENGTH or not project.display_name.isprintable():
        raise invalid("display_name", f"The display_name has at most {_MAX_DISPLAY_NAME_LENGTH} printable characters.")
    if not _COLOR.fullmatch(project.accent_color):
        raise invalid("accent_color", "The accent_color is # and six hex digits, or empty.")
    if not _PICTURE.fullmatch(project.logo_picture):
        raise invalid("logo_picture", "The logo_picture is the id of a picture, 32 hex digits, or empty.")


def _check_dialects(project: Project) -> None:
    if not all(_WORD.fullmatch(dialect) for dialect in project.dialects):
        raise invalid("dialects", "A dialect is a word of a-z, 0-9, _ and hyphen.")
    if not all(_WORD.fullmatch(dialect) and mode in _MODES for dialect, mode in project.status_modes.items()):
        raise invalid("status_modes", "The status mode of a dialect is legacy or strict.")
    if not all(_SWITCH.fullmatch(switch) for switch in project.switches):
        raise invalid("switches", "A switch is the name of a dialect, a dot, and a name.")


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _or(values: Sequence[str] | None, present: tuple[str, ...]) -> tuple[str, ...]:
    return present if values is None else _unique(values)


def _hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    lowered = tuple(dict.fromkeys(host.lower() for host in hosts))
    if not all(_HOST.fullmatch(host) for host in lowered):
        raise invalid("hosts", "A host is a name without scheme, port or path.")
    return lowered


def _found(project: Project | None, name: str) -> Project:
    if project is None:
        raise GatepostError(Reason.NOT_FOUND, f"there is no project {name!r}")
    return project
