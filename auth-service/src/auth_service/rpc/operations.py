"""KeyService and AuditService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.keys import KeyKeeper
from auth_service.rpc import convert
from auth_service.store import audit
from gatepost.auth.v1 import operations_pb2 as pb
from gatepost.auth.v1.operations_pb2_grpc import AuditServiceServicer, KeyServiceServicer
from runtime.postgres import Database

Context = ServicerContext[Any, Any]
_LAST_ID = 2**63 - 1


class KeyRpc(KeyServiceServicer):
    """See proto/gatepost/auth/v1/operations.proto.

    Args:
        keeper: Keeps the keys.
    """

    def __init__(self, keeper: KeyKeeper) -> None:
        self._keeper = keeper

    async def ListKeys(self, _request: pb.ListKeysRequest, _context: Context) -> pb.ListKeysResponse:
        """List the keys."""
        rows = await self._keeper.list()
        active = self._keeper.active_id(rows)
        return pb.ListKeysResponse(
            keys=[
                pb.Key(id=row.id, active=row.id == active, create_time=convert.timestamp(row.created_at))
                for row in rows
            ]
        )

    async def RotateKeys(self, _request: pb.RotateKeysRequest, _context: Context) -> pb.RotateKeysResponse:
        """Make a new key."""
        row = await self._keeper.rotate()
        return pb.RotateKeysResponse(key=pb.Key(id=row.id, create_time=convert.timestamp(row.created_at)))


class AuditRpc(AuditServiceServicer):
    """See proto/gatepost/auth/v1/operations.proto.

    Args:
        database: Where the trail is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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
