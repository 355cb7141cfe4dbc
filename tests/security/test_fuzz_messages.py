"""Whatever services and providers say to one another is taken or refused with the error of its parser, and no other."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from security.fuzzing import fuzzed, hostile, storable

from auth_service.facebook import Facebook
from auth_service.rpc import convert as auth
from auth_service.rpc import operations
from gatepost.auth.v1 import accounts_pb2, forms_pb2, projects_pb2
from gatepost.users.v1 import pictures_pb2
from gateway import moments as written
from notify_service.rpc import values as notify
from notify_service.transports import DeferredError, GoneError, RefusedError, fcm, http
from notify_service.transports.http import Answer
from notify_service.transports.twilio import Twilio
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from user_service.rpc import convert as users

NOW = datetime(2026, 11, 22, tzinfo=UTC)
numbers = st.integers(-(2**31), 2**31 - 1)
moments = st.datetimes(timezones=st.just(UTC))
stamps = st.builds(Timestamp, seconds=st.integers(-(2**63), 2**63 - 1), nanos=numbers)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


def of(field_name: str, read: Callable[[], object]) -> None:
    """Check that what is read is taken, or refused as that field."""
    try:
        read()
    except GatepostError as refused:
        assert refused.reason is Reason.INVALID_PARAMETER  # noqa: PT017 and nothing else
        assert [violation.field for violation in refused.violations] == [field_name]  # noqa: PT017 likewise


# Messages of our own contract.


@fuzzed(80)
@given(storable | hostile.map(lambda text: text.encode(errors="replace").decode()), st.uuids())
def test_an_id_is_one_or_refused(text: str, ident: UUID) -> None:
    for tried in (text, f"{str(ident)[:-1]}{text}", f"{{{ident}}}", f"urn:uuid:{ident}", str(ident).upper()):
        of("user_id", partial(auth.uuid, tried, "user_id"))
        of("user_id", partial(users.uuid, "user_id", tried))
        of("user_id", partial(notify.parse_uuid, "user_id", tried))
        of("user_id", partial(auth.account_ref, accounts_pb2.AccountRef(user_id=tried)))
    assert auth.uuid(str(ident), "id") == users.uuid("id", str(ident)) == notify.parse_uuid("id", str(ident)) == ident


@fuzzed(80)
@given(numbers)
def test_a_number_stands_for_something_or_is_refused(number: int) -> None:
    of("sign_in_policy", lambda: auth.policy(cast("projects_pb2.SignInPolicy.ValueType", number)))
    of("form", lambda: auth.form(cast("forms_pb2.TokenForm.ValueType", number)))
    of("kind", lambda: users.kind(cast("pictures_pb2.PictureKind.ValueType", number)))
    of("size", lambda: users.size(cast("pictures_pb2.PictureSize.ValueType", number)))
    of("page_size", lambda: auth.page_size(number))
    assert number < 0 or 0 < auth.page_size(number) <= 100


@fuzzed(80)
@given(stamps)
def test_a_time_of_a_message_is_one_or_refused(stamp: Timestamp) -> None:
    of("since", lambda: operations._time("since", stamp))
    of("expire_time", lambda: notify.parse_time("expire_time", stamp))


@fuzzed(80)
@given(moments)
def test_a_time_is_read_as_it_was_written(at: datetime) -> None:
    for stamp in (auth.timestamp(at), users._timestamp(at), notify.timestamp(at)):
        assert stamp is not None
        assert notify.parse_time("at", stamp) == operations._time("since", stamp) == at
        assert datetime.fromisoformat(written.microsecond(stamp)) == at
        assert datetime.fromisoformat(written.second(stamp)) == at.replace(microsecond=0, tzinfo=None)


@fuzzed(60)
@given(storable, storable, st.none() | storable, st.none() | st.floats(allow_nan=False))
def test_a_new_profile_is_read_as_it_was_said(name: str, birth: str, meta: str | None, latitude: float | None) -> None:
    sent = accounts_pb2.NewProfile(first_name=name, birth_date=birth, meta=meta, latitude=latitude)
    read = auth.new_profile(accounts_pb2.NewProfile.FromString(sent.SerializeToString()))
    assert (read.first_name, read.birth_date, read.meta, read.latitude) == (name, birth, meta, latitude)


# Answers of providers.


@dataclass
class Provider:
    """A server on loopback that says in two pieces what it is told to."""

    url: str = ""
    status: int = 200
    pieces: tuple[bytes, ...] = ()
    pause: float = field(default=0)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        for piece in self.pieces:
            await response.write(piece)
            await asyncio.sleep(self.pause)
        return response


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def provider() -> AsyncIterator[Provider]:
    made, app = Provider(), web.Application()
    app.router.add_get("/debug_token", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def facebook(provider: Provider) -> AsyncIterator[Facebook]:
    async with aiohttp.ClientSession() as session:
        yield Facebook(session, ManualClock(), provider.url, "42", "secret")


@fuzzed(60)
@given(
    st.binary(max_size=40) | anything.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 5000),
    st.dictionaries(st.sampled_from(["is_valid", "app_id", "type", "expires_at", "user_id"]), anything),
    st.sampled_from([200, 400, 500]),
    st.sampled_from(["data", "error"]),
)
async def test_any_answer_of_facebook_is_somebody_or_nobody_or_none_at_all(
    provider: Provider, facebook: Facebook, raw: bytes, said: dict[str, Any], status: int, name: str
) -> None:
    good = {"is_valid": True, "app_id": "42", "expires_at": 0, "user_id": "7"}
    for body in (raw, json.dumps({name: said}).encode(), json.dumps({name: good | said}).encode()):
        provider.status, provider.pieces, provider.pause = status, (body,), 0
        try:
            user_id = await facebook.inspect("token")
        except GatepostError as refused:
            assert refused.reason is Reason.UNAVAILABLE  # noqa: PT017 and nothing else
        else:
            assert user_id is None or user_id.isdigit()


async def test_an_answer_of_facebook_in_pieces_is_read_whole(provider: Provider, facebook: Facebook) -> None:
    provider.status, provider.pause = 200, 0.02
    provider.pieces = (b'{"data": {"is_valid": true, "app_id": "42", ', b'"expires_at": 0, "user_id": "7"}}')
    assert await facebook.inspect("token") == "7"


@fuzzed(100)
@given(st.sampled_from([200, 201, 400, 401, 404, 429, 500]), st.dictionaries(storable, anything), anything, anything)
def test_any_answer_of_a_provider_is_success_or_a_failure_of_its_kind(
    status: int, body: dict[str, Any], code: object, details: object
) -> None:
    for said in (
        body,
        {"code": code},
        {"error": code},
        {"error": {"status": "INVALID_ARGUMENT", "details": details, "message": code}},
        {
            "error": {
                "details": [{"errorCode": code, "fieldViolations": details}, details],
                "status": "INVALID_ARGUMENT",
            }
        },
    ):
        answer = Answer(status, said, None)
        with pytest.raises((DeferredError, RefusedError, GoneError)):
            raise fcm._explain(answer)
        try:
            Twilio("https://sms.example", "AC", "token", "+4930123456").check(answer)
        except (DeferredError, RefusedError) as failed:
            assert str(failed).isprintable()  # noqa: PT017 whichever


@fuzzed(100)
@given(st.binary(max_size=40) | st.just(b"[" * 5000), hostile, moments, anything)
def test_any_body_of_a_provider_is_an_object_and_any_wait_at_most_a_day(
    raw: bytes, text: str, at: datetime, value: object
) -> None:
    for body in (raw, json.dumps(value).encode()):
        assert isinstance(http._object(body), dict)
    for wait in (text, f"Sun, 22 Nov {text}", format_datetime(at), f"Sun, 22 Nov 2026 10:00:00 {text}", "9" * 9999):
        found = http._retry_after(wait, NOW)
        assert found is None or timedelta() <= found <= timedelta(days=1)
