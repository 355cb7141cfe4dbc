"""Files over real HTTP: taken where a route says so, as browsers and common clients send them."""

from typing import Any

import pytest
from aiohttp import FormData
from dialects.local_gateway import LocalGateway, local_gateway
from unit.gateway.toy import toy

TYPE = "multipart/form-data; boundary=x"
# As Chromium, Firefox and Safari write it, a file with a name they escape included.
BROWSER = (
    b'------WebKitFormBoundary7MA4\r\nContent-Disposition: form-data; name="name"\r\n\r\nann\r\n'
    b"------WebKitFormBoundary7MA4\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a%22b.png"\r\nContent-Type: image/png\r\n\r\n'
    b"\x89PNG\r\n\x1a\n\r\n------WebKitFormBoundary7MA4\r\n"
    b'Content-Disposition: form-data; name="second"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
    b"------WebKitFormBoundary7MA4--\r\n"
)


def text(name: str, value: bytes = b"v") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)


def file(name: str, value: bytes = b"v") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n' % (name.encode(), value)


async def post(gateway: LocalGateway, data: Any, content_type: str = TYPE, query: str = "") -> Any:
    headers = {} if isinstance(data, FormData) else {"Content-Type": content_type}
    async with gateway.client.post(f"/toy/keep{query}", data=data, headers=headers) as answer:
        return await answer.json()


async def test_what_browsers_send_is_read(gateway: LocalGateway) -> None:
    answer = await post(gateway, BROWSER, "multipart/form-data; boundary=----WebKitFormBoundary7MA4")
    assert answer == {"name": "ann", "bytes": 8, "type": "image/png", "second": False}


async def test_what_a_client_library_sends_is_read(gateway: LocalGateway) -> None:
    form = FormData()
    form.add_field("name", "Änn")
    form.add_field("file", b"\r\n" * 50_000, filename="bücher.jpg", content_type="image/jpeg")
    assert await post(gateway, form) == {"name": "Änn", "bytes": 100_000, "type": "image/jpeg", "second": False}


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="x"',
        "Multipart/Form-Data;boundary=x",
        "multipart/form-data; charset=UTF-8; Boundary=x",
    ],
)
async def test_the_type_may_be_written_in_several_ways(gateway: LocalGateway, content_type: str) -> None:
    answer = await post(gateway, text("name") + file("file") + b"--x--", content_type)
    assert answer["bytes"] == 1


async def test_where_files_are_taken_a_plain_form_is_taken_too(gateway: LocalGateway) -> None:
    answer = await post(gateway, "name=ann", "application/x-www-form-urlencoded")
    assert answer["fields"] == {"file": "The file field is required."}


async def test_an_empty_file_counts_as_absent(gateway: LocalGateway) -> None:
    answer = await post(gateway, text("name") + file("file", b"") + b"--x--\r\n")
    assert answer["fields"] == {"file": "The file field is required."}


async def test_a_text_for_a_file_and_a_file_for_a_text_are_refused(gateway: LocalGateway) -> None:
    answer = await post(gateway, file("name") + text("file") + b"--x--\r\n")
    assert answer["fields"] == {"name": "The name must be a string.", "file": "The file must be a file."}


async def test_a_parameter_in_the_query_is_refused(gateway: LocalGateway) -> None:
    answer = await post(gateway, file("file") + b"--x--\r\n", query="?name=ann")
    assert answer["fields"] == {"name": "The name must be sent in the body."}


@pytest.mark.parametrize("second", [text("name"), file("name")])
async def test_a_name_given_twice_is_refused(gateway: LocalGateway, second: bytes) -> None:
    answer = await post(gateway, text("name") + second + b"--x--\r\n")
    assert answer["fields"] == {"name": "The name is given more than once."}


def part(*headers: bytes) -> bytes:
    return b"--x\r\n" + b"".join(header + b"\r\n" for header in headers) + b"\r\nv\r\n--x--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n",
        text("name"),
        b"before\r\n" + text("name") + b"--x--\r\n",
        text("name") + b"--x--\r\nafter",
        text("name") + b"--x--" + text("file"),
        text("name") + b"--xy\r\n--x--\r\n",
        text("name").replace(b"\r\n", b"\n") + b"--x--\n",
        b"--x\r\n\r\nv\r\n--x--\r\n",
        text("name", b"\xff") + b"--x--\r\n",
        b"".join(text(f"n{number}") for number in range(101)) + b"--x--\r\n",
        part(b"Content-Type: text/plain"),
        part(b"Content-Disposition: form-data"),
        part(b'Content-Disposition: form-data; name=""'),
        part(b'Content-Disposition: attachment; name="name"'),
        part(b'Content-Disposition: form-data; name="name"; name="file"'),
        part(b'Content-Disposition: form-data; name="name"; name*="file"'),
        part(b'Content-Disposition: form-data; name="name"; size="1"'),
        part(b'Content-Disposition: form-data; name="na\\me"'),
        part(b'Content-Disposition: form-data; name="name'),
        part(b'Content-Disposition: form-data; name="name"', b'Content-Disposition: form-data; name="file"'),
        part(b'Content-Disposition: form-data;\r\n name="name"'),
        part(b'Content-Disposition: form-data; name="na\0me"'),
        part(b'Content-Disposition: form-data; name="\xff"'),
        part(b'Content-Disposition : form-data; name="name"'),
        part(b'Content-Disposition: form-data; name="name"', b"Content-Transfer-Encoding: base64"),
        part(b'Content-Disposition: form-data; name="name"', b"Content-Type: multipart/mixed; boundary=y"),
        part(b'Content-Disposition: form-data; name="name"', *(b"X-%d: y" % number for number in range(9))),
        part(b'Content-Disposition: form-data; name="name"', b"X: " + b"y" * 9000),
    ],
)
async def test_what_two_readers_could_read_differently_is_malformed(gateway: LocalGateway, body: bytes) -> None:
    assert await post(gateway, body) == {"toy": "toy says malformed_request"}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=x; boundary=y",
        "multipart/form-data; boundary=x; charset=utf-16",
        "multipart/form-data; boundary=x; other=1",
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary=x@",
        "multipart/mixed; boundary=x",
    ],
)
async def test_another_type_or_no_plain_boundary_is_malformed(gateway: LocalGateway, content_type: str) -> None:
    body = text("name") + file("file") + b"--x--\r\n"
    assert await post(gateway, body, content_type) == {"toy": "toy says malformed_request"}


async def test_texts_beside_a_file_are_no_longer_than_without_one(gateway: LocalGateway) -> None:
    assert (await post(gateway, text("name", b"n" * 65_536) + file("file") + b"--x--"))["bytes"] == 1
    answer = await post(gateway, text("name", b"n" * 65_537) + file("file") + b"--x--")
    assert answer == {"toy": "toy says payload_too_large"}


async def test_a_file_over_the_limit_of_uploads_is_too_large() -> None:
    async with local_gateway((toy(),), upload_body_limit_bytes=200_000) as gateway:
        assert (await post(gateway, text("name") + file("file", b"f" * 199_000) + b"--x--"))["bytes"] == 199_000
        answer = await post(gateway, text("name") + file("file", b"f" * 200_000) + b"--x--")
        assert answer == {"toy": "toy says payload_too_large"}
