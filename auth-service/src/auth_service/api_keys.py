"""API keys: what a trusted server proves itself with, on behalf of a whole project. Stored hashed, shown once."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from uuid import UUID

from auth_service import app_rules
from auth_service.audit import Audit
from auth_service.batches import Batches
from auth_service.clients import check_dialect, tell_status_mode
from auth_service.keys import digest
from auth_service.model import ApiKey, Project
from auth_service.store import apps, projects
from runtime.clock import Clock
from runtime.context import current
from runtime.errors import GatepostError, Reason, invalid
from runtime.networks import network_of
from runtime.postgres import Connection, Database

SCOPES = ("user:authenticate", "user:read", "user:create", "user:edit", "user:delete", "act_as")
_DEFAULT_SCOPES = SCOPES[:2]
_KEY_BYTES = 32  # 64 hex digits
_MOST_NETWORKS = 50


@dataclass(frozen=True, slots=True)
class Holder:
    """Who calls with a key: its project, and what the key may do."""

    project: Project
    key: ApiKey


class ApiKeys:
    """The use cases. Dependencies as named; see main.py."""

    def __init__(self, database: Database, batches: Batches, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._batches = batches
        self._audit = audit
        self._clock = clock

    async def authenticate(self, value: str, scope: str = "") -> Holder:
        """Return whose key this is, used from where it may be, with a scope if one is named.

        Raises:
            GatepostError: API_KEY_INVALID, SCOPE_MISSING, DIALECT_DISABLED.
        """
        found = await self._batches.holder(digest(value))
        if found is None:
            raise GatepostError(Reason.API_KEY_INVALID)
        key, project = found
        tell_status_mode(key.status_mode, project.status_modes)
        if project.disabled or not _is_within(current().client_address, key.networks):
            raise await self._refused(found, GatepostError(Reason.API_KEY_INVALID))
        check_dialect(project.dialects)
        if scope and scope not in key.scopes:
            missing = GatepostError(Reason.SCOPE_MISSING, f"the key lacks the scope {scope}", metadata={"scope": scope})
            raise await self._refused(found, missing)
        return Holder(project, key)

    async def _refused(self, found: tuple[ApiKey, Project], error: GatepostError) -> GatepostError:
        """Record that a key we know was shown where it is no good; one we do not know says nothing of anybody."""
        key, project = found
        async with self._database.acquire() as connection:
            await self._audit.record(
                connection, "api_key.use", outcome=error.reason.value, project=project.name, actor=actor_of(key)
            )
        return error

    async def create(
        self,
        *,
        key_id: UUID,
        project: str,
        scopes: Sequence[str],
        networks: Sequence[str],
        allow_query_credentials: bool,
        bypass_second_factor: bool,
        status_mode: str,
    ) -> tuple[ApiKey, str]:
        """Make an API key and return it with its value.

        Raises:
            GatepostError: NOT_FOUND (project), ALREADY_EXISTS (its id), INVALID_PARAMETER on the field at fault.
        """
        if not set(scopes) <= set(SCOPES):
            raise invalid("scopes", f"The scopes of a key are {', '.join(SCOPES)}.")
        app_rules.check_status_mode(status_mode)
        value = secrets.token_hex(_KEY_BYTES)
        async with self._database.transaction() as connection:
            home = await _project(connection, project)
            key = ApiKey(
                id=key_id,
                project=home.name,
                scopes=tuple(dict.fromkeys(scopes)) or _DEFAULT_SCOPES,
                hint=value[-4:],
                created_at=self._clock.now(),
                networks=_canonical(networks),
                allow_query_credentials=allow_query_credentials,
                bypass_second_factor=bypass_second_factor,
                status_mode=status_mode,
            )
            if not await apps.put_key(connection, key, home.id, digest(value)):
                raise GatepostError(Reason.ALREADY_EXISTS, "this id is another project's key")
            await self._audit.record(connection, "api_key.create", project=home.name, by_user=False)
        return key, value

    async def list(self, project: str) -> Sequence[ApiKey]:
        """Return a project's API keys, oldest first.

        Raises:
            GatepostError: NOT_FOUND (project).
        """
        async with self._database.acquire() as connection:
            return await apps.fetch_keys(connection, (await _project(connection, project)).id)

    async def revoke(self, key_id: UUID) -> None:
        """End an API key at once.

        Raises:
            GatepostError: NOT_FOUND.
        """
        async with self._database.transaction() as connection:
            project = await apps.delete_key(connection, key_id)
            if project is None:
                raise GatepostError(Reason.NOT_FOUND, "no such key")
            await self._audit.record(connection, "api_key.revoke", project=project, by_user=False)


def actor_of(key: ApiKey) -> str:
    """Return what the audit trail calls who acts with a key."""
    return f"api_key:{key.id}"


def _is_within(address: str, networks: Sequence[str]) -> bool:
    """Say whether an address is of one of the networks, or any will do. An IPv4 address in IPv6 clothes is IPv4."""
    if not networks:
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network_of(network) for network in networks)


def _canonical(networks: Sequence[str]) -> tuple[str, ...]:
    if len(networks) > _MOST_NETWORKS:
        raise invalid("networks", f"A key has at most {_MOST_NETWORKS} networks.")
    try:
        return tuple(dict.fromkeys(str(network_of(network)) for network in networks))
    except ValueError:
        raise invalid("networks", "A network is an address or CIDR without host bits, as in 192.0.2.0/24.") from None


async def _project(connection: Connection, name: str) -> Project:
    project = await projects.fetch_by_name(connection, name)
    if project is None:
        raise GatepostError(Reason.NOT_FOUND, f"there is no project {name!r}")
    return project
