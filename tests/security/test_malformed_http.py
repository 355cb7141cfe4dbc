"""A corpus of what is no HTTP, or too much of it, against a running gateway: refused, in time, in the right words.

No 500, no hang, no growth; whoever asks meanwhile whether the gateway is well is told so at once.
"""

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aiohttp import ClientSession, DummyCookieJar
from conftest import GatepostStack
from dialects.adapters import ADAPTERS
from dialects.ihopr_client import App, Ihopr
from dialects.pages_client import Door
from dialects.redirect_client import Browser
from dialects.scenarios import Adapter
from security.hashes import hashes
from security.raw_http import PATIENCE_SECONDS, Heard, Pulse, get, post, resident_bytes, say

MEGABYTE = 1_048_576
MOST_GROWTH_BYTES = 40 * MEGABYTE
PASSWORD = "tunnel-lantern-42"
H = b"Host: x\r\n"
P = b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\n"
G = b"GET /healthz HTTP/1.1\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
each_dialect = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.dialect.name)

# Framing that two readers could read differently. Whatever follows is not looked at: one answer, and the end.
IN_DOUBT = {
    "length and chunked": P + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": P + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked twice": P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and unknown": P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked not last": P + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding that hides": P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding with a tab": P + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "lengths that differ": P + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + SMUGGLED,
    "lengths alike": P + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
    "list of lengths": P + b"Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED,
    "length with a sign": P + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
    "negative length": P + b"Content-Length: -2\r\n\r\n{}" + SMUGGLED,
    "length in hex": P + b"Content-Length: 0x2\r\n\r\n{}" + SMUGGLED,
    "length with a gap": P + b"Content-Length: 2 0\r\n\r\n{}" + SMUGGLED,
    "empty length": P + b"Content-Length:\r\n\r\n{}" + SMUGGLED,
    "length beyond 64 bits": P + b"Content-Length: 18446744073709551618\r\n\r\n{}" + SMUGGLED,
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: x\n\n" + SMUGGLED,
    "one bare line feed": G + b"Host: x\nX: 1\r\n\r\n" + SMUGGLED,
    "a bare carriage return": G + b"Host: x\rX: 1\r\n\r\n" + SMUGGLED,
    "folded header": G + H + b"X: 1\r\n  Transfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "folded first": G + b" Host: x\r\n\r\n" + SMUGGLED,
    "space before the colon": P + b"Content-Length : 2\r\n\r\n{}" + SMUGGLED,
    "tab before the colon": P + b"Content-Length\t: 2\r\n\r\n{}" + SMUGGLED,
    "no name": G + H + b": 1\r\n\r\n" + SMUGGLED,
    "no colon": G + H + b"Nothing\r\n\r\n" + SMUGGLED,
    "odd name": G + H + b"X(1): 1\r\n\r\n" + SMUGGLED,
    "name beyond ASCII": G + H + b"X\xe9: 1\r\n\r\n" + SMUGGLED,
    "NUL in a value": G + H + b"X: a\0b\r\n\r\n" + SMUGGLED,
    "NUL in a name": G + H + b"X\0: a\r\n\r\n" + SMUGGLED,
    "control in a value": G + H + b"X: a\x01b\r\n\r\n" + SMUGGLED,
    "two hosts": G + b"Host: x\r\nHost: y\r\n\r\n" + SMUGGLED,
    "no host": G + b"X: 1\r\n\r\n" + SMUGGLED,
    "version 0.9": b"GET /healthz\r\n\r\n" + SMUGGLED,
    "version 2.0": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 9.9": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n" + SMUGGLED,
    "version in lower case": b"GET /healthz http/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "unknown method": b"FETCH /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "method in lower case": b"get /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "giant method": b"G" * 100_000 + b" /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "two targets": b"GET /healthz /readyz HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "target without slash": b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "target with a control": b"GET /heal\x01thz HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "target with NUL": b"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "hello of TLS": bytes.fromhex("16030100a5010000a10303") + bytes(range(160)),
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "chunk of no size": P + b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size no number": P + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "negative chunk": P + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size in C": P + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size too large": P + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunk longer than said": P + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size ends in LF": P + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunk ends in LF": P + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n" + SMUGGLED,
    "space behind chunk size": P + b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "LF in a chunk extension": P + b"Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
}

