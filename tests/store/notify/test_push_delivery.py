"""Push messages over a real PostgreSQL to a server that speaks FCM's HTTP v1 API: each device once, no token shown."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from store.notify.conftest import Deliver
from store.notify.fcm_server import PROJECT, Answer, FcmServer, bad_token, fcm_error
from store.notify.watching import deferred, settled, until

from notify_service import service_account
from notify_service.delivery import Delivery
from notify_service.devices import Devices
from notify_service.model import Channel, DeviceKind, Message, Status
from notify_service.outbox import Outbox
from notify_service.push import PushTransport
from notify_service.transports import GoneError
from notify_service.transports.fcm import FcmService
from notify_service.transports.google_token import GoogleToken
from notify_service.transports.outbox import OutboxTransport
from runtime.clock import ManualClock
from runtime.errors import GatepostError
from runtime.postgres import Database

NOTICE = {"device": "Firefox on Linux", "time": "2026-11-22T07:05:11+01:00"}


@pytest.fixture
def devices(database: Database, clock: ManualClock) -> Devices:
    return Devices(database, clock)


@pytest.fixture
def register(devices: Devices, clock: ManualClock) -> Any:
    """Return a function that registers devices of a user by their tokens; the last is the latest."""

    async def registered(*tokens: str, user: UUID | None = None) -> UUID:
        owner = user or uuid4()
        for number, token in enumerate(tokens):
            kind = (DeviceKind.GCM, DeviceKind.FCM)[number % 2]
            await devices.register(user_id=owner, project_id=UUID(int=1), kind=kind, token=token)
            clock.advance(timedelta(milliseconds=1))
        return owner

    return registered


@pytest.fixture
def take_push(take: Any) -> Any:
    async def taken(user: UUID | str, **changed: Any) -> Message:
        draft = {"channel": Channel.PUSH, "to": str(user), "template": "new_sign_in", "data": NOTICE}
        message: Message = await take(**(draft | changed))
        return message

    return taken


@pytest.fixture
def service(session: aiohttp.ClientSession, clock: ManualClock, fcm_server: FcmServer, tmp_path: Path) -> FcmService:
    account = service_account.read(fcm_server.write_account(tmp_path))
    token = GoogleToken(session, account, clock, "")
    return FcmService(session, fcm_server.url, PROJECT, token, clock, concurrency=4)


@pytest.fixture
def start(deliver: Deliver, database: Database, clock: ManualClock, service: FcmService) -> Any:
    """Return a function that starts delivery to the server."""

    def started() -> Delivery:
        delivery: Delivery = deliver(PushTransport(database, service, clock), channel=Channel.PUSH)
        return delivery

    return started


async def test_a_push_message_reaches_every_device_and_its_text_is_forgotten(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer
) -> None:
    await register("somebody else's")
    user = await register("older", "newer")
    start()

    sent = await settled(outbox, await take_push(user))

    assert fcm_server.devices == ["newer", "older"]
    push = fcm_server.pushes[0]
    assert push["notification"] == {
        "title": "New sign-in at Harbour",
        "body": "Device: Firefox on Linux. If this was not you, change your password now.",
    }
    assert push["data"] == {"id": str(sent.id), "template": "new_sign_in", "project": "Harbour"}
    assert push["android"] == {"notification": {"tag": str(sent.id)}}
    assert (sent.status, sent.content.subject, sent.content.text) == (Status.SENT, "New sign-in at Harbour", "")


@pytest.mark.parametrize("real", [True, False], ids=["fcm", "outbox"])
async def test_a_push_message_for_nobody_is_skipped_and_not_said_to_be_sent(
    take_push: Any, outbox: Outbox, start: Any, deliver: Deliver, database: Database, clock: ManualClock, *, real: bool
) -> None:
    if real:
        start()
    else:
        deliver(PushTransport(database, OutboxTransport(), clock), channel=Channel.PUSH)

    skipped = await settled(outbox, await take_push(uuid4()))

    assert (skipped.status, skipped.attempts, skipped.sent_at, skipped.last_error) == (Status.SKIPPED, 1, None, "")
    assert bool(skipped.content.text) is not real  # what nobody got is kept where everything is


async def test_without_a_push_service_a_message_is_sent_and_stays_readable(
    register: Any, take_push: Any, outbox: Outbox, deliver: Deliver, database: Database, clock: ManualClock
) -> None:
    user = await register("phone")
    deliver(PushTransport(database, OutboxTransport(), clock), channel=Channel.PUSH)

    sent = await settled(outbox, await take_push(user))

    assert (sent.status, "Firefox on Linux" in sent.content.text) == (Status.SENT, True)


async def test_the_access_token_is_fetched_once_for_many_messages(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer
) -> None:
    fcm_server.delay_seconds = 0.05
    taken = [await take_push(await register(f"phone {number}")) for number in range(8)]
    start()

    for message in taken:
        await settled(outbox, message)

    assert (fcm_server.exchanges, len(fcm_server.pushes)) == (1, 8)


async def test_the_access_token_is_fetched_anew_shortly_before_it_expires(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer, clock: ManualClock
) -> None:
    user = await register("phone")
    start()
    counts = []
    for minutes in (0, 54, 2):
        clock.advance(timedelta(minutes=minutes))
        await settled(outbox, await take_push(user))
        counts.append(fcm_server.exchanges)

    assert counts == [1, 1, 2]


async def test_a_refused_access_token_is_replaced_once_within_the_attempt(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer
) -> None:
    user = await register("phone")
    start()
    await settled(outbox, await take_push(user))
    fcm_server.revoke_tokens()

    sent = await settled(outbox, await take_push(user))

    assert (sent.status, sent.attempts) == (Status.SENT, 1)
    assert (fcm_server.exchanges, fcm_server.requests) == (2, 3)


async def test_an_access_token_refused_twice_is_our_trouble_and_the_message_waits(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer, clock: ManualClock
) -> None:
    user = await register("phone")
    unauthenticated: Answer = (401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}}, {})
    fcm_server.answers["phone"] = [unauthenticated, unauthenticated]
    start()

    kept = await deferred(outbox, await take_push(user), clock)

    assert kept.last_error == "FCM answered 401 UNAUTHENTICATED"
    assert (fcm_server.exchanges, fcm_server.requests) == (2, 2)


async def test_without_access_token_the_message_waits(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer, clock: ManualClock
) -> None:
    user = await register("phone")
    fcm_server.token_answer = (400, {"error": "invalid_grant", "error_description": f"nobody@{PROJECT}"}, {})
    start()
    taken = await take_push(user)
    kept = await deferred(outbox, taken, clock)
    fcm_server.token_answer = None
    clock.advance(timedelta(seconds=2))

    sent = await settled(outbox, taken)

    assert kept.last_error == "Google gave no access token (400 invalid_grant)"
    assert sent.status is Status.SENT


@pytest.mark.parametrize(
    "answer",
    [
        fcm_error(404, "UNREGISTERED", "NOT_FOUND"),
        fcm_error(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED"),
        (404, {"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}}, {}),
        bad_token(),
    ],
    ids=["unregistered", "sender", "not found", "no token"],
)
async def test_a_device_that_is_gone_is_forgotten_and_the_others_get_the_message(
    register: Any, take_push: Any, outbox: Outbox, start: Any, devices: Devices, fcm_server: FcmServer, answer: Any
) -> None:
    user = await register("alive", "gone")
    fcm_server.answers["gone"] = [answer]
    start()

    sent = await settled(outbox, await take_push(user))

    assert (sent.status, fcm_server.devices) == (Status.SENT, ["alive"])
    assert len(await devices.list(user)) == 1


async def test_a_message_whose_devices_are_all_gone_is_skipped(
    register: Any, take_push: Any, outbox: Outbox, start: Any, devices: Devices, fcm_server: FcmServer
) -> None:
    user = await register("gone")
    fcm_server.answers["gone"] = [fcm_error(404, "UNREGISTERED", "NOT_FOUND")]
    start()

    skipped = await settled(outbox, await take_push(user))

    assert (skipped.status, await devices.list(user)) == (Status.SKIPPED, [])


@pytest.mark.parametrize(
    ("answer", "wait", "error"),
    [
        (fcm_error(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", **{"Retry-After": "120"}), 120, "429 QUOTA_EXCEEDED"),
        (fcm_error(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"), 60, "429 QUOTA_EXCEEDED"),
        (fcm_error(503, "UNAVAILABLE", "UNAVAILABLE", **{"Retry-After": "30"}), 30, "503 UNAVAILABLE"),
        (fcm_error(500, "INTERNAL", "INTERNAL"), 2, "500 INTERNAL"),
        ((404, "<html>", {}), 2, "404"),
    ],
    ids=["quota", "quota without a time", "unavailable", "internal", "somebody else's 404"],
)
async def test_quota_and_outages_are_waited_out_and_no_device_is_forgotten(
    register: Any,
    take_push: Any,
    outbox: Outbox,
    start: Any,
    devices: Devices,
    fcm_server: FcmServer,
    clock: ManualClock,
    answer: Any,
    wait: int,
    error: str,
) -> None:
    user = await register("phone")
    fcm_server.answers["phone"] = [answer]
    start()
    taken = await take_push(user)
    kept = await deferred(outbox, taken, clock)
    due = clock.now() + timedelta(seconds=wait)
    clock.advance(timedelta(seconds=wait))

    sent = await settled(outbox, taken)

    assert (kept.last_error, kept.next_attempt_at) == (f"FCM answered {error}", due)
    assert (sent.status, sent.attempts, len(await devices.list(user))) == (Status.SENT, 2, 1)


async def test_a_message_found_wrong_is_dead_and_the_device_stays(
    register: Any, take_push: Any, outbox: Outbox, start: Any, devices: Devices, fcm_server: FcmServer
) -> None:
    user = await register("phone")
    fcm_server.answers["phone"] = [fcm_error(400, "INVALID_ARGUMENT")]
    start()

    dead = await settled(outbox, await take_push(user))

    assert (dead.status, dead.last_error) == (Status.DEAD, "FCM answered 400 INVALID_ARGUMENT")
    assert len(await devices.list(user)) == 1


async def test_a_device_behind_another_push_service_does_not_hold_up_the_others(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer, clock: ManualClock
) -> None:
    user = await register("android", "iphone")
    fcm_server.answers["iphone"] = [fcm_error(401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED")]
    start()
    taken = await take_push(user)
    await deferred(outbox, taken, clock)
    after_first = list(fcm_server.devices)
    clock.advance(timedelta(seconds=2))

    sent = await settled(outbox, taken)

    assert (after_first, fcm_server.devices) == (["android"], ["android", "iphone"])
    assert (sent.status, fcm_server.exchanges) == (Status.SENT, 1)


async def test_a_message_interrupted_between_devices_goes_on_with_the_next(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer, clock: ManualClock
) -> None:
    user = await register("third", "second", "first")
    down = fcm_error(503, "UNAVAILABLE", "UNAVAILABLE")
    fcm_server.answers["second"] = [down, down]
    start()
    taken = await take_push(user)
    for attempt in (1, 2):
        await deferred(outbox, taken, clock, attempt)
        clock.advance(timedelta(seconds=10))

    sent = await settled(outbox, taken)

    assert (sent.status, fcm_server.devices) == (Status.SENT, ["first", "second", "third"])


class Halting(OutboxTransport):
    """A push service of an instance that dies at the second device."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def push(self, token: str, message: Message) -> None:
        del message
        if self.reached:
            await asyncio.Event().wait()
        self.reached.append(token)


