"""Delivery over a real PostgreSQL to a real mail server: plain, TLS, AUTH, refusals, outages, slowness, shutdown."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
from store.notify.conftest import ATTEMPTS, Deliver
from store.notify.mail_server import PASSWORD, USERNAME, MailServer, make_certificate
from store.notify.watching import deferred, settled, until

from notify_service.delivery import Delivery, RetryPolicy
from notify_service.metrics import DELIVERIES
from notify_service.model import Channel, Status
from notify_service.outbox import Outbox
from notify_service.transports.outbox import OutboxTransport
from notify_service.transports.smtp import Server, SmtpTransport
from runtime.clock import ManualClock
from runtime.postgres import Database

SENDER = Address("Harbour", "no-reply", "example.com")


def smtp(server: MailServer, connections: int = 2, **changed: Any) -> SmtpTransport:
    facts: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "tls": None,
        "implicit_tls": False,
        "username": "",
        "password": "",
        "timeout_seconds": 2.0,
        "local_name": "example.com",
    }
    return SmtpTransport(Server(**(facts | changed)), SENDER, connections)


@asynccontextmanager
async def serving(**how: Any) -> AsyncIterator[MailServer]:
    server = MailServer(**how)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def test_without_mail_a_message_is_sent_and_stays_readable(take: Any, outbox: Outbox, deliver: Deliver) -> None:
    deliver(OutboxTransport())

    sent = await settled(outbox, await take())

    assert (sent.status, sent.attempts, sent.content.code) == (Status.SENT, 1, "482915")
    assert "482915" in sent.content.text
    assert sent.sent_at is not None


async def test_a_mail_arrives_and_its_text_is_forgotten(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    deliver(smtp(mail_server))

    sent = await settled(outbox, await take(to="ada@bücher.example"))

    (mail,) = mail_server.mails
    assert (mail["To"], mail["Message-ID"]) == ("ada@xn--bcher-kva.example", sent.message_id)
    assert "482915" in mail.as_string()
    kept = sent.content
    assert (sent.status, kept.text, kept.html, kept.code, kept.link) == (Status.SENT, "", "", "", "")
    assert kept.subject == "Your sign-in code for Harbour"


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
async def test_a_mail_goes_through_tls(
    take: Any, outbox: Outbox, deliver: Deliver, tmp_path: Path, *, implicit: bool
) -> None:
    context, trusted = make_certificate(tmp_path)
    async with serving(tls=context, implicit=implicit) as server:
        tls = ssl.create_default_context(cafile=trusted)
        deliver(smtp(server, tls=tls, implicit_tls=implicit))

        sent = await settled(outbox, await take())

        assert (sent.status, server.tls_sessions) == (Status.SENT, [True])


async def test_a_certificate_for_another_host_gets_no_mail(
    take: Any, outbox: Outbox, deliver: Deliver, tmp_path: Path, clock: ManualClock
) -> None:
    context, trusted = make_certificate(tmp_path, valid=False)
    async with serving(tls=context) as server:
        deliver(smtp(server, tls=ssl.create_default_context(cafile=trusted)))

        kept = await deferred(outbox, await take(), clock)

        assert (kept.status, server.mails) == (Status.PENDING, [])
        assert "TLS" in kept.last_error or "cannot be reached" in kept.last_error


async def test_a_server_without_starttls_gets_no_mail_in_plain_text(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    deliver(smtp(mail_server, tls=ssl.create_default_context()))

    kept = await deferred(outbox, await take(), clock)

    assert (kept.status, mail_server.mails) == (Status.PENDING, [])


async def test_a_server_that_wants_credentials_gets_them(take: Any, outbox: Outbox, deliver: Deliver) -> None:
    async with serving(auth=True) as server:
        deliver(smtp(server, username=USERNAME, password=PASSWORD))

        assert (await settled(outbox, await take())).status is Status.SENT


async def test_wrong_credentials_are_our_trouble_and_the_message_waits(
    take: Any, outbox: Outbox, deliver: Deliver, clock: ManualClock
) -> None:
    async with serving(auth=True) as server:
        deliver(smtp(server, username=USERNAME, password="wrong pony"))

        kept = await deferred(outbox, await take(), clock)

        assert kept.last_error == "the mail server refused our credentials (535)"
        assert "pony" not in kept.last_error


async def test_a_recipient_refused_for_good_is_dead_at_once(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    mail_server.answer_to_recipient = "550 5.1.1 No such mailbox"
    refused = DELIVERIES.labels(Channel.MAIL, "refused")._value.get()
    deliver(smtp(mail_server))

    dead = await settled(outbox, await take())

    assert (dead.status, dead.attempts) == (Status.DEAD, 1)
    assert dead.last_error == "the recipient was refused: 550 5.1.1 No such mailbox"
    assert dead.content.code == "482915"
    assert DELIVERIES.labels(Channel.MAIL, "refused")._value.get() == refused + 1


async def test_a_recipient_refused_for_now_is_tried_again(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    mail_server.answer_to_recipient = "450 4.2.1 Greylisted"
    deliver(smtp(mail_server))
    taken = await take()
    kept = await deferred(outbox, taken, clock)
    mail_server.answer_to_recipient = "250 OK"
    clock.advance(timedelta(seconds=2))

    sent = await settled(outbox, taken)

    assert kept.next_attempt_at == kept.created_at + timedelta(seconds=2)
    assert (sent.status, sent.attempts, sent.last_error) == (Status.SENT, 2, "")


async def test_what_the_server_says_of_the_content_is_not_repeated(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    mail_server.answer_to_data = "554 5.6.0 Looks bad: Your code is 482915"
    deliver(smtp(mail_server))

    dead = await settled(outbox, await take())

    assert (dead.status, dead.last_error) == (Status.DEAD, "the mail was refused (554)")


async def test_a_refused_sender_is_our_trouble_and_the_message_waits(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    mail_server.answer_to_sender = "553 5.7.1 Not yours"
    deliver(smtp(mail_server))

    kept = await deferred(outbox, await take(), clock)

    assert kept.last_error == "our sender address was refused: 553 5.7.1 Not yours"


async def test_an_address_the_server_cannot_take_is_dead_at_once(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    deliver(smtp(mail_server))

    dead = await settled(outbox, await take(to="josé@example.com"))

    assert (dead.status, mail_server.mails) == (Status.DEAD, [])


async def test_nothing_is_lost_while_the_server_is_away(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    await mail_server.stop()
    deliver(smtp(mail_server))
    taken = [await take(to=f"user{number}@example.com") for number in range(6)]
    for message in taken:
        assert "cannot be reached" in (await deferred(outbox, message, clock)).last_error
    await mail_server.start()
    clock.advance(timedelta(seconds=2))

    sent = [await settled(outbox, message) for message in taken]

    assert {message.status for message in sent} == {Status.SENT}
    assert sorted(mail["Message-ID"] for mail in mail_server.mails) == sorted(one.message_id for one in taken)


async def test_every_attempt_has_the_same_message_id_and_date(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    delivery = deliver(smtp(mail_server), attempt_timeout_seconds=0.3)
    mail_server.data_delay_seconds = 0.6  # the mail arrives, but its acknowledgement comes too late
    taken = await take()
    await deferred(outbox, taken, clock)
    await asyncio.sleep(0.5)
    mail_server.data_delay_seconds = 0.0
    clock.advance(timedelta(seconds=2))
    delivery.nudge()

    await settled(outbox, taken)

    assert {mail["Message-ID"] for mail in mail_server.mails} == {taken.message_id}
    assert len({mail["Date"] for mail in mail_server.mails}) == 1


async def test_a_slow_server_is_given_up_for_now(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    mail_server.data_delay_seconds = 5.0
    deliver(smtp(mail_server), attempt_timeout_seconds=0.2)

    kept = await deferred(outbox, await take(), clock)

    assert kept.last_error == "not handed over within 0.2 seconds"


async def test_one_slow_mail_does_not_hold_up_the_others(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    mail_server.data_delay_seconds = 1.5
    deliver(smtp(mail_server, connections=2), attempt_timeout_seconds=5.0)
    slow = await take()
    await until(outbox, slow, lambda now: now.attempts == 1)
    await asyncio.sleep(0.1)
    mail_server.data_delay_seconds = 0.0

    quick = [await settled(outbox, await take()) for _ in range(5)]

    assert {message.status for message in quick} == {Status.SENT}
    assert (await outbox.get(slow.id)).status is Status.PENDING


async def test_connections_are_reused_and_bounded(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    taken = [await take() for _ in range(30)]
    deliver(smtp(mail_server, connections=3))

    for message in taken:
        await settled(outbox, message)

    assert len(mail_server.mails) == 30
    assert mail_server.connections <= 3


async def test_a_connection_that_went_stale_is_replaced_within_the_attempt(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    deliver(smtp(mail_server, connections=1))
    await settled(outbox, await take())
    mail_server.drop_all()

    sent = await settled(outbox, await take())

    assert (sent.status, sent.attempts, mail_server.connections) == (Status.SENT, 1, 2)


async def test_a_refusal_keeps_the_connection_for_the_next(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    deliver(smtp(mail_server, connections=1))
    mail_server.answer_to_recipient = "550 No"
    await settled(outbox, await take())
    mail_server.answer_to_recipient = "250 OK"

    sent = await settled(outbox, await take())

    assert (sent.status, mail_server.connections) == (Status.SENT, 1)


async def test_the_last_attempt_makes_it_dead_and_retrying_gives_all_attempts_back(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    mail_server.answer_to_recipient = "450 Later"
    deliver(smtp(mail_server))
    taken = await take()
    for attempt in range(1, ATTEMPTS):
        await deferred(outbox, taken, clock, attempt)
        clock.advance(timedelta(hours=1))
    dead = await settled(outbox, taken)

    await outbox.retry(taken.id)
    kept = await deferred(outbox, taken, clock, ATTEMPTS + 1)
    mail_server.answer_to_recipient = "250 OK"
    clock.advance(timedelta(seconds=2))
    sent = await settled(outbox, taken)

    assert (dead.status, dead.attempts, dead.next_attempt_at) == (Status.DEAD, ATTEMPTS, None)
    assert kept.status is Status.PENDING
    assert (sent.status, sent.attempts) == (Status.SENT, ATTEMPTS + 2)


async def test_what_expired_is_not_sent(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    taken = await take(expires_at=clock.now() + timedelta(minutes=10))
    clock.advance(timedelta(minutes=10))
    deliver(smtp(mail_server))

    dead = await settled(outbox, taken)

    assert (dead.status, dead.last_error, mail_server.mails) == (Status.DEAD, "expired", [])


async def test_two_instances_send_each_message_once(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    taken = [await take() for _ in range(40)]
    deliver(smtp(mail_server))
    deliver(smtp(mail_server))

    for message in taken:
        assert (await settled(outbox, message)).attempts == 1

    assert sorted(mail["Message-ID"] for mail in mail_server.mails) == sorted(one.message_id for one in taken)


async def test_closing_finishes_what_is_under_way_and_claims_no_more(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    mail_server.data_delay_seconds = 0.4
    delivery = deliver(smtp(mail_server, connections=1))
    taken = await take()
    await until(outbox, taken, lambda now: now.attempts == 1)
    later = await take()

    await delivery.close(5.0)

    assert (await outbox.get(taken.id)).status is Status.SENT
    assert (await outbox.get(later.id)).attempts == 0


async def test_a_message_abandoned_at_the_end_is_taken_up_by_another(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer, clock: ManualClock
) -> None:
    mail_server.data_delay_seconds = 1.0
    first = deliver(smtp(mail_server))
    taken = await take()
    await until(outbox, taken, lambda now: now.attempts == 1)
    await first.close(0.0)
    mail_server.data_delay_seconds = 0.0
    deliver(smtp(mail_server))
    await asyncio.sleep(0.1)
    untouched = await outbox.get(taken.id)
    clock.advance(timedelta(minutes=1))

    sent = await settled(outbox, taken)

    assert (untouched.status, untouched.attempts) == (Status.PENDING, 1)
    assert (sent.status, sent.attempts) == (Status.SENT, 2)


@pytest.mark.parametrize("ticks", range(6))
async def test_a_nudge_just_before_the_end_does_not_keep_it_from_ending(
    database: Database, clock: ManualClock, ticks: int
) -> None:
    policy = RetryPolicy(ATTEMPTS, timedelta(seconds=2), timedelta(hours=1))
    delivery = Delivery(
        Channel.MAIL, database, OutboxTransport(), clock, policy, attempt_timeout_seconds=2.0, poll_seconds=60.0
    )
    delivery.start()
    await asyncio.sleep(0.05)
    delivery.nudge()
    for _ in range(ticks):
        await asyncio.sleep(0)

    async with asyncio.timeout(2):
        await delivery.close(1.0)


async def test_an_answer_that_comes_with_the_cancellation_does_not_hold_up_the_end(
    take: Any, outbox: Outbox, deliver: Deliver, mail_server: MailServer
) -> None:
    mail_server.data_delay_seconds = 1.5
    for _ in range(10):
        delivery = deliver(smtp(mail_server), attempt_timeout_seconds=5.0)
        taken = await take()
        await until(outbox, taken, lambda now: now.attempts == 1)

        async with asyncio.timeout(1):
            await delivery.close(0.0)
