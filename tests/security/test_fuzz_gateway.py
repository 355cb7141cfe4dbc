"""Whatever reaches the gateway's own parsers is taken or refused with an error of the closed list, and soon."""

import base64
import json
from ipaddress import ip_address, ip_network
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from security.fuzzing import fuzzed, hostile, soon
from unit.gateway.a_call import a_call
from unit.gateway.toy import Everything

from gateway import credentials, fields, guards, multipart, params
from gateway.addresses import Addresses
from gateway.fields import Takes
from gateway.origins import Origins
from gateway.pages import account_step, step
from gateway.web import cookies, csrf, locale, paths, session
from runtime.errors import GatepostError, Reason

ADDRESSES = Addresses((ip_network("127.0.0.0/8"), ip_network("fd00::/8"), ip_network("fe80::/10")))
REFUSED_BY_CSRF = {Reason.ROLE_FORBIDDEN, Reason.MALFORMED_REQUEST}
SECRET = "0123456789abcdef" * 4
hops = st.sampled_from(
    ["127.0.0.1", "::ffff:127.0.0.1", "fe80::1%eth0", "fe80::1%\udcff", "fe80::1%<b>", "203.0.113.9"]
)
UNREADABLE = {Reason.MALFORMED_REQUEST, Reason.INVALID_PARAMETER, Reason.MISSING_PARAMETER}


@fuzzed(150)
@given(st.lists(hops | hostile | st.ip_addresses().map(str), max_size=4), hostile)
def test_a_client_address_is_always_an_address_and_a_request_id_a_plain_word(given_hops: list[str], name: str) -> None:
    headers = CIMultiDict([("X-Forwarded-For", hop) for hop in given_hops] + [("X-Request-Id", name)])
    address, request_id = ADDRESSES.identify("127.0.0.1", headers)
    assert str(ip_address(address)) == address
    assert address.isascii()
    assert set(address) <= set("0123456789abcdef:.")
    assert 1 <= len(request_id) <= 64
    assert request_id.isascii()
    assert request_id.isprintable()


@fuzzed(150)
@given(hostile, hostile, hostile)
def test_a_form_of_whatever_browser_is_ours_or_refused(cookie: str, origin: str, given_token: str) -> None:
    for name in (cookies.SESSION, cookies.VISIT):
        call = a_call(Cookie=f"{name}={cookie}", Origin=f"https://{origin}", Sec_Fetch_Site="same-origin")
        shown = csrf.token(call)
        assert len(shown) == 64
        for tried in (shown, given_token.encode(errors="ignore").decode()):
            try:
                csrf.check(call, tried)
            except GatepostError as refused:
                assert refused.reason in REFUSED_BY_CSRF  # noqa: PT017 which of two
        for line in csrf.cookies(call):
            assert line.isprintable()


@fuzzed(100)
@given(hostile)
def test_an_origin_that_is_not_ours_never_passes(origin: str) -> None:
    for prefix in ("", "https://", "http://[", "//"):
        call = a_call(Cookie=f"{cookies.VISIT}={SECRET}", Origin=prefix + origin)
        try:
            csrf.check(call, csrf.token(call))
        except GatepostError as refused:
            assert refused.reason in REFUSED_BY_CSRF  # noqa: PT017 likewise
        else:
            sent = (prefix + origin).strip()
            assert sent in {"", "null"} or urlsplit(sent).netloc.lower() in {"id.example", "public.example"}


@fuzzed(150)
@given(hostile)
def test_a_session_cookie_is_one_of_ours_or_none(value: str) -> None:
    call = a_call(Cookie=f"a=b; {cookies.SESSION}={value}; {cookies.SESSION}=c")
    try:
        session.SESSION.check(call)
    except GatepostError as refused:
        assert refused.reason in session.DEAD  # noqa: PT017 which of several
    session.VISITOR.check(call)
    assert call.token == "" or (len(call.token) == 64 and call.token.isalnum())


@fuzzed(150)
@given(hostile, st.sampled_from([f"otp.{'a' * 70}.", f"reset.{'0' * 70}.", "two-step.", "WyJlbWFpbCIs", ""]))
def test_a_cookie_of_an_open_step_is_read_or_none(rest: str, begin: str) -> None:
    for name in (cookies.STEP, cookies.SESSION):
        call = a_call(Cookie=f"{name}={begin}{rest}")
        found = step.current_step(call, *step.PURPOSES)
        assert found is None or found.purpose in step.PURPOSES


@fuzzed(150)
@given(st.lists(hostile | st.just("email"), min_size=2, max_size=4), hostile)
def test_a_cookie_of_a_change_is_read_or_none(parts: list[str], rest: str) -> None:
    packed = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")
    name = account_step.forgotten().partition("=")[0]
    for value in (packed, packed + rest, rest):
        found = account_step.kept(a_call(Cookie=f"{name}={value}"), "email")
        if found is not None:
            assert all(part.isprintable() and part.encode() for part in (found.kind, found.target or " "))
            found.handle.encode()