async def test_a_crash_between_devices_sends_nothing_twice(
    register: Any,
    take_push: Any,
    outbox: Outbox,
    start: Any,
    deliver: Deliver,
    database: Database,
    fcm_server: FcmServer,
    clock: ManualClock,
) -> None:
    user = await register("second", "first")
    halting = Halting()
    dying = deliver(PushTransport(database, halting, clock), attempt_timeout_seconds=30.0, channel=Channel.PUSH)
    taken = await take_push(user)
    await until(outbox, taken, lambda now: now.attempts == 1)
    async with asyncio.timeout(5):
        while not await _recorded(database, taken):  # noqa: ASYNC110 rows have no event for us
            await asyncio.sleep(0.01)
    await dying.close(0.0)
    clock.advance(timedelta(minutes=2))
    start()

    sent = await settled(outbox, taken)

    assert (halting.reached, fcm_server.devices) == (["first"], ["second"])
    assert (sent.status, sent.attempts) == (Status.SENT, 2)


async def _recorded(database: Database, message: Message) -> bool:
    async with database.acquire() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM push_outcomes WHERE message_id = $1", message.id)
    return count > 0


class RegisteringAgain(OutboxTransport):
    """A push service that finds a device gone just when its app registers it again."""

    def __init__(self, register: Any, user: UUID) -> None:
        self._register = register
        self._user = user

    async def push(self, token: str, message: Message) -> None:
        del message
        await self._register(token, user=self._user)
        raise GoneError("FCM answered 404 UNREGISTERED")


