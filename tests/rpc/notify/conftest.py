"""A notify-service behind real gRPC, interceptors included, with the outbox for its transport."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from gatepost.notify.v1.devices_pb2_grpc import add_DeviceServiceServicer_to_server
from gatepost.notify.v1.messages_pb2_grpc import add_MessageServiceServicer_to_server
from notify_service.delivery import Delivery, RetryPolicy
from notify_service.devices import Devices
from notify_service.main import ALLOWED_CALLERS, NAME
from notify_service.model import Channel
from notify_service.outbox import Outbox
from notify_service.push import PushTransport
from notify_service.rpc import devices as device_rpc
from notify_service.rpc import messages as message_rpc
from notify_service.templates import Templates
from notify_service.transports import Transport
from notify_service.transports.outbox import OutboxTransport
from runtime.clock import SystemClock
from runtime.credentials import ServiceKeys
from runtime.grpc_server import GrpcServer
from runtime.postgres import Database


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(postgres: Any) -> AsyncIterator[Database]:
    opened = await Database.connect(postgres.create_database("notify_service"))
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def target(database: Database, service_keys: ServiceKeys) -> AsyncIterator[str]:
    clock = SystemClock()
    policy = RetryPolicy(3, timedelta(seconds=1), timedelta(seconds=1))
    nothing = OutboxTransport()
    ways: dict[Channel, Transport] = {
        Channel.MAIL: nothing,
        Channel.SMS: nothing,
        Channel.PUSH: PushTransport(database, nothing, clock),
    }
    deliveries = {
        channel: Delivery(channel, database, transport, clock, policy, attempt_timeout_seconds=5, poll_seconds=60)
        for channel, transport in ways.items()
    }
    outbox = Outbox(
        database, Templates("http://127.0.0.1:8080"), clock, "example.com", lambda channel: deliveries[channel].nudge()
    )
    server = GrpcServer(service=NAME, listen="127.0.0.1:0", keys=service_keys, allowed_callers=ALLOWED_CALLERS)
    server.add(add_MessageServiceServicer_to_server, message_rpc.MessageRpc(outbox), message_rpc.SERVICE_NAME)
    server.add(
        add_DeviceServiceServicer_to_server, device_rpc.DeviceRpc(Devices(database, clock)), device_rpc.SERVICE_NAME
    )
    await server.start()
    for delivery in deliveries.values():
        delivery.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)
    for delivery in deliveries.values():
        await delivery.close(1)
