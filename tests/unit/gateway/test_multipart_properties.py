"""Multipart bodies of any kind: taken as they were meant, or refused with an error of the closed list."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import multipart
from gateway.multipart import Upload
from runtime.errors import GatepostError, Reason

REFUSALS = {Reason.MALFORMED_REQUEST, Reason.INVALID_PARAMETER, Reason.PAYLOAD_TOO_LARGE}
names = st.text(string.ascii_letters + string.digits + "_-:.[]", min_size=1, max_size=64)
texts = st.text(st.characters(exclude_categories=["Cs"]))
uploads = st.builds(Upload, st.binary(), st.sampled_from(["", "image/png", "application/octet-stream"]))
boundaries = st.text(string.ascii_letters + string.digits + "'()+_,-./:=?", min_size=1, max_size=70)
# What tends to break parsers, in any order.
breakers = [
    b"--x",
    b"--",
    b"\r\n",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b'name="a"',
    b'filename="',
    b"; ",
    b'"',
    b"\\",
    b"\0",
    b"\xff",
]
openers = [b"Content-Disposition: form-data", b"Content-Type: ", b"multipart/mixed", b"x", b":"]
pieces = st.lists(st.sampled_from(breakers + openers) | st.binary(max_size=8)).map(b"".join)


def write(values: dict[str, str | Upload], boundary: str) -> bytes:
    """Write a body as browsers do."""
    body = b""
    for name, value in values.items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, str):
            body += b"\r\n\r\n" + value.encode()
        else:
            type_line = f"\r\nContent-Type: {value.content_type}" if value.content_type else ""
            body += f'; filename="f"{type_line}\r\n\r\n'.encode() + value.content
        body += b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


@given(st.dictionaries(names, texts | uploads, max_size=10), boundaries)
def test_a_form_arrives_as_sent(values: dict[str, str | Upload], boundary: str) -> None:
    mark = b"\r\n--" + boundary.encode()
    contents = (value.encode() if isinstance(value, str) else value.content for value in values.values())
    assume(not any(mark in b"\r\n" + content + b"\r\n" for content in contents))
    for content_type in (f"multipart/form-data; boundary={boundary}", f'multipart/form-data; boundary="{boundary}"'):
        assert multipart.parse(write(values, boundary), content_type) == values


@given(pieces)
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    for candidate in (body, b"--x\r\n" + body + b"\r\n--x--\r\n"):
        try:
            values = multipart.parse(candidate, "multipart/form-data; boundary=x")
        except GatepostError as exc:
            if exc.reason not in REFUSALS:
                raise
        else:
            assert all(name for name in values)


@given(st.text())
def test_any_type_is_taken_or_refused(content_type: str) -> None:
    for candidate in (
        content_type,
        f"multipart/form-data; {content_type}",
        f"multipart/form-data; boundary={content_type}",
    ):
        try:
            multipart.parse(b"--x--\r\n", candidate)
        except GatepostError as exc:
            if exc.reason is not Reason.MALFORMED_REQUEST:
                raise


@given(st.dictionaries(names, uploads, min_size=1, max_size=4), st.data())
def test_a_body_that_was_cut_short_is_refused(values: dict[str, str | Upload], data: st.DataObject) -> None:
    body = write(values, "a-boundary-that-is-not-in-there")
    cut = data.draw(st.integers(0, len(body) - len("--\r\n") - 1))
    with pytest.raises(GatepostError):
        multipart.parse(body[:cut], "multipart/form-data; boundary=a-boundary-that-is-not-in-there")