# What is well-formed and too much.
TOO_MUCH = {
    "request line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "query": b"GET /healthz?" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "header": G + H + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "header without end": G + H + b"X: " + b"a" * MEGABYTE,
    "name of a header": G + H + b"X" * 100_000 + b": 1\r\n\r\n",
    "headers": G + H + b"X: 1\r\n" * 10_000 + b"\r\n",
    "large headers": G + H + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(60)),
    "cookies": G + H + b"Cookie: " + b"a=b; " * 20_000 + b"\r\n\r\n",
    "trailers": P + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n",
    "body by length": post("/api/v1/login", b'{"email": "' + b"a" * MEGABYTE + b'"}'),
    "body by chunks": P + b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"a" * 0x8000 + b"\r\n") * 32,
}

PATHS = (
    "/%2e%2e/healthz", "/../healthz", "/./healthz", "//healthz", "/healthz//x", "/healthz%00", "/%00", "/healthz;a=b",
    "/healthz%2f", "/%252e%252e/healthz", "/%68ealthz/%2e", "/t/../healthz", "/t/%2e%2e/sign-in", "/t//sign-in",
    "/t/default/t/default/sign-in", "/t/" + "a" * 5000 + "/sign-in", "/assets/..%2f..%2fsettings.py",
    "/assets/accent/..css",
    "/assets/accent/%2e%2e%2f.css", "/pictures/..%2f..", "/pictures/%00", "/content/uploads/..%2fx", "/avatar/%00/x/y",
    "/avatar/..%2f..%2f/large/x.jpg", "/openapi/..%2f.json", "/docs/%2e%2e", "/%ff%fe", "/%", "/%zz", "/%u0041",
    "/api/v1/user%20", "/account\\x", "/api/v1/user?%", "/api/v1/user?a=%ff", "/api/v1/user?a=%00", "/healthz#x",
    "/\u202e", "/api/v1/user?a=1&a=2", "/api/v1/user?" + "a&" * 4000, "*", "/sign-in?lang=%00", "/sign-in?next=%5c%5cx",
)  # fmt: skip

BODIES = {
    "deep": b"[" * 30_000,
    "deep and whole": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "deep in a string": b'{"a":"' + b"[" * 5000 + b'"}',
    "members twice": b'{"email":"a@example.com","email":"b@example.com"}',
    "members twice by escape": b'{"email":"a","\\u0065mail":"b"}',
    "NaN": b'{"email":NaN}',
    "infinity": b'{"email":1e999999}',
    "giant integer": b'{"email":' + b"9" * 10_000 + b"}",
    "surrogate": b'{"email":"\\ud800"}',
    "surrogate as a name": b'{"\\ud800":"a"}',
    "surrogates reversed": b'{"email":"\\udc00\\ud800@example.com"}',
    "NUL": b'{"email":"a\\u0000@example.com"}',
    "raw NUL": b'{"email":"a\0"}',
    "line feed": b'{"email":"a@example.com\\r\\nBcc: b@example.com"}',
    "no UTF-8": b'{"email":"\xff\xfe"}',
    "UTF-16": '{"email":"a"}'.encode("utf-16"),
    "overlong UTF-8": b'{"email":"\xc0\xaf"}',
    "byte order mark": b'\xef\xbb\xbf{"email":"a"}',
    "no object": b"[]",
    "no value": b"null",
    "text": b"email=a",
    "nothing but blanks": b" " * 1000,
    "many members": b"{" + b",".join(b'"%d":1' % n for n in range(5000)) + b"}",
    "types": b'{"email":{},"password":[],"client_id":true,"client_secret":1.5,"username":null}',
}
FORMS = {
    "names twice": b"email=a&email=b",
    "no UTF-8": b"email=%ff%fe",
    "half an escape": b"email=%",
    "NUL": b"email=%00",
    "surrogate": b"email=%ed%a0%80",
    "thousands of names": b"&".join(b"a%d=1" % n for n in range(5000)),
    "arrays": b"email[]=a&email[]=b&email[a][b]=c",
}
TEXTS = (
    "\u202eevil", "\u2066evil\u2069", "\u200fa", "a\0b", "a\r\nBcc: b@example.com", "\ud800", "\udfff\ud800", "\ufeff",
    "\ufffe", "\x7f", "\x1b[2J", "e\u0301" * 3000, "a" * 60_000, "\U000e0001", "\u2028", "", " ", "{{7*7}}", "%s%n",
    "'\"><",
)  # fmt: skip
# Characters that no name may have, whichever dialect it comes by.
REFUSED = (
    "\u202eevil",
    "\u2066evil\u2069",
    "a\0b",
    "a\r\nBcc: b@example.com",
    "\ud800",
    "\udfff\ud800",
    "\x1b[2J",
    "\u2028",
)
NAMES = frozenset({"first_name", "last_name", "firstname", "lastname", "name", "username", "email"})


