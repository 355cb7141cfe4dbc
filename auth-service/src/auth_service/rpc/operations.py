"""KeyService, KeySetService and AuditService."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import ServicerContext

from auth_service.audit_export import AuditExport, Selection
from auth_service.key_keeper import KeyKeeper
from auth_service.key_life import KeyState
from auth_service.rpc import convert
from auth_service.signing import CACHE_SECONDS, SigningKeys
from auth_service.store import audit
from auth_service.store.keys import StoredKey
from auth_service.store.signing_keys import StoredSigningKey
from gatepost.auth.v1 import operations_pb2 as pb
from gatepost.auth.v1.operations_pb2_grpc import (
    AuditServiceServicer,
    KeyServiceServicer,
    KeySetServiceServicer,
)
from runtime.errors import GatepostError, Reason, invalid
from runtime.postgres import Database

Context = ServicerContext[Any, Any]
_LAST_ID = 2**63 - 1
_STATES = {
    KeyState.PENDING: pb.KEY_STATE_PENDING,
    KeyState.ACTIVE: pb.KEY_STATE_ACTIVE,
    KeyState.SUPERSEDED: pb.KEY_STATE_SUPERSEDED,
    KeyState.RETIRED: pb.KEY_STATE_RETIRED,
    KeyState.REVOKED: pb.KEY_STATE_REVOKED,
}


class KeyRpc(KeyServiceServicer):
    """See proto/gatepost/auth/v1/operations.proto.

    Args:
        keeper: Keeps the keys.
    """

    def __init__(self, keeper: KeyKeeper) -> None:
        self._keeper = keeper

    async def ListKeys(self, _request: pb.ListKeysRequest, _context: Context) -> pb.ListKeysResponse:
        """List the keys."""
        listed = await self._keeper.list_all()
        return pb.ListKeysResponse(
            keys=[_key(row, state) for row, state in listed.keys],
            signing_keys=[_signing_key(row, state) for row, state in listed.signing_keys],
        )

    async def RotateKeys(self, request: pb.RotateKeysRequest, _context: Context) -> pb.RotateKeysResponse:
        """Make new keys."""
        row, signing_row = await self._keeper.rotate(emergency=request.emergency)
        state = KeyState.ACTIVE if request.emergency else KeyState.PENDING
        return pb.RotateKeysResponse(key=_key(row, state), signing_key=_signing_key(signing_row, state))

    async def ResealKeys(self, _request: pb.ResealKeysRequest, _context: Context) -> pb.ResealKeysResponse:
        """Seal the keys under the first master key."""
        try:
            count = await self._keeper.reseal()
        except ValueError as exc:
            raise GatepostError(Reason.CONFLICT, str(exc)) from None
        return pb.ResealKeysResponse(count=count)


class KeySetRpc(KeySetServiceServicer):
    """See proto/gatepost/auth/v1/operations.proto.

    Args:
        signing: Publishes the keys.
    """

    def __init__(self, signing: SigningKeys) -> None:
        self._signing = signing

    async def GetKeySet(self, _request: pb.GetKeySetRequest, _context: Context) -> pb.GetKeySetResponse:
        """Return the public keys."""
        return pb.GetKeySetResponse(key_set=json.dumps(await self._signing.key_set()), cache_seconds=CACHE_SECONDS)


class AuditRpc(AuditServiceServicer):
    """See proto/gatepost/auth/v1/operations.proto.

    Args:
        database: Where the trail is.
        export: Hands it out.
    """

    def __init__(self, database: Database, export: AuditExport) -> None:
        self._database = database
        self._export = export

    async def ListEvents(self, request: pb.ListEventsRequest, _context: Context) -> pb.ListEventsResponse:
        """List events, newest first."""
        account_id = convert.uuid(request.user_id, "user_id") if request.user_id else None
        size = convert.page_size(request.page_size)
        async with self._database.acquire() as connection:
            events = await audit.fetch_page(connection, account_id, request.before_id or _LAST_ID, size)
        return pb.ListEventsResponse(
            events=[
                pb.AuditEvent(
                    id=event.id,
                    time=convert.timestamp(event.at),
                    action=event.action,
                    outcome=event.outcome,
                    actor=event.actor,
                    user_id=str(event.account_id or ""),
                    project=event.project,
                    client_id=event.client_id,
                    address=event.address,
                    request_id=event.request_id,
                )
                for event in events
            ]
        )

    async def ExportEvents(
        self, request: pb.ExportEventsRequest, _context: Context
    ) -> AsyncIterator[pb.ExportEventsResponse]:
        """Export events, oldest first."""
        selection = Selection(
            since=_time("since", request.since) if request.HasField("since") else None,
            until=_time("until", request.until) if request.HasField("until") else None,
            action=request.action,
            project=request.project,
        )
        async for lines in self._export(selection):
            yield pb.ExportEventsResponse(lines=lines)


def _key(row: StoredKey, state: KeyState) -> pb.Key:
    return pb.Key(
        id=row.id,
        active=state is KeyState.ACTIVE,
        create_time=convert.timestamp(row.created_at),
        state=_STATES[state],
        revoke_time=convert.timestamp(row.revoked_at) if row.revoked_at else None,
    )


def _signing_key(row: StoredSigningKey, state: KeyState) -> pb.SigningKey:
    return pb.SigningKey(
        id=row.id,
        state=_STATES[state],
        create_time=convert.timestamp(row.created_at),
        revoke_time=convert.timestamp(row.revoked_at) if row.revoked_at else None,
    )


def _time(field: str, given: Timestamp) -> datetime:
    try:
        return given.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "A time must be one that there is.") from None
