"""The composition root of notify-service, read top to bottom; `__main__` runs it. Only this module constructs."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp

from gatepost.notify.v1.devices_pb2_grpc import add_DeviceServiceServicer_to_server
from gatepost.notify.v1.messages_pb2_grpc import add_MessageServiceServicer_to_server
from notify_service.addresses import parse_sender
from notify_service.delivery import Delivery, RetryPolicy
from notify_service.devices import Devices
from notify_service.housekeeping import QueueGauges, Retention
from notify_service.model import Channel
from notify_service.outbox import Outbox
from notify_service.push import PushTransport
from notify_service.rpc import devices as device_rpc
from notify_service.rpc import messages as message_rpc
from notify_service.settings import NotifySettings
from notify_service.templates import Templates
from notify_service.transports import PushService, Transport
from notify_service.transports.outbox import OutboxTransport
from runtime import logs, metrics
from runtime.clock import Clock, SystemClock
from runtime.credentials import ServiceKeys
from runtime.grpc_server import GrpcServer
from runtime.loops import Loop
from runtime.migrations import open_migrated
from runtime.service import settle, unless_stopped
from runtime.tls import Tls

NAME = "notify-service"
ALLOWED_CALLERS = frozenset({"gateway", "auth-service", "cli"})
MEASURE_SECONDS = 5.0
RETENTION_SECONDS = 3600.0
CONCURRENT_REQUESTS = 8
PUSH_REQUESTS = (
    3  # slow requests in a row that one attempt at a push message bears; its other devices wait for the next
)


async def serve(settings: NotifySettings, stop: asyncio.Event) -> None:
    """Start, serve until `stop` is set, end what is under way, and return.

    The metrics listener is there first, alive but not ready, while PostgreSQL is waited for; RPCs are taken after that.

    Raises:
        MigrationError: The database was migrated by files that differ from ours.
        OSError: The metrics address cannot be listened on, or GATEPOST_SMTP_CA_FILE holds no certificate.
        RuntimeError: The RPC address cannot be listened on.
    """
    logs.configure(NAME, settings.log_level)
    log = logs.get_logger()
    clock = SystemClock()
    checks = metrics.Checks()
    mail = _mail(settings)
    async with AsyncExitStack() as ending:
        ending.callback(log.info, "stopped")
        ending.push_async_callback((await metrics.serve(settings.notify_metrics_listen, checks)).cleanup)
        database = await unless_stopped(
            stop,
            open_migrated(
                settings.notify_postgres_dsn.get_secret_value(),
                "notify_service",
                max_size=settings.notify_postgres_pool_size,
                application_name=NAME,
            ),
        )
        if database is None:
            return
        ending.push_async_callback(database.close)
        sms, push = await _sms(settings, clock, ending), await _push(settings, clock, ending)
        ending.push_async_callback(mail.close)
        policy = RetryPolicy(
            attempts=settings.delivery_attempts,
            first_pause=timedelta(seconds=settings.delivery_backoff_seconds),
            longest_pause=timedelta(seconds=settings.delivery_backoff_max_seconds),
        )
        ways: tuple[tuple[Channel, Transport, float], ...] = (
            (Channel.MAIL, mail, settings.smtp_timeout_seconds),
            (Channel.SMS, sms, settings.sms_timeout_seconds),
            (Channel.PUSH, PushTransport(database, push, clock), settings.push_timeout_seconds * PUSH_REQUESTS),
        )
        deliveries = {
            channel: Delivery(
                channel,
                database,
                transport,
                clock,
                policy,
                attempt_timeout_seconds=attempt_seconds,
                poll_seconds=settings.delivery_poll_seconds,
            )
            for channel, transport, attempt_seconds in ways
        }
        retention = Retention(
            database,
            clock,
            sent=timedelta(days=settings.message_retention_days),
            dead=timedelta(days=settings.dead_message_retention_days),
        )
        outbox = Outbox(
            database,
            Templates(settings.public_url),
            clock,
            parse_sender(settings.mail_from).domain,
            lambda channel: deliveries[channel].nudge(),
        )

        server = GrpcServer(
            service=NAME,
            listen=settings.notify_listen,
            keys=ServiceKeys(settings.service_key_list),
            allowed_callers=ALLOWED_CALLERS,
            tls=Tls.from_settings(settings),
        )
        server.add(add_MessageServiceServicer_to_server, message_rpc.MessageRpc(outbox), message_rpc.SERVICE_NAME)
        server.add(
            add_DeviceServiceServicer_to_server,
            device_rpc.DeviceRpc(Devices(database, clock)),
            device_rpc.SERVICE_NAME,
        )
        await server.start()
        for delivery in deliveries.values():
            delivery.start()
        ending.push_async_callback(_close, list(deliveries.values()), settings.shutdown_grace_seconds)
        for loop in (
            Loop("queue gauges", MEASURE_SECONDS, QueueGauges(database, clock).measure),
            Loop("message retention", RETENTION_SECONDS, retention.sweep),
        ):
            loop.start()
            ending.push_async_callback(loop.stop)
        ending.push_async_callback(server.stop, settings.shutdown_grace_seconds)  # ends first
        checks.add("postgresql", database.ready)
        settle()
        log.info(
            "started",
            listen=settings.notify_listen,
            port=server.port,
            transport=settings.mail_transport,
            sms=settings.sms_transport,
            push=settings.push_transport,
        )
        await stop.wait()


async def _close(deliveries: list[Delivery], grace_seconds: float) -> None:
    await asyncio.gather(*(delivery.close(grace_seconds) for delivery in deliveries))


def _mail(settings: NotifySettings) -> Transport:
    if settings.mail_transport == "outbox":
        return OutboxTransport()
    from notify_service.transports.smtp import Server, SmtpTransport  # 50 ms that an outbox need not wait for

    sender = parse_sender(settings.mail_from)
    server = Server(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=None if settings.smtp_tls == "none" else ssl.create_default_context(cafile=settings.smtp_ca_file),
        implicit_tls=settings.smtp_tls == "implicit",
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        timeout_seconds=settings.smtp_timeout_seconds,
        local_name=sender.domain,
    )
    return SmtpTransport(server, sender, settings.smtp_connections)


async def _sms(settings: NotifySettings, clock: Clock, ending: AsyncExitStack) -> Transport:
    if settings.sms_transport == "outbox":
        return OutboxTransport()
    from notify_service.transports.sms import SmsTransport
    from notify_service.transports.twilio import Twilio

    provider = Twilio(
        settings.sms_base_url,
        settings.sms_account_sid,
        settings.sms_auth_token.get_secret_value(),
        settings.sms_from,
    )
    session = await ending.enter_async_context(_session(settings.sms_timeout_seconds))
    return SmsTransport(session, provider, clock, CONCURRENT_REQUESTS)


async def _push(settings: NotifySettings, clock: Clock, ending: AsyncExitStack) -> PushService:
    if settings.push_transport == "outbox" or settings.fcm_credentials_file is None:
        return OutboxTransport()
    from notify_service import service_account
    from notify_service.transports.fcm import FcmService
    from notify_service.transports.google_token import GoogleToken

    account = service_account.read(settings.fcm_credentials_file)
    session = await ending.enter_async_context(_session(settings.push_timeout_seconds))
    token = GoogleToken(session, account, clock, settings.fcm_token_url)
    return FcmService(session, settings.fcm_base_url, account.project_id, token, clock, concurrency=CONCURRENT_REQUESTS)


def _session(timeout_seconds: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_seconds), cookie_jar=aiohttp.DummyCookieJar()
    )
