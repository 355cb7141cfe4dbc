"""The public listener below HTTP's good manners: raw sockets, limits of headers and time, draining, sharing a port."""

import asyncio
from importlib.metadata import version

import pytest
from aiohttp import ClientError, ClientSession, http_parser
from dialects.local_gateway import LocalGateway, local_gateway
from structlog.testing import capture_logs
from unit.gateway.toy import toy

from gateway.server import Listener, check_aiohttp


async def raw(gateway: LocalGateway, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_what_is_not_http_is_refused_as_a_problem_and_nothing_of_it_is_logged_or_echoed(
    gateway: LocalGateway,
) -> None:
    with capture_logs() as lines:
        answer = await raw(gateway, b"GET /toy/facts?password=hunter2 HTTP/9.9\r\nHost: x\r\n\r\n")
    assert status(answer) == 400
    assert b"application/problem+json" in answer
    assert b"hunter2" not in answer
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /toy/facts HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /toy/facts HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 100 + b"\r\n",
        b"GET /toy/facts?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["long field", "many fields", "long line"],
)
async def test_a_head_over_the_limits_is_refused(gateway: LocalGateway, request_head: bytes) -> None:
    assert status(await raw(gateway, request_head)) in {400, 431}


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length : 2\r\n\r\n{}",
    ],
)
async def test_a_body_framed_two_ways_is_refused(gateway: LocalGateway, framing: bytes) -> None:
    answer = await raw(gateway, b"POST /toy/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + framing)
    assert status(answer) == 400


async def test_a_body_that_does_not_come_in_time_is_given_up() -> None:
    async with local_gateway((toy(),), request_body_timeout_seconds=0.1) as gateway:
        answer = await raw(gateway, b'POST /toy/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"na')
    assert b"toy says malformed_request" in answer


async def test_an_idle_connection_is_closed() -> None:
    async with local_gateway((toy(),), keepalive_timeout_seconds=0.1) as gateway:
        assert await raw(gateway, b"") == b""
        assert await raw(gateway, b"GET /toy/facts HTTP/1.1\r\nHost: x\r\nX-Half: ") == b""


async def test_who_asks_whether_to_send_a_body_is_told_to_go_on(gateway: LocalGateway) -> None:
    head = (
        b"POST /toy/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n"
    )
    answer = await raw(gateway, head + b'{"name":"ann"}')
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


async def test_who_asks_whether_to_send_too_much_is_told_no(gateway: LocalGateway) -> None:
    head = b"POST /toy/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"
    answer = await raw(gateway, head)
    assert b"100 Continue" not in answer
    assert b"toy says payload_too_large" in answer


async def test_an_absolute_url_is_taken_by_its_path(gateway: LocalGateway) -> None:
    answer = await raw(
        gateway, b"GET http://elsewhere.example/toy/facts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert status(answer) == 200
    assert b'"host":"elsewhere.example"' in answer


@pytest.mark.parametrize("last", ["Connection: close", "Origin: https://elsewhere.example\r\nConnection: close"])
@pytest.mark.parametrize("path", ["/toy/facts", "/toy/page", "/toy/nothing", "/toy/mine"])
async def test_the_head_of_an_answer_is_the_same_whoever_writes_it(gateway: LocalGateway, path: str, last: str) -> None:
    answer = await raw(gateway, f"GET {path} HTTP/1.1\r\nHost: x\r\n{last}\r\n\r\n".encode())
    names = [line.split(b":")[0].decode() for line in answer.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    own = {"Content-Security-Policy", "WWW-Authenticate"}
    assert [name for name in names if name not in own] == [
        "Cache-Control",
        "Referrer-Policy",
        "X-Content-Type-Options",
        "Server",
        "Content-Type",
        "X-Request-Id",
        "Vary",
        "Content-Length",
        "Date",
        "Connection",
    ]


async def test_an_old_client_is_answered_by_its_version_and_let_go(gateway: LocalGateway) -> None:
    answer = await raw(gateway, b"GET /toy/facts HTTP/1.0\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")


async def test_requests_that_come_together_are_answered_in_their_order(gateway: LocalGateway) -> None:
    heads = [f"GET /toy/of/{n}/x HTTP/1.1\r\nHost: x\r\n".encode() for n in range(3)]
    answer = await raw(gateway, b"\r\n".join(heads) + b"Connection: close\r\n\r\n")
    assert [answer.count(b"HTTP/1.1 200 OK"), answer.count(b"Connection: close")] == [3, 1]
    assert sorted(range(3), key=lambda n: answer.index(b'"who":"%d"' % n)) == [0, 1, 2]


async def test_two_hosts_are_refused(gateway: LocalGateway) -> None:
    answer = await raw(gateway, b"GET /toy/facts HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n")
    assert status(answer) == 400


async def test_two_authorizations_are_refused(gateway: LocalGateway) -> None:
    head = b"GET /toy/mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = await raw(gateway, head + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n")
    assert b"toy says token_invalid" in answer


async def test_bytes_beyond_ascii_in_path_and_headers_break_nothing(gateway: LocalGateway) -> None:
    answer = await raw(
        gateway, b"GET /toy/of/\xff/x HTTP/1.1\r\nHost: \xff\r\nOrigin: \xff\r\nConnection: close\r\n\r\n"
    )
    assert status(answer) in {400, 404}


async def test_a_request_at_work_is_finished_while_draining_and_new_ones_find_no_listener() -> None:
    async with local_gateway((toy(),)) as gateway:
        at_work = asyncio.create_task(gateway.client.get("/toy/slow").__aenter__())
        await asyncio.sleep(0.1)
        draining = asyncio.create_task(gateway.listener.drain(5))
        await asyncio.sleep(0.05)
        async with ClientSession(gateway.url) as other:
            with pytest.raises(ClientError):
                await other.get("/toy/facts")
        answer = await at_work
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        answer.release()
        await draining


async def test_a_request_that_outlasts_the_grace_is_cut_off() -> None:
    async with local_gateway((toy(),)) as gateway:
        at_work = asyncio.create_task(gateway.client.get("/toy/slow?seconds=5").__aenter__())
        await asyncio.sleep(0.05)
        await gateway.listener.drain(0.01)
        with pytest.raises(ClientError):
            await at_work


async def test_a_draining_gateway_says_that_it_is_not_ready(gateway: LocalGateway) -> None:
    gateway.readiness.accepting = False
    try:
        async with gateway.client.get("/readyz") as answer:
            assert (await answer.json())["checks"]["gateway"] is False
    finally:
        gateway.readiness.accepting = True


async def test_two_gateways_share_a_port(gateway: LocalGateway) -> None:
    async with local_gateway((toy(),), gateway_listen=f"127.0.0.1:{gateway.port}") as other:
        assert isinstance(other.listener, Listener)


def test_aiohttp_is_new_enough_and_reads_with_its_c_parser() -> None:
    check_aiohttp()
    assert version("aiohttp") >= "3.14.4"


def test_without_the_c_parser_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(RuntimeError, match="C parser"):
        check_aiohttp()
