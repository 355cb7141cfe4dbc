"""DeviceService over a real gRPC server and client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from gatepost.notify.v1 import devices_pb2 as pb
from gatepost.notify.v1.devices_pb2_grpc import DeviceServiceStub
from notify_service.main import NAME
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.grpc_client import connect

if TYPE_CHECKING:  # the stubs' name for what DeviceServiceStub makes of an asyncio channel
    from gatepost.notify.v1.devices_pb2_grpc import DeviceServiceAsyncStub


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def devices(target: str, service_keys: ServiceKeys) -> AsyncIterator[DeviceServiceAsyncStub]:
    async with connect(target, issuer="gateway", audience=NAME, keys=service_keys) as channel:
        yield DeviceServiceStub(channel)


def fresh(**changed: str) -> pb.RegisterDeviceRequest:
    fields = {"user_id": str(uuid4()), "project_id": str(uuid4()), "kind": "fcm", "token": uuid4().hex}
    return pb.RegisterDeviceRequest(**(fields | changed))


async def test_a_device_is_registered_listed_and_forgotten(devices: DeviceServiceAsyncStub) -> None:
    request = fresh(kind="gcm")
    device = (await devices.RegisterDevice(request)).device
    listed = (await devices.ListDevices(pb.ListDevicesRequest(user_id=request.user_id))).devices

    await devices.UnregisterDevice(pb.UnregisterDeviceRequest(user_id=request.user_id, id=device.id))
    after = (await devices.ListDevices(pb.ListDevicesRequest(user_id=request.user_id))).devices

    assert (device.user_id, device.project_id, device.kind) == (request.user_id, request.project_id, "gcm")
    assert device.HasField("register_time")
    assert (list(listed), list(after)) == ([device], [])


async def test_a_token_moves_to_the_newest_user(devices: DeviceServiceAsyncStub) -> None:
    first = fresh()
    second = fresh(project_id=first.project_id, token=first.token)
    await devices.RegisterDevice(first)
    await devices.RegisterDevice(second)

    assert not (await devices.ListDevices(pb.ListDevicesRequest(user_id=first.user_id))).devices
    assert len((await devices.ListDevices(pb.ListDevicesRequest(user_id=second.user_id))).devices) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", ""),
        ("project_id", "default"),
        ("kind", "apns"),
        ("kind", ""),
        ("token", ""),
        ("token", "x" * 4097),
        ("token", "a\0"),
    ],
)
async def test_a_wrong_field_is_named(devices: DeviceServiceAsyncStub, field: str, value: str) -> None:
    with pytest.raises(GatepostError) as caught:
        await devices.RegisterDevice(fresh(**{field: value}))

    assert (caught.value.reason, caught.value.violations[0].field) == (Reason.INVALID_PARAMETER, field)