@fuzzed(200)
@given(hostile, st.sampled_from(["", "/", "//", "/\\", "/.", "/\t/", "https:", "javascript:"]))
def test_where_somebody_is_led_next_is_on_this_origin(rest: str, begin: str) -> None:
    target = paths.next_or(begin + rest, "/account")
    led = urlsplit(urljoin("https://id.example/sign-in", target.replace("\\", "/")))
    assert (led.scheme, led.netloc) == ("https", "id.example")
    assert target.isprintable()


@fuzzed(150)
@given(hostile, hostile, hostile)
def test_the_language_is_one_there_is(accept: str, cookie: str, query: str) -> None:
    call = a_call(
        f"/sign-in?lang={query}", Accept_Language=f"{accept};q={query},de", Cookie=f"{cookies.LANGUAGE}={cookie}"
    )
    assert locale.choose(call) in locale.LANGUAGES
    assert all(line.isprintable() for line in locale.cookies(call))


@fuzzed(200)
@given(hostile, hostile)
def test_credentials_in_a_header_are_read_or_refused(client_id: str, secret: str) -> None:
    pair = f"{client_id}:{secret}".encode(errors="surrogatepass")
    for given_header in (base64.b64encode(pair).decode(), client_id, f"{secret}="):
        for name in ("Authorization", "Basic"):
            call = a_call(**{name: f"Basic {given_header}" if name == "Authorization" else given_header})
            try:
                found = credentials.basic(call)
            except GatepostError as refused:
                assert refused.reason in {Reason.CLIENT_UNKNOWN, Reason.MALFORMED_REQUEST}  # noqa: PT017 which
            else:
                assert found is None or all(part.encode() is not None for part in found)


@fuzzed(150)
@given(hostile)
def test_a_bearer_token_is_read_or_refused(value: str) -> None:
    for scheme in ("Bearer ", "bearer\t", ""):
        try:
            token = guards.bearer_token(a_call(Authorization=scheme + value), "Authorization")
        except GatepostError as refused:
            assert refused.reason is Reason.TOKEN_INVALID  # noqa: PT017 and nothing else
        else:
            assert token.isascii()
            assert len(token) <= 512


@fuzzed(100)
@given(hostile)
async def test_an_origin_that_is_none_is_not_asked_about(origin: str) -> None:
    asked: list[str] = []

    async def ask(sent: str) -> bool:
        asked.append(sent)
        return True

    allowed = await Origins(ask, cache_seconds=1, cache_entries=10).allows(origin)
    assert allowed is bool(asked)
    for sent in asked:
        assert sent.startswith(("http://", "https://"))
        assert sent.isprintable()


@fuzzed(150)
@given(st.dictionaries(st.sampled_from(["name", "number", "code", "address"]), hostile), hostile)
def test_hostile_fields_are_read_or_refused_by_every_way(sent: dict[str, str], query: str) -> None:
    encodable = {name: value.encode(errors="replace").decode() for name, value in sent.items()}
    form = params.parse_query(urlencode({"name": query.encode(errors="replace").decode()}))
    for body, kind in (
        (json.dumps(sent).encode(), "application/json"),
        (urlencode(encodable).encode(), "application/x-www-form-urlencoded"),
        (query.encode(errors="surrogatepass"), "text/plain"),
    ):
        try:
            fields.read(Everything, Takes.QUERY_AND_BODY, form, params.parse_body(body, kind, 16))
        except GatepostError as refused:
            assert refused.reason in UNREADABLE  # noqa: PT017 which


LONG = 65_536


@pytest.mark.parametrize(
    "body",
    [
        b"[" * LONG,
        b'{"a":' * (LONG // 5),
        b'"' + b'\\"' * (LONG // 2),
        b"{" + b'"a":"' + b"\\" * LONG,
        b"9" * LONG,
        b'{"a":' + b"9" * (LONG - 10) + b"}",
        b'{"a":1e' + b"9" * (LONG - 10) + b"}",
        b"a=1&" * (LONG // 4),
        b"%" * LONG,
        b"=" * LONG,
        b" " * LONG + b"{}",
        b"{}" + b" " * LONG,
        b'{"a":"' + b"\xed\xa0\x80" * 20_000 + b'"}',
    ],
    ids=lambda body: body[:8].decode(errors="replace"),
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_built_to_be_slow_is_not(body: bytes, kind: str) -> None:
    with soon():
        try:
            values = params.parse_body(body, kind, 16)
            fields.read(Everything, Takes.BODY, {}, values)
        except GatepostError as refused:
            assert refused.reason in UNREADABLE  # noqa: PT017 which


@pytest.mark.parametrize(
    "piece",
    [
        b"\r\n--x",
        b"--x\r\n",
        b'\r\nContent-Disposition: form-data; name="',
        b'form-data; name="a"; ',
        b';name="' + b"\\" * 99,
        b"\r\n\r\n",
        b"a:" + b"\t" * 500 + b"\r\n",
        b" ; a*=",
    ],
)
def test_a_multipart_body_built_to_be_slow_is_not(piece: bytes) -> None:
    many = piece * (3_000_000 // len(piece))
    head = b'--x\r\nContent-Disposition: form-data; name="a'
    for body in (many, b"--x\r\n" + many + b"\r\n--x--", head + many[:LONG] + b'"\r\n\r\n\r\n--x--'):
        with soon(), pytest.raises(GatepostError):
            multipart.parse(body, "multipart/form-data; boundary=x")
