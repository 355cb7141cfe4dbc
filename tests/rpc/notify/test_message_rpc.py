"""MessageService over a real gRPC server and client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from gatepost.notify.v1 import messages_pb2 as pb
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from notify_service.main import NAME
from notify_service.store import queue
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason, Rule
from runtime.grpc_client import connect
from runtime.postgres import Database

if TYPE_CHECKING:  # the stubs' name for what MessageServiceStub makes of an asyncio channel
    from gatepost.notify.v1.messages_pb2_grpc import MessageServiceAsyncStub


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def messages(target: str, service_keys: ServiceKeys) -> AsyncIterator[MessageServiceAsyncStub]:
    async with connect(target, issuer="auth-service", audience=NAME, keys=service_keys) as channel:
        yield MessageServiceStub(channel)


def fresh(data: dict[str, Any] | None = None, **changed: Any) -> pb.SendMessageRequest:
    values = Struct()
    values.update({"code": "482915", "minutes": 10} if data is None else data)
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "channel": pb.CHANNEL_MAIL,
        "to": f"{uuid4().hex}@example.com",
        "template": "two_step_code",
        "project": "Harbour",
        "data": values,
    }
    return pb.SendMessageRequest(**(fields | changed))


async def delivered(messages: MessageServiceAsyncStub, message_id: str) -> pb.Message:
    async with asyncio.timeout(10):
        while True:
            message = (await messages.GetMessage(pb.GetMessageRequest(id=message_id))).message
            if message.status != pb.MESSAGE_STATUS_PENDING:
                return message
            await asyncio.sleep(0.005)


async def refusal(call: Any) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value


async def test_a_message_is_taken_rendered_and_delivered_soon(messages: MessageServiceAsyncStub) -> None:
    request = fresh()
    started = asyncio.get_running_loop().time()

    taken = (await messages.SendMessage(request)).message
    sent = await delivered(messages, request.id)

    assert asyncio.get_running_loop().time() - started < 3  # nudged, not polled
    assert (taken.status, taken.subject) == (pb.MESSAGE_STATUS_PENDING, "Your verification code for Harbour")
    assert taken.HasField("next_attempt_time")
    assert not taken.HasField("sent_time")
    assert (sent.status, sent.code, sent.link, sent.attempts) == (pb.MESSAGE_STATUS_SENT, "482915", "", 1)
    assert (sent.to, sent.template, sent.project, sent.language) == (request.to, "two_step_code", "Harbour", "en")
    assert sent.message_id == f"<{request.id}@example.com>"
    assert sent.HasField("sent_time")
    assert not sent.HasField("next_attempt_time")
    assert "482915" in sent.text
    assert "482915" in sent.html


async def test_the_same_call_again_returns_the_same_message(messages: MessageServiceAsyncStub) -> None:
    request = fresh()
    first = (await messages.SendMessage(request)).message
    await delivered(messages, request.id)

    again = (await messages.SendMessage(request)).message

    assert (again.create_time, again.message_id, again.attempts) == (first.create_time, first.message_id, 1)


async def test_the_project_may_come_with_the_values(messages: MessageServiceAsyncStub) -> None:
    request = fresh(data={"project": "Harbour", "role": "editor"}, template="role_changed", project="")

    assert (await messages.SendMessage(request)).message.project == "Harbour"


async def test_the_expiry_crosses(messages: MessageServiceAsyncStub, database: Database) -> None:
    expires = Timestamp()
    expires.FromDatetime(datetime.now(UTC) - timedelta(minutes=1))
    request = fresh(expire_time=expires)
    await messages.SendMessage(request)

    dead = await delivered(messages, request.id)

    assert (dead.status, dead.last_error) == (pb.MESSAGE_STATUS_DEAD, "expired")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": "7"}, "id"),
        ({"channel": pb.CHANNEL_UNSPECIFIED}, "channel"),
        ({"channel": 99}, "channel"),
        ({"to": "nobody"}, "to"),
        ({"template": "unheard_of"}, "template"),
        ({"language": "?"}, "language"),
        ({"brand": "Har\nbour"}, "data.project"),
        ({"accent_color": "red"}, "accent_color"),
        ({"channel": pb.CHANNEL_SMS, "to": "+4915112345678"}, "channel"),
        ({"channel": pb.CHANNEL_PUSH, "to": str(UUID(int=1))}, "channel"),
        ({"channel": pb.CHANNEL_SMS, "template": "phone_change_code"}, "to"),
        ({"project": "Har\nbour"}, "project"),
        ({"project": ""}, "data.project"),
        ({"data": {"code": "482915", "minutes": "ten"}}, "data.minutes"),
        ({"data": {"code": ["1"], "minutes": 10}}, "data.code"),
        ({"data": {"code": {"a": "b"}, "minutes": 10}}, "data.code"),
        ({"data": {"code": None, "minutes": 10}}, "data.code"),
    ],
)
async def test_what_cannot_be_sent_is_refused_when_offered(
    messages: MessageServiceAsyncStub, changed: dict[str, Any], field: str
) -> None:
    error = await refusal(messages.SendMessage(fresh(**changed)))

    assert error.reason is Reason.INVALID_PARAMETER
    assert [violation.field for violation in error.violations] == [field]


async def test_missing_values_are_named(messages: MessageServiceAsyncStub) -> None:
    error = await refusal(messages.SendMessage(fresh(data={})))

    assert {(violation.field, violation.rule) for violation in error.violations} == {
        ("data.code", Rule.REQUIRED),
        ("data.minutes", Rule.REQUIRED),
    }


async def test_an_unknown_message_is_not_found(messages: MessageServiceAsyncStub) -> None:
    unknown = str(uuid4())

    assert (await refusal(messages.GetMessage(pb.GetMessageRequest(id=unknown)))).reason is Reason.NOT_FOUND
    assert (await refusal(messages.RetryMessage(pb.RetryMessageRequest(id=unknown)))).reason is Reason.NOT_FOUND


async def test_a_list_is_paged_and_of_one_address(messages: MessageServiceAsyncStub) -> None:
    to = f"{uuid4().hex}@example.com"
    sent = [(await messages.SendMessage(fresh(to=to))).message.id for _ in range(5)]

    first = await messages.ListMessages(pb.ListMessagesRequest(to=to.upper(), page_size=3))
    rest = await messages.ListMessages(
        pb.ListMessagesRequest(to=to.upper(), page_size=3, page_token=first.next_page_token)
    )

    assert [message.id for message in [*first.messages, *rest.messages]] == sent[::-1]
    assert rest.next_page_token == ""


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"page_size": 101}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "?"}, "page_token"),
        ({"status": 99}, "status"),
        ({"to": "a\0b"}, "to"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    messages: MessageServiceAsyncStub, changed: dict[str, Any], field: str
) -> None:
    error = await refusal(messages.ListMessages(pb.ListMessagesRequest(**changed)))

    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, field)


async def test_a_dead_message_is_listed_and_retried_and_a_living_one_is_not(
    messages: MessageServiceAsyncStub, database: Database
) -> None:
    request = fresh()
    await messages.SendMessage(request)
    await delivered(messages, request.id)
    async with database.acquire() as connection:
        await connection.execute("UPDATE messages SET status = 'dead' WHERE id = $1", UUID(request.id))

    listed = await messages.ListMessages(pb.ListMessagesRequest(to=request.to, status=pb.MESSAGE_STATUS_DEAD))
    retried = (await messages.RetryMessage(pb.RetryMessageRequest(id=request.id))).message
    sent = await delivered(messages, request.id)
    again = await refusal(messages.RetryMessage(pb.RetryMessageRequest(id=request.id)))

    assert [message.id for message in listed.messages] == [request.id]
    assert (retried.status, sent.status) == (pb.MESSAGE_STATUS_PENDING, pb.MESSAGE_STATUS_SENT)
    assert again.reason is Reason.CONFLICT


async def test_nothing_waits_that_was_delivered(messages: MessageServiceAsyncStub, database: Database) -> None:
    requests = [fresh() for _ in range(50)]
    await asyncio.gather(*(messages.SendMessage(request) for request in requests))
    for request in requests:
        await delivered(messages, request.id)

    async with database.acquire() as connection:
        assert (await queue.depth(connection)).pending == 0


@pytest.mark.parametrize("issuer", ["user-service", "somebody"])
async def test_other_callers_are_refused(target: str, service_keys: ServiceKeys, issuer: str) -> None:
    async with connect(target, issuer=issuer, audience=NAME, keys=service_keys) as channel:
        stub: MessageServiceAsyncStub = MessageServiceStub(channel)
        error = await refusal(stub.ListMessages(pb.ListMessagesRequest()))

    assert error.reason is Reason.CALLER_REFUSED


async def test_a_text_message_crosses(messages: MessageServiceAsyncStub) -> None:
    request = fresh(channel=pb.CHANNEL_SMS, to="+4915112345678", template="phone_change_code", language="de-CH")
    await messages.SendMessage(request)

    sent = await delivered(messages, request.id)
    listed = await messages.ListMessages(pb.ListMessagesRequest(to=request.to))

    assert (sent.status, sent.channel, sent.to) == (pb.MESSAGE_STATUS_SENT, pb.CHANNEL_SMS, "+4915112345678")
    assert (sent.subject, sent.html, sent.code, sent.language) == ("", "", "482915", "de")
    assert "482915 ist der Code" in sent.text
    assert sent in listed.messages


async def test_a_push_message_for_a_user_without_devices_is_shown_as_skipped(messages: MessageServiceAsyncStub) -> None:
    data = {"device": "Firefox", "time": "2026-11-22T06:05:11Z"}
    request = fresh(data=data, channel=pb.CHANNEL_PUSH, to=str(uuid4()).upper(), template="new_sign_in")
    await messages.SendMessage(request)

    skipped = await delivered(messages, request.id)
    listed = await messages.ListMessages(pb.ListMessagesRequest(to=request.to, status=pb.MESSAGE_STATUS_SKIPPED))

    assert (skipped.status, skipped.subject) == (pb.MESSAGE_STATUS_SKIPPED, "New sign-in at Harbour")
    assert not skipped.HasField("sent_time")
    assert list(listed.messages) == [skipped]


async def test_branding_crosses(messages: MessageServiceAsyncStub) -> None:
    link = "http://127.0.0.1:8080/confirm-email?token=abc"
    request = fresh(data={"link": link}, template="confirm_email", brand="The Harbour", accent_color="#FFE04D")

    taken = (await messages.SendMessage(request)).message

    assert (taken.project, taken.subject, taken.link) == ("Harbour", "Confirm your address for The Harbour", link)
    assert "#ffe04d" in taken.html
