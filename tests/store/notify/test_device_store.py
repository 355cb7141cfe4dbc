"""Devices on a real PostgreSQL."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from notify_service.devices import MOST_PER_USER, Devices
from notify_service.model import Device, DeviceKind
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

PROJECT = uuid4()


@pytest.fixture
def devices(database: Database, clock: ManualClock) -> Devices:
    return Devices(database, clock)


async def register(devices: Devices, user_id: UUID, token: str, project_id: UUID = PROJECT) -> Device:
    return await devices.register(user_id=user_id, project_id=project_id, kind=DeviceKind.FCM, token=token)


async def test_a_device_is_listed_latest_first(devices: Devices, clock: ManualClock) -> None:
    user = uuid4()
    first = await register(devices, user, "a")
    clock.advance(timedelta(seconds=1))
    second = await register(devices, user, "b")

    assert await devices.list(user) == [second, first]


async def test_a_token_moves_to_the_newest_user_of_the_project(devices: Devices) -> None:
    earlier, later = uuid4(), uuid4()
    await register(devices, earlier, "token")

    moved = await register(devices, later, "token")

    assert await devices.list(earlier) == []
    assert await devices.list(later) == [moved]


async def test_a_token_may_serve_two_projects(devices: Devices) -> None:
    user = uuid4()
    await register(devices, user, "token")
    await register(devices, user, "token", uuid4())

    assert len(await devices.list(user)) == 2


async def test_registering_again_is_one_device(devices: Devices, clock: ManualClock) -> None:
    user = uuid4()
    first = await register(devices, user, "token")
    clock.advance(timedelta(seconds=1))

    again = await register(devices, user, "token")

    assert (again.id, await devices.list(user)) == (first.id, [again])


async def test_the_longest_token_is_taken(devices: Devices) -> None:
    user = uuid4()
    await register(devices, user, "".join(chr(33 + number % 90) for number in range(4096)))

    assert len(await devices.list(user)) == 1


@pytest.mark.parametrize("token", ["", "x" * 4097, "a\0b", "a\nb"])
async def test_what_is_no_token_is_refused_without_being_repeated(devices: Devices, token: str) -> None:
    with pytest.raises(GatepostError) as caught:
        await register(devices, uuid4(), token)

    assert caught.value.reason is Reason.INVALID_PARAMETER
    assert "xxxx" not in str(caught.value)


async def test_only_the_owner_can_unregister(devices: Devices) -> None:
    owner = uuid4()
    device = await register(devices, owner, "token")

    await devices.unregister(user_id=uuid4(), device_id=device.id)
    after_stranger = await devices.list(owner)
    await devices.unregister(user_id=owner, device_id=device.id)
    await devices.unregister(user_id=owner, device_id=device.id)

    assert (after_stranger, await devices.list(owner)) == ([device], [])


async def test_a_users_oldest_devices_are_forgotten(devices: Devices, clock: ManualClock) -> None:
    user = uuid4()
    oldest = await register(devices, user, "oldest")
    for number in range(MOST_PER_USER):
        clock.advance(timedelta(seconds=1))
        await register(devices, user, f"token {number}")

    kept = await devices.list(user)

    assert len(kept) == MOST_PER_USER
    assert oldest not in kept
