"""/account/data: everything that is kept about a person, for him to take along. No secret is in it."""

from typing import Any

import msgspec
from google.protobuf.json_format import MessageToDict

from gatepost.auth.v1.accounts_pb2 import ExportOwnAccountRequest
from gatepost.notify.v1.devices_pb2 import Device, ListDevicesRequest
from gatepost.users.v1.profiles_pb2 import Profile
from gateway.call import Call
from gateway.dialect import Route
from gateway.limits import Limit
from gateway.pages.own import WEB, show_own, signed_in
from gateway.reply import Reply
from gateway.web import url
from gateway.web.look import picture_url
from gateway.web.session import SESSION

_HERE = "/account/data"
_NUMBERS = ("number", "location_id")


async def _show(call: Call) -> Reply:
    """Say what the download holds."""
    return await show_own(call, "account_data.html", await signed_in(call), here=url(call, _HERE))


async def _download(call: Call) -> Reply:
    """Send everything as one JSON file."""
    who = await signed_in(call)
    user_id = who.account.user_id
    answer = await call.clients.accounts.ExportOwnAccount(ExportOwnAccountRequest(access_token=call.token, form=WEB))
    profile = await call.clients.profile(user_id)
    devices = await call.clients.devices.ListDevices(ListDevicesRequest(user_id=user_id))
    everything = {
        **MessageToDict(answer.data),
        "profile": _describe_profile(call, profile),
        "push_devices": [_describe_device(device) for device in devices.devices],
    }
    headers = {
        "Content-Type": "application/json",
        "Content-Disposition": f'attachment; filename="{who.account.project}-account.json"',
    }
    return Reply(body=msgspec.json.format(msgspec.json.encode(everything), indent=2), headers=headers)


def _describe_profile(call: Call, profile: Profile) -> dict[str, Any]:
    described = MessageToDict(profile, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for name in _NUMBERS:
        described[name] = getattr(profile, name)  # protobuf writes 64-bit integers as strings
    for name, size in (("picture", "whole"), ("cover", "whole")):
        path = picture_url(getattr(profile, name), size)
        described[f"{name}_url"] = call.public_url + path if path else ""
    del described["etag"]
    return described


def _describe_device(device: Device) -> dict[str, Any]:
    return {"id": device.id, "kind": device.kind, "register_time": device.register_time.ToJsonString()}


ROUTES = (
    Route("GET", _HERE, _show, SESSION, Limit.ORDINARY),
    Route("GET", "/account/data/download", _download, SESSION, Limit.ORDINARY),
)
