"""gatepost.notify.v1.DeviceService on top of `Devices`."""

from typing import Any

from grpc.aio import ServicerContext

from gatepost.notify.v1 import devices_pb2 as pb
from gatepost.notify.v1.devices_pb2_grpc import DeviceServiceServicer
from notify_service.devices import Devices
from notify_service.model import Device, DeviceKind
from notify_service.rpc.values import parse_uuid, timestamp
from runtime.errors import invalid

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DeviceService"].full_name
Context = ServicerContext[Any, Any]


class DeviceRpc(DeviceServiceServicer):
    """Keeps push devices.

    Args:
        devices: The use cases.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def RegisterDevice(self, request: pb.RegisterDeviceRequest, _context: Context) -> pb.RegisterDeviceResponse:
        """See the contract."""
        user_id, project_id = parse_uuid("user_id", request.user_id), parse_uuid("project_id", request.project_id)
        try:
            kind = DeviceKind(request.kind)
        except ValueError:
            raise invalid("kind", "The kind must be gcm or fcm.") from None
        device = await self._devices.register(user_id=user_id, project_id=project_id, kind=kind, token=request.token)
        return pb.RegisterDeviceResponse(device=_device(device))

    async def ListDevices(self, request: pb.ListDevicesRequest, _context: Context) -> pb.ListDevicesResponse:
        """See the contract."""
        found = await self._devices.list(parse_uuid("user_id", request.user_id))
        return pb.ListDevicesResponse(devices=[_device(device) for device in found])

    async def UnregisterDevice(
        self, request: pb.UnregisterDeviceRequest, _context: Context
    ) -> pb.UnregisterDeviceResponse:
        """See the contract."""
        await self._devices.unregister(
            user_id=parse_uuid("user_id", request.user_id), device_id=parse_uuid("id", request.id)
        )
        return pb.UnregisterDeviceResponse()


def _device(device: Device) -> pb.Device:
    return pb.Device(
        id=str(device.id),
        user_id=str(device.user_id),
        project_id=str(device.project_id),
        kind=device.kind.value,
        register_time=timestamp(device.registered_at),
    )
