"""Text messages over a real PostgreSQL to a server that speaks Twilio's API: taken, refused, put off, never quoted."""

from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from store.notify.conftest import Deliver
from store.notify.sms_server import ACCOUNT, AUTH_TOKEN, SENDER, SmsServer
from store.notify.watching import deferred, settled

from notify_service.model import Channel, Message, Status
from notify_service.outbox import Outbox
from notify_service.transports.outbox import OutboxTransport
from notify_service.transports.sms import SmsTransport
from notify_service.transports.twilio import Twilio
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason

PHONE = "+4915112345678"


@pytest.fixture
def take_sms(take: Any) -> Any:
    async def taken(**changed: Any) -> Message:
        draft = {"channel": Channel.SMS, "to": PHONE, "template": "phone_change_code"}
        message: Message = await take(**(draft | changed))
        return message

    return taken


@pytest.fixture
def start(deliver: Deliver, session: aiohttp.ClientSession, clock: ManualClock, sms_server: SmsServer) -> Any:
    """Return a function that starts delivery to the server; `sender` and `auth_token` may be others."""

    def started(sender: str = SENDER, auth_token: str = AUTH_TOKEN) -> None:
        provider = Twilio(sms_server.url, ACCOUNT, auth_token, sender)
        deliver(SmsTransport(session, provider, clock, 4), channel=Channel.SMS)

    return started


async def test_a_text_message_arrives_and_its_text_is_forgotten(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer
) -> None:
    start()
    taken = await take_sms()

    sent = await settled(outbox, taken)

    assert sms_server.messages == [{"To": PHONE, "From": SENDER, "Body": taken.content.text}]
    assert "482915" in taken.content.text
    assert (taken.content.subject, taken.content.html, taken.content.code) == ("", "", "482915")
    assert (sent.status, sent.content.text, sent.content.code) == (Status.SENT, "", "")


async def test_a_messaging_service_may_be_the_sender(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer
) -> None:
    service = "MG" + "ab" * 16
    start(sender=service)

    await settled(outbox, await take_sms())

    assert sms_server.messages[0]["MessagingServiceSid"] == service


@pytest.mark.parametrize("code", [21211, 21214, 21610, 21614])
async def test_a_number_refused_for_good_is_dead_at_once(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer, code: int
) -> None:
    sms_server.answer = (400, {"code": code, "message": f"The 'To' number {PHONE} is …", "status": 400}, {})
    start()

    dead = await settled(outbox, await take_sms())

    assert (dead.status, dead.attempts) == (Status.DEAD, 1)
    assert dead.last_error == f"Twilio refused the message (400, error {code})"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((429, {"code": 20429, "status": 429}, {}), "Twilio did not take the message (429, error 20429)"),
        ((500, {"code": 20500, "status": 500}, {}), "Twilio did not take the message (500, error 20500)"),
        ((503, "down", {}), "Twilio did not take the message (503)"),
        ((400, {"code": 21606, "status": 400}, {}), "Twilio did not take the message (400, error 21606)"),
        ((201, {}, {}), "Twilio answered 201 without a message's SID"),
        ((307, {}, {"Location": "http://127.0.0.1:1/"}), "Twilio did not take the message (307)"),
    ],
)
async def test_what_may_pass_is_tried_again(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer, clock: ManualClock, answer: Any, error: str
) -> None:
    sms_server.answer = answer
    start()
    taken = await take_sms()
    kept = await deferred(outbox, taken, clock)
    sms_server.answer = None
    clock.advance(timedelta(seconds=2))

    sent = await settled(outbox, taken)

    assert kept.last_error == error
    assert (sent.status, sent.attempts, len(sms_server.messages)) == (Status.SENT, 2, 1)


async def test_wrong_credentials_are_our_trouble_and_not_shown(
    take_sms: Any, outbox: Outbox, start: Any, clock: ManualClock
) -> None:
    start(auth_token="wrong pony")

    kept = await deferred(outbox, await take_sms(), clock)

    assert kept.last_error == "Twilio did not take the message (401, error 20003)"


async def test_a_provider_that_asks_to_wait_is_given_the_time(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer, clock: ManualClock
) -> None:
    sms_server.answer = (429, {"code": 20429}, {"Retry-After": "90"})
    start()

    kept = await deferred(outbox, await take_sms(), clock)

    assert kept.next_attempt_at == clock.now() + timedelta(seconds=90)


async def test_a_slow_provider_is_given_up_for_now(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer, clock: ManualClock
) -> None:
    sms_server.delay_seconds = 1.5
    start()

    assert (await deferred(outbox, await take_sms(), clock)).last_error == "the provider did not answer in time"


async def test_nothing_is_lost_while_the_provider_is_away(
    take_sms: Any, outbox: Outbox, start: Any, sms_server: SmsServer, clock: ManualClock
) -> None:
    await sms_server.stop()
    start()
    taken = await take_sms()
    kept = await deferred(outbox, taken, clock)
    await sms_server.start()
    clock.advance(timedelta(seconds=2))

    sent = await settled(outbox, taken)

    assert kept.last_error == "the provider cannot be reached: ClientConnectorError"
    assert (sent.status, len(sms_server.messages)) == (Status.SENT, 1)


@pytest.mark.parametrize(
    "to", ["015112345678", "+0151123456", "+49 151 12345678", "ada@example.com", "", "+49\n151123"]
)
async def test_what_is_no_phone_number_never_reaches_the_queue(take_sms: Any, to: str) -> None:
    with pytest.raises(GatepostError) as caught:
        await take_sms(to=to)

    assert (caught.value.reason, caught.value.violations[0].field) == (Reason.INVALID_PARAMETER, "to")


async def test_a_template_without_words_for_the_channel_is_refused(take_sms: Any, take: Any) -> None:
    with pytest.raises(GatepostError) as mailed:
        await take(template="phone_change_code")
    with pytest.raises(GatepostError) as texted:
        await take_sms(template="sign_in_code")

    assert [error.value.violations[0].field for error in (mailed, texted)] == ["channel", "channel"]


async def test_mail_goes_out_while_the_provider_is_slow(
    take_sms: Any, take: Any, outbox: Outbox, start: Any, deliver: Deliver, sms_server: SmsServer
) -> None:
    sms_server.delay_seconds = 0.8
    start()
    deliver(OutboxTransport())
    waiting = [await take_sms() for _ in range(10)]

    mailed = await settled(outbox, await take())

    assert mailed.status is Status.SENT
    assert (await outbox.get(waiting[-1].id)).status is Status.PENDING