async def test_a_device_registered_again_meanwhile_is_kept(
    register: Any,
    take_push: Any,
    outbox: Outbox,
    deliver: Deliver,
    database: Database,
    devices: Devices,
    clock: ManualClock,
) -> None:
    user = await register("phone")
    deliver(PushTransport(database, RegisteringAgain(register, user), clock), channel=Channel.PUSH)

    await settled(outbox, await take_push(user))

    assert len(await devices.list(user)) == 1


async def test_neither_device_nor_access_token_is_shown(
    register: Any, take_push: Any, outbox: Outbox, start: Any, fcm_server: FcmServer, capsys: Any
) -> None:
    user = await register("alive", "the-secret-device-token")
    fcm_server.answers["the-secret-device-token"] = [fcm_error(404, "UNREGISTERED", "NOT_FOUND")]
    start()

    sent = await settled(outbox, await take_push(user))

    shown = repr(sent) + "".join(capsys.readouterr())
    assert "the-secret-device-token" not in shown
    assert "ya29" not in shown


@pytest.mark.parametrize("to", ["ada@example.com", "", "7", "+4915112345678"])
async def test_what_is_no_account_never_reaches_the_queue(take_push: Any, to: str) -> None:
    with pytest.raises(GatepostError) as caught:
        await take_push(to)

    assert caught.value.violations[0].field == "to"
