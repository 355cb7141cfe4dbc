"""`python -m notify_service` as a process: its environment, its readiness, its mail, its end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest
from free_ports import free_port
from google.protobuf.struct_pb2 import Struct
from store.notify.fcm_server import FcmServer
from store.notify.mail_server import PASSWORD, USERNAME, MailServer, make_certificate
from store.notify.sms_server import ACCOUNT, AUTH_TOKEN, SENDER, SmsServer

from gatepost.notify.v1 import devices_pb2
from gatepost.notify.v1 import messages_pb2 as pb
from gatepost.notify.v1.devices_pb2_grpc import DeviceServiceStub
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from runtime.credentials import ServiceKeys
from runtime.grpc_client import connect

if TYPE_CHECKING:  # the stubs' name for what MessageServiceStub makes of an asyncio channel
    from gatepost.notify.v1.messages_pb2_grpc import MessageServiceAsyncStub

KEY = "a-service-key-made-for-this-process-alone"
START_SECONDS = 20.0
CODE = "731946"
RECIPIENT = "someone.in.particular"
PHONE = "+4915112345678"
DEVICE_TOKEN = "a-device-token-nobody-else-has"


def settings(dsn: str, **more: str) -> dict[str, str]:
    needed = {
        "GATEPOST_SERVICE_KEYS": KEY,
        "GATEPOST_NOTIFY_POSTGRES_DSN": dsn,
        "GATEPOST_NOTIFY_LISTEN": "127.0.0.1:0",
        "GATEPOST_NOTIFY_METRICS_LISTEN": "127.0.0.1:0",
    }
    return needed | more


async def launch(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "notify_service",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await launch(environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def next_event(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        async for line in process.stdout:
            fields: dict[str, Any] = json.loads(line)
            if fields["event"] == event:
                return fields
    raise AssertionError(f"ended without {event!r}")


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(START_SECONDS):
        out, errors = await process.communicate()
    return process.returncode, out.decode() + errors.decode()


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[MessageServiceAsyncStub]:
    keys = ServiceKeys([KEY])
    async with connect(f"127.0.0.1:{port}", issuer="auth-service", audience="notify-service", keys=keys) as channel:
        yield MessageServiceStub(channel)


async def send(messages: MessageServiceAsyncStub, values: dict[str, Any] | None = None, **changed: Any) -> pb.Message:
    data = Struct()
    data.update({"code": CODE, "minutes": 10} if values is None else values)
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "channel": pb.CHANNEL_MAIL,
        "to": f"{RECIPIENT}@example.com",
        "template": "sign_in_code",
        "project": "Harbour",
        "data": data,
    }
    request = pb.SendMessageRequest(**(fields | changed))
    await messages.SendMessage(request)
    async with asyncio.timeout(10):
        while True:
            message = (await messages.GetMessage(pb.GetMessageRequest(id=request.id))).message
            if message.status != pb.MESSAGE_STATUS_PENDING or message.last_error:
                return message
            await asyncio.sleep(0.01)


async def fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_its_environment_is_all_it_needs_and_sigterm_ends_it(postgres: Any) -> None:
    metrics = free_port()
    environment = settings(postgres.create_database(), GATEPOST_NOTIFY_METRICS_LISTEN=f"127.0.0.1:{metrics}")
    async with running(environment) as process:
        port = (await next_event(process, "started"))["port"]
        async with calling(port) as messages:
            sent = await send(messages)
        ready = await fetch(metrics, "/readyz")
        await asyncio.sleep(1)  # the queue is measured in the first half of it
        _, measured = await fetch(metrics, "/metrics")
        status, logs = await ended(process)

    assert (sent.status, sent.code) == (pb.MESSAGE_STATUS_SENT, CODE)
    assert ready == (200, '{"ready": true, "checks": {"postgresql": true}}')
    assert 'gatepost_notify_deliveries_total{channel="mail",outcome="sent"} 1.0' in measured
    assert 'gatepost_notify_queue_messages{status="pending"}' in measured
    assert status == 0
    assert CODE not in logs
    assert RECIPIENT not in logs


async def test_it_sends_through_starttls_with_credentials(postgres: Any, tmp_path: Path) -> None:
    context, trusted = make_certificate(tmp_path)
    server = MailServer(tls=context, auth=True)
    await server.start()
    environment = settings(
        postgres.create_database("notify_service"),
        GATEPOST_MAIL_TRANSPORT="smtp",
        GATEPOST_MAIL_FROM="Harbour <no-reply@harbour.example>",
        GATEPOST_SMTP_HOST="127.0.0.1",
        GATEPOST_SMTP_PORT=str(server.port),
        GATEPOST_SMTP_CA_FILE=str(trusted),
        GATEPOST_SMTP_USERNAME=USERNAME,
        GATEPOST_SMTP_PASSWORD=PASSWORD,
    )
    try:
        async with running(environment) as process:
            async with calling((await next_event(process, "started"))["port"]) as messages:
                sent = await send(messages)
            status, logs = await ended(process)
    finally:
        await server.stop()

    assert (sent.status, sent.code, sent.text) == (pb.MESSAGE_STATUS_SENT, "", "")
    assert [mail["From"] for mail in server.mails] == ["Harbour <no-reply@harbour.example>"]
    assert server.tls_sessions == [True]
    assert status == 0
    assert CODE not in logs
    assert PASSWORD not in logs


async def test_it_sends_text_and_push_messages_by_their_providers(postgres: Any, tmp_path: Path) -> None:
    sms, fcm = SmsServer(), FcmServer()
    await sms.start()
    await fcm.start()
    environment = settings(
        postgres.create_database("notify_service"),
        GATEPOST_SMS_TRANSPORT="twilio",
        GATEPOST_SMS_BASE_URL=sms.url,
        GATEPOST_SMS_ACCOUNT_SID=ACCOUNT,
        GATEPOST_SMS_AUTH_TOKEN=AUTH_TOKEN,
        GATEPOST_SMS_FROM=SENDER,
        GATEPOST_PUSH_TRANSPORT="fcm",
        GATEPOST_FCM_BASE_URL=fcm.url,
        GATEPOST_FCM_CREDENTIALS_FILE=str(fcm.write_account(tmp_path, token_uri="https://unused.invalid/token")),
        GATEPOST_FCM_TOKEN_URL=f"{fcm.url}/token",
    )
    user = str(uuid4())
    try:
        async with running(environment) as process:
            port = (await next_event(process, "started"))["port"]
            async with connect(
                f"127.0.0.1:{port}", issuer="gateway", audience="notify-service", keys=ServiceKeys([KEY])
            ) as channel:
                device = devices_pb2.RegisterDeviceRequest(
                    user_id=user, project_id=str(uuid4()), kind="gcm", token=DEVICE_TOKEN
                )
                await DeviceServiceStub(channel).RegisterDevice(device)
            async with calling(port) as messages:
                texted = await send(messages, channel=pb.CHANNEL_SMS, to=PHONE, template="phone_change_code")
                notice = {"device": "Firefox", "time": "2026-11-22T06:05:11Z"}
                pushed = await send(messages, notice, channel=pb.CHANNEL_PUSH, to=user, template="new_sign_in")
            status, logs = await ended(process)
    finally:
        await sms.stop()
        await fcm.stop()

    assert (texted.status, texted.text, pushed.status) == (pb.MESSAGE_STATUS_SENT, "", pb.MESSAGE_STATUS_SENT)
    assert [message["To"] for message in sms.messages] == [PHONE]
    assert fcm.devices == [DEVICE_TOKEN]
    assert status == 0
    for secret in (AUTH_TOKEN, PHONE, CODE, DEVICE_TOKEN, "ya29", "PRIVATE KEY"):
        assert secret not in logs


async def test_what_was_taken_survives_kill_9(postgres: Any) -> None:
    away = str(free_port())
    dsn = postgres.create_database("notify_service")
    smtp = {
        "GATEPOST_MAIL_TRANSPORT": "smtp",
        "GATEPOST_SMTP_HOST": "127.0.0.1",
        "GATEPOST_SMTP_TLS": "none",
        "GATEPOST_SMTP_PORT": away,
        "GATEPOST_DELIVERY_BACKOFF_SECONDS": "0.1",
    }
    async with running(settings(dsn, **smtp)) as process:
        async with calling((await next_event(process, "started"))["port"]) as messages:
            taken = await send(messages)
        process.kill()
        await process.wait()
    server = MailServer()
    server.port = int(away)
    await server.start()
    try:
        async with running(settings(dsn, **smtp)) as process, asyncio.timeout(15):
            while not server.mails:  # noqa: ASYNC110 the other process has no event for us
                await asyncio.sleep(0.02)
    finally:
        await server.stop()

    assert taken.status == pb.MESSAGE_STATUS_PENDING
    assert [mail["Message-ID"] for mail in server.mails] == [taken.message_id]


async def test_it_waits_for_postgresql_alive_but_not_ready() -> None:
    metrics = free_port()
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/notify"
    async with running(settings(nowhere, GATEPOST_NOTIFY_METRICS_LISTEN=f"127.0.0.1:{metrics}")) as process:
        await next_event(process, "waiting for postgresql")
        alive, ready = await fetch(metrics, "/healthz"), await fetch(metrics, "/readyz")
        status, _ = await ended(process)

    assert (alive[0], ready[0], status) == (200, 503, 0)


async def test_migrate_migrates_and_ends(postgres: Any) -> None:
    process = await launch(settings(postgres.create_database()), "migrate")
    out, _ = await process.communicate()

    assert process.returncode == 0
    assert "0001_messages_and_devices.sql" in out.decode()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"GATEPOST_NOTIFY_POSTGRES_DSN": None}, "GATEPOST_NOTIFY_POSTGRES_DSN is required."),
        ({"GATEPOST_MAIL_TRANSPORT": "pigeon"}, "GATEPOST_MAIL_TRANSPORT is wrong: "),
        (
            {"GATEPOST_MAIL_TRANSPORT": "smtp"},
            "GATEPOST_SMTP_HOST is wrong: a mail server is needed when GATEPOST_MAIL_TRANSPORT is smtp.",
        ),
        ({"GATEPOST_SMTP_PASSWORD": "hush-hush"}, "GATEPOST_SMTP_PASSWORD is wrong: "),
        ({"GATEPOST_MAIL_FROM": "nobody"}, "GATEPOST_MAIL_FROM is wrong: "),
        ({"GATEPOST_SMTP_CA_FILE": "/no/such/file"}, "GATEPOST_SMTP_CA_FILE is wrong: "),
        (
            {"GATEPOST_SMS_TRANSPORT": "twilio", "GATEPOST_SMS_AUTH_TOKEN": "hush-hush"},
            "GATEPOST_SMS_TRANSPORT twilio needs GATEPOST_SMS_ACCOUNT_SID, _AUTH_TOKEN and _FROM together.",
        ),
        ({"GATEPOST_SMS_BASE_URL": "ftp://x"}, "GATEPOST_SMS_BASE_URL is wrong: "),
        (
            {"GATEPOST_PUSH_TRANSPORT": "fcm"},
            "GATEPOST_FCM_CREDENTIALS_FILE is wrong: a service account key is needed when ",
        ),
        (
            {"GATEPOST_PUSH_TRANSPORT": "fcm", "GATEPOST_FCM_CREDENTIALS_FILE": __file__},
            "GATEPOST_FCM_CREDENTIALS_FILE is wrong: it is no JSON file that can be read.",
        ),
        ({"GATEPOST_PUBLIC_URL": "javascript:x"}, "GATEPOST_PUBLIC_URL is wrong: "),
        ({"GATEPOST_MESSAGE_RETENTION_DAYS": "0"}, "GATEPOST_MESSAGE_RETENTION_DAYS is wrong: "),
    ],
)
async def test_a_wrong_setting_ends_it_with_one_sentence(changed: dict[str, str | None], sentence: str) -> None:
    environment = settings("postgresql://nobody@127.0.0.1/notify") | changed
    process = await launch({name: value for name, value in environment.items() if value is not None})
    _, errors = await process.communicate()

    assert process.returncode == 2
    (line,) = errors.decode().splitlines()
    assert line.startswith(sentence)
    assert "hush-hush" not in line
