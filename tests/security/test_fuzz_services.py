"""Whatever reaches the parsers of the other services, the runtime and the command is taken or refused, and soon."""

import base64
import email
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, TypeAdapter, ValidationError
from security.fuzzing import fuzzed, hostile, soon, storable

from gatepost_cli.commands.location import read
from gatepost_cli.errors import CommandFailed
from notify_service import addresses, colours, fields, service_account
from notify_service.mail import compose, mint_message_id
from notify_service.model import Channel, Message, Status
from notify_service.templates import TEMPLATES, Templates
from runtime import paging, status
from runtime.errors import GatepostError, Reason, Rule, Violation
from runtime.settings import Address as ListenAddress
from runtime.settings import AddressOrSocket, PostgresDsn
from user_service import language, phone, rules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LINK = "https://id.example/undo?token=0123456789abcdef"
VALUES: Mapping[str, Any] = {
    "code": "482915",
    "minutes": 10.0,
    "project": "Harbour",
    "time": "2026-11-22T07:05:11+01:00",
    "role": "editor",
    "link": LINK,
    "device": "Firefox on Linux",
    "email": "ada@example.com",
}
LETTERS = Templates("https://id.example")
SENDER = Address("The Harbour", "no-reply", "example.com")
MAILED = sorted(name for name, template in TEMPLATES.items() if Channel.MAIL in template.channels)
said = {
    **dict.fromkeys(("first_name", "last_name", "phone", "gender", "birth_date", "biography", "website"), hostile),
    **dict.fromkeys(("relationship", "language", "meta", "address"), hostile),
    "location_id": st.integers(),
    "latitude": st.floats(),
    "longitude": st.floats(),
}


@fuzzed(100)
@given(st.datetimes(datetime(1970, 1, 1)), st.uuids())  # noqa: DTZ001 hypothesis wants it naive
def test_a_page_token_leads_back_to_its_place(at: datetime, ident: UUID) -> None:
    place = (at.replace(tzinfo=UTC), ident)
    assert paging.decode(paging.encode(place)) == place


@fuzzed(150)
@given(hostile, st.binary(max_size=30))
def test_any_page_token_is_ours_or_refused(text: str, raw: bytes) -> None:
    for token in (text, base64.urlsafe_b64encode(raw).decode(), base64.b64encode(raw.ljust(24, b"\xff")).decode()):
        try:
            place = paging.decode(token)
        except GatepostError as refused:
            assert [v.field for v in refused.violations] == ["page_token"]  # noqa: PT017 and nothing else
        else:
            assert place is None or place[0] >= EPOCH


@fuzzed(60)
@given(
    st.sampled_from(Reason),
    storable,
    st.lists(st.builds(Violation, storable, st.sampled_from(Rule), storable), max_size=3),
    st.none() | st.floats(0, 1e6).map(lambda seconds: int(seconds * 1000) / 1000),
    st.dictionaries(storable, storable, max_size=3),
)
def test_an_error_crosses_the_wire_whole(
    reason: Reason, message: str, violations: list[Violation], seconds: float | None, metadata: dict[str, str]
) -> None:
    error = GatepostError(reason, message, violations=tuple(violations), retry_after_seconds=seconds, metadata=metadata)
    code, shown, details = status.encode(error)
    found = status.decode(code, details)
    assert (found.reason, found.violations) == (reason, tuple(violations))
    assert found.message == shown == error.message[:300]
    assert dict(found.metadata) == metadata
    assert seconds is None or abs((found.retry_after_seconds or 0) - seconds) < 0.0011


@fuzzed(200)
@given(st.binary(max_size=200), st.sampled_from(grpc.StatusCode), st.data())
def test_any_details_of_a_failed_call_become_an_error(raw: bytes, code: grpc.StatusCode, data: st.DataObject) -> None:
    assert isinstance(status.decode(code, raw), GatepostError)
    assert isinstance(status.decode(code, None), GatepostError)
    violation = Violation("email", Rule.TAKEN, "Taken.")
    whole = status.encode(GatepostError(Reason.EMAIL_TAKEN, "taken", violations=(violation,), retry_after_seconds=1))[2]
    at = data.draw(st.integers(0, len(whole) - 1))
    spoiled = whole[:at] + raw[:4] + whole[at + 1 :]
    assert isinstance(status.decode(code, spoiled), GatepostError)
    odd = status_pb2.Status.FromString(whole)
    for detail in odd.details:
        detail.value = raw
    assert isinstance(status.decode(code, odd.SerializeToString()), GatepostError)


@fuzzed(150)
@given(hostile)
def test_an_address_or_a_dsn_of_the_settings_is_taken_or_refused_without_being_shown(text: str) -> None:
    secret = "hunter2-" + text
    for kind in (ListenAddress, AddressOrSocket, PostgresDsn):
        for value in (text, f"host:{text}", f"[{text}]:80", f"postgresql://u:{secret}@{text}", f"unix:/{text}"):
            try:
                TypeAdapter(kind).validate_python(SecretStr(value) if kind is PostgresDsn else value)
            except ValidationError as refused:
                shown = "; ".join(each["msg"] for each in refused.errors(include_url=False, include_input=False))
                assert "hunter2" not in shown


@fuzzed(120)
@given(st.fixed_dictionaries({}, optional=said))
def test_a_profile_is_cleaned_once_and_for_all_or_refused(values: dict[str, Any]) -> None:
    try:
        cleaned = rules.clean(values)
    except GatepostError as refused:
        assert refused.reason is Reason.INVALID_PARAMETER  # noqa: PT017 and nothing else
        assert {v.field for v in refused.violations} <= values.keys()  # noqa: PT017 likewise
        return
    again = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in cleaned.items()}
    assert rules.clean({name: "" if value is None else value for name, value in again.items()}) == cleaned
    for value in cleaned.values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()