@pytest.fixture(scope="module")
def port(stack: GatepostStack) -> int:
    found = urlsplit(stack.url).port
    assert found
    return found


@pytest.fixture(scope="module", autouse=True)
def steady(stack: GatepostStack, port: int) -> Iterator[None]:
    """Watch the gateway's health and memory while the corpus is sent."""
    gateways = [each["pid"] for each in stack.status()["processes"] if each["name"].startswith("gateway")]
    before = sum(map(resident_bytes, gateways))
    with Pulse(port) as pulse:
        yield
    pulse.assert_steady()
    assert sum(map(resident_bytes, gateways)) - before < MOST_GROWTH_BYTES


@pytest.fixture(scope="module")
def app(stack: GatepostStack) -> dict[str, str]:
    made = stack.cli("app", "create", "App of the corpus", "--project", "default")
    return {name: made[name] for name in ("client_id", "client_secret")}


@pytest.fixture(scope="module")
async def client(stack: GatepostStack) -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=DummyCookieJar()) as opened:
        yield opened


def assert_refused(heard: Heard, *statuses: int) -> None:
    assert heard.closed, heard
    assert heard.seconds < PATIENCE_SECONDS, heard
    assert len(heard.statuses) == 1, heard
    assert heard.statuses[0] in statuses, heard
    assert b"smuggled" not in heard.raw


@pytest.mark.parametrize("name", IN_DOUBT)
async def test_framing_in_doubt_is_refused_and_ends_the_connection(port: int, name: str) -> None:
    assert_refused(await say(port, IN_DOUBT[name]), 400)


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_too_much_is_refused_and_ends_the_connection(port: int, name: str) -> None:
    heard = await say(port, TOO_MUCH[name])
    assert heard.closed, heard
    assert heard.seconds < PATIENCE_SECONDS, heard
    assert set(heard.statuses) <= {400, 413, 431}, heard  # none where a reset came before it


async def test_a_giant_chunk_extension_is_skipped(port: int) -> None:
    extended = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;" + b"a" * MEGABYTE + b"\r\n{}\r\n0\r\n\r\n"
    assert_refused(await say(port, P + extended), 422)


async def test_noise_is_refused(port: int) -> None:
    dice = random.Random(5)  # noqa: S311 the same noise every time
    noise = [dice.randbytes(dice.randrange(1, 3000)) + b"\r\n\r\n" for _ in range(60)]
    for heard in await asyncio.gather(*(say(port, each) for each in noise)):
        assert set(heard.statuses) <= {400}, heard
        assert heard.closed


async def test_a_target_of_absolute_form_goes_before_the_host(port: int) -> None:
    heard = await say(port, b"GET http://elsewhere.example/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert_refused(heard, 200)


@pytest.mark.parametrize("method", ["CONNECT x:1", "TRACE /healthz", "OPTIONS *", "DELETE /healthz", "PURGE /healthz"])
async def test_methods_that_are_not_taken_are_refused(port: int, method: str) -> None:
    assert_refused(await say(port, f"{method} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()), 404, 405)


async def test_no_path_leads_where_its_spelling_does_not(port: int) -> None:
    for path, heard in zip(PATHS, await asyncio.gather(*(say(port, get(path)) for path in PATHS)), strict=True):
        assert heard.statuses[0] in ({200} if path == "/healthz#x" else {400, 401, 404, 405, 422, 303, 200}), (
            path,
            heard,
        )
        assert heard.statuses[0] != 200 or path in {"/healthz#x", "/sign-in?lang=%00", "/sign-in?next=%5c%5cx"}, path


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "x\xff"])
async def test_a_compressed_body_is_not_unpacked(port: int, coding: str) -> None:
    zeros = b"\0" * 20 * MEGABYTE
    bomb = zlib.compress(zeros) if coding == "deflate" else gzip.compress(zeros)
    heard = await say(port, post("/api/v1/login", bomb, "application/json", f"Content-Encoding: {coding}"))
    assert_refused(heard, 400, 413, 415)


@each_dialect
async def test_each_dialect_refuses_odd_bodies_in_its_own_words(port: int, adapter: Adapter) -> None:
    path = adapter.form.path
    asked = {name: post(path, body) for name, body in BODIES.items()}
    forms = {name: post(path, body, "application/x-www-form-urlencoded") for name, body in FORMS.items()}
    asked |= {f"form: {name}": request for name, request in forms.items()}
    for name, heard in zip(asked, await asyncio.gather(*(say(port, each) for each in asked.values())), strict=True):
        assert len(heard.statuses) == 1, (name, heard)
        assert heard.statuses[0] < 500, (name, heard)
        assert adapter.is_error(json.loads(heard.body)), (name, heard)


@each_dialect
async def test_each_dialect_refuses_multipart_that_cannot_be_read(port: int, adapter: Adapter) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="n%d"\r\n\r\n1\r\n'
    many = b"".join(part % n for n in range(1000)) + b"--b--\r\n"
    asked = [
        post(adapter.form.path, b"--b\r\n\r\n--b--", "multipart/form-data"),
        post(adapter.form.path, b"--b\r\n\r\n--b--", "multipart/form-data; boundary="),
        post(adapter.form.path, many, "multipart/form-data; boundary=b"),
        post(adapter.form.path, b"--b" * 10_000, "multipart/form-data; boundary=b"),
        post(adapter.form.path, b"--b\r\n", "multipart/form-data; boundary=" + "b" * 100),
    ]
    for heard in await asyncio.gather(*(say(port, each) for each in asked)):
        assert heard.statuses[0] < 500, heard
        assert adapter.is_error(json.loads(heard.body)), heard


async def test_ten_thousand_parts_of_an_upload_are_refused(port: int) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="n%d"; filename="f"\r\n\r\n1\r\n'
    many = b"".join(part % n for n in range(10_000)) + b"--b--\r\n"
    bearer = f"Authorization: Bearer {'0' * 64}"
    heard = await say(port, post("/v1/vorg-id/edit-photo", many, "multipart/form-data; boundary=b", bearer))
    assert 400 <= heard.statuses[0] < 500, heard


async def test_a_query_and_a_body_that_contradict_are_refused(port: int) -> None:
    body = {"api_key_token": "0" * 64, "username": "ann", "password": PASSWORD}
    heard = await say(port, post("/api/v1.0/user_authenticate?username=bob", json.dumps(body).encode()))
    assert b"Request successfully executed" not in heard.body, heard
    heard = await say(port, post("/api/v1/login?email=a@example.com", b'{"email":"b@example.com"}'))
    assert_refused(heard, 422)


async def test_whoever_asks_to_go_on_and_then_does_not_is_answered(port: int) -> None:
    for extra in (b"Content-Length: 0\r\n", b"", b"Content-Length: 99999999\r\n"):
        head = P + b"Connection: close\r\nExpect: 100-continue\r\n" + extra + b"\r\n"
        heard = await say(port, head)
        assert set(heard.statuses) <= {100, 400, 413, 422, 401}, heard
        assert heard.closed


async def test_a_thousand_requests_at_once_are_answered_in_order(port: int) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 999
    heard = await say(port, ask + get("/healthz"), patience=10)
    assert heard.statuses == [200] * 1000
    assert heard.closed


@pytest.mark.parametrize(
    ("path", "length"), [("signup", 300), ("signup", 50_000), ("signup", MEGABYTE), ("login", MEGABYTE)]
)
async def test_a_giant_password_costs_no_hash(
    port: int, client: ClientSession, stack: GatepostStack, app: dict[str, str], path: str, length: int
) -> None:
    given = app | {"password": "a" * length}
    person = {"email": f"{uuid4().hex}@example.com", "first_name": "A", "last_name": "B", "mobile_number": 1}
    before = await hashes(client, stack)
    heard = await say(port, post(f"/api/v1/{path}", json.dumps(given | person).encode()))
    assert set(heard.statuses) <= {413, 422}, heard
    assert await hashes(client, stack) == before


def sign_ups(stack: GatepostStack) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the path of each dialect's sign-up, and what is right there; `{}` makes an address new."""
    project = f"p{uuid4().hex[:12]}"
    stack.cli("project", "create", project, "--sign-in", "none")
    app = stack.cli("app", "create", "App of the corpus", "--project", project)
    key = stack.cli("key", "create", "--project", project, "--scope", "user:create")["api_key_token"]
    common = {"email": "{}@example.com", "password": PASSWORD}
    names = {"first_name": "Ann", "last_name": "Lee"}
    client = {"client_id": app["client_id"], "client_secret": app["client_secret"], "mobile_number": "1", "meta": "{}"}
    more = {"username": "ann{}", "firstname": "Ann", "lastname": "Lee", "reemail": "{}@example.com", "gender": "male"}
    return {
        "ihopr": ("/api/v1/signup", common | names | client),
        "shoop": (f"/t/{project}/api/v2/auth/register", common | {"name": "Ann Lee", "id_location": "7", "phone": "1"}),
        "ossn": (
            f"/t/{project}/api/v1.0/user_add",
            common | more | {"api_key_token": key, "birthdate": "01/02/1990"},
        ),
    }


@pytest.mark.parametrize("dialect", ["ihopr", "shoop", "ossn"])
async def test_no_text_of_a_sign_up_breaks_anything(port: int, stack: GatepostStack, dialect: str) -> None:
    path, right = (await asyncio.to_thread(sign_ups, stack))[dialect]
    adapter = next(each for each in ADAPTERS if each.dialect.name == dialect)
    for field in right:
        asked = []
        for text in TEXTS:
            fresh = uuid4().hex[:12]
            given = {name: str(value).replace("{}", fresh) for name, value in right.items()} | {field: text}
            asked.append(post(path, json.dumps(given).encode()))
        for text, heard in zip(TEXTS, await asyncio.gather(*(say(port, each) for each in asked)), strict=True):
            body = json.loads(heard.body)
            assert heard.statuses[0] < 500, (field, text, heard)
            assert heard.statuses[0] == 200 or adapter.is_error(body), (field, text, heard)
            if text in REFUSED and field in NAMES:
                assert adapter.is_error(body), (field, text, heard)


async def test_no_text_breaks_the_page_to_sign_up(stack: GatepostStack, client: ClientSession) -> None:
    door = Door(Browser(client, stack.url), App("default", "", ""), Ihopr(client, stack.url))
    shown = await door.open("/sign-up")
    right = {"first_name": "Ann", "last_name": "Lee", "email": "nobody", "password": PASSWORD}
    for field in right:
        for text in TEXTS:
            if "\ud800" not in text:  # which a form cannot hold
                answer = await door.submit(shown, **right | {field: text})
                assert answer.status in {200, 400, 413, 422}, (field, text, answer)
                assert not door.session