@fuzzed(150)
@given(hostile, st.dates())
def test_dates_numbers_and_languages_have_their_one_form(text: str, day: Any) -> None:
    assert rules.clean({"birth_date": day.isoformat()}) == {"birth_date": day}
    for typed in (text, f"+62{text}"):
        found = phone.e164(typed)
        assert not found or (found[0] == "+" and found[1:].isascii() and found[1:].isdigit())
    assert not language.well_formed(text) or text.isascii()


@pytest.mark.parametrize("piece", ["a", "a-", "\u0344", "\ufdfa", " ", "\r\n", "http://", "-x-", "1"])
def test_profiles_built_to_be_slow_are_not(piece: str) -> None:
    many = piece * (1_000_000 // len(piece))
    with soon():
        for field in ("first_name", "biography", "website", "language", "meta", "birth_date", "phone"):
            with pytest.raises(GatepostError):
                rules.clean({field: many})
        phone.e164("+" + many[:1000])


class _Seen(HTMLParser):
    """Collects what a mail program would see in HTML: its tags, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links |= {value or "" for name, value in attrs if name in {"href", "src"}}

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(html: str) -> _Seen:
    parser = _Seen()
    parser.feed(html)
    return parser


@fuzzed(40)
@given(st.sampled_from(MAILED), hostile, hostile, hostile)
def test_no_word_of_anybody_changes_what_a_mail_is(template: str, name: str, agent: str, brand: str) -> None:
    declared = TEMPLATES[template].values
    plain = {key: VALUES[key] for key in declared}
    sent = plain | {key: name for key in ("project", "role", "email") if key in declared}
    sent |= {"device": agent} if "device" in declared else {}
    try:
        content = LETTERS.render(template, Channel.MAIL, "de", sent, brand=brand, accent_color="")
    except GatepostError as refused:
        assert refused.reason is Reason.INVALID_PARAMETER  # noqa: PT017 and nothing else
        return
    if "device" in declared:
        plain["device"] = fields.device(agent) and plain["device"]  # a line is left out when nothing is left of it
    usual, found = seen(LETTERS.render(template, Channel.MAIL, "de", plain).html), seen(content.html)
    assert found.tags == usual.tags
    assert found.links == usual.links
    assert not any(map(fields._is_refused, content.subject))
    message = Message(
        id=UUID(int=7),
        channel=Channel.MAIL,
        to="ada@example.com",
        template=template,
        project="Harbour",
        content=content,
        status=Status.PENDING,
        attempts=1,
        last_error="",
        message_id=mint_message_id(UUID(int=7), "example.com"),
        created_at=EPOCH + timedelta(days=20_000),
        next_attempt_at=None,
        expires_at=None,
        sent_at=None,
    )
    mail = email.message_from_bytes(compose(message, SENDER).as_bytes(policy=SMTP), policy=default)
    assert isinstance(mail, EmailMessage)
    assert sorted(mail.keys()) == sorted(
        {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language"}
        | {"MIME-Version", "Content-Type"}
    )
    assert str(mail["To"]) == "ada@example.com"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@fuzzed(150)
@given(hostile, hostile)
def test_a_recipient_or_a_sender_is_one_address_or_none(text: str, other: str) -> None:
    for value in (text, f"{text}@example.com", f"ada@{text}", f"{other} <{text}@example.com>", f"a@b.c, {text}"):
        for parse in (addresses.normalise, addresses.envelope, addresses.parse_sender, addresses.phone_number):
            try:
                found = str(parse(value))
            except ValueError:
                continue
            assert not set("\r\n\0") & set(found)


@fuzzed(150)
@given(hostile)
def test_a_link_is_below_the_public_url_or_refused(text: str) -> None:
    for url in (text, LINK + text, f"https://id.example{text}", f"https://id.example@{text}"):
        try:
            link = str(fields.link(url))
            below = fields.is_below("https://id.example", link)
        except ValueError:
            continue
        assert (
            not below
            or link.startswith(("https://id.example/", "https://id.example?", "https://id.example#"))
            or (link == "https://id.example")
        )


@fuzzed(100)
@given(hostile)
def test_a_colour_is_one_or_none(text: str) -> None:
    for value in (text, f"#{text}", f"#1f5f8b{text}"):
        try:
            found = colours.accent(value)
        except ValueError:
            continue
        assert len(found) == 7
        assert found.isascii()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@fuzzed(80)
@given(
    st.binary(max_size=60)
    | anything.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"type": st.just("service_account")},
        optional=dict.fromkeys(("project_id", "client_email", "private_key", "private_key_id", "token_uri"), anything),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_file_is_a_service_account_or_refused_without_a_word_of_it(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "account.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^it"):
        service_account.read(file)


rows = st.lists(st.lists(hostile | st.integers().map(str), max_size=4).map(",".join), max_size=4).map("\n".join)


@fuzzed(150)
@given(st.sampled_from(["id,name\n", "id,name,parent_id\n", "\ufeffid,name\r\n", ""]), rows, st.binary(max_size=20))
def test_any_file_of_places_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, head: str, body: str, raw: bytes
) -> None:
    file: Path = tmp_path_factory.getbasetemp() / "places.csv"
    for content in ((head + body).encode(errors="surrogatepass"), head.encode() + raw):
        file.write_bytes(content)
        try:
            places = read(file)
        except CommandFailed as refused:
            assert "places.csv" in refused.message  # noqa: PT017 says which
        else:
            assert all(0 <= place.id < 2**63 for _, place in places)


def test_the_templates_are_all_looked_at() -> None:
    assert {name for template in TEMPLATES.values() for name in template.values} <= VALUES.keys()
