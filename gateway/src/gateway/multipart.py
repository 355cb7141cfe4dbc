"""multipart/form-data (RFC 7578) from bytes, for routes that take a file, or parameters wherever they stand.

What two readers could read differently is refused: a part without a name or with one that was there, parts within
parts, encodings, text around the parts. `call.Call` calls it, for routes that say `Takes.UPLOAD` or
`Takes.QUERY_AND_BODY` alone; `fields` checks the values. It never looks into a file, and keeps nothing of what the
client says of one but its type.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from gateway.params import Values, refuse_twice
from runtime.errors import GatepostError, Reason

_MAX_PARTS = 100
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 1024
# What all texts together may take: as much as the body of a request without files.
_MAX_TEXT_BYTES = 65_536
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046 section 5.1.1
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_DISPOSITION = re.compile(r'form-data((?:\s*;\s*[a-z*]{1,10}=(?:"(?:[^"\\]|\\.)*"|[^\s";,\\]+))+)\s*', re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z*]{1,10})=(?:"((?:[^"\\]|\\.)*)"|([^\s";,\\]+))', re.IGNORECASE)
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent.

    Args:
        content: Its bytes; empty when a form was sent without choosing one.
        content_type: What the client calls it, in lower case; empty if it says nothing. Not to be believed.
    """

    content: bytes = field(repr=False)
    content_type: str


class _Part(NamedTuple):
    name: str
    value: str | Upload


def is_multipart(content_type: str) -> bool:
    """Say whether the Content-Type header names any multipart type."""
    return content_type.lstrip()[:10].lower() == "multipart/"


def parse(body: bytes, content_type: str) -> Values:
    """Take a body apart; values are strings, and `Upload` for what has a file name.

    Args:
        body: As received.
        content_type: The header, with the boundary.

    Raises:
        GatepostError: INVALID_PARAMETER for names given twice, MALFORMED_REQUEST for all else.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    before, *pieces = (b"\r\n" + body).split(delimiter, _MAX_PARTS + 1)
    if before or not pieces or pieces.pop() not in {b"--", b"--\r\n"}:
        _refuse("the parts do not begin and end as they must")
    parts = [_parse_part(piece) for piece in pieces]
    if sum(len(part.value) for part in parts if isinstance(part.value, str)) > _MAX_TEXT_BYTES:
        raise GatepostError(Reason.PAYLOAD_TOO_LARGE, "the texts are too long")
    values = {part.name: part.value for part in parts}
    if len(values) != len(parts):
        refuse_twice([part.name for part in parts])
    return values


def _boundary(content_type: str) -> bytes:
    media_type, *parameters = (piece.strip() for piece in content_type.split(";"))
    given = {name.lower(): value for name, _, value in (piece.partition("=") for piece in parameters)}
    boundary = given.get("boundary", "")
    if boundary[:1] == '"' == boundary[-1:]:
        boundary = boundary[1:-1]
    if (
        media_type.lower() != "multipart/form-data"
        or len(given) != len(parameters)
        or not given.keys() <= {"boundary", "charset"}
        or given.get("charset", "utf-8").lower() != "utf-8"
        or not _BOUNDARY.fullmatch(boundary)
    ):
        _refuse("the type of the body cannot be read")
    return boundary.encode()


def _parse_part(piece: bytes) -> _Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank or head[:2] != b"\r\n":
        _refuse("a part has no headers")
    headers = _parse_headers(head[2:])
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        _refuse("a part is encoded")
    content_type = headers.get("content-type", "").lower()
    if is_multipart(content_type):
        _refuse("a part has parts")
    disposition = _parse_disposition(headers.get("content-disposition", ""))
    if "filename" in disposition:
        return _Part(disposition["name"], Upload(content, content_type))
    try:
        return _Part(disposition["name"], content.decode("utf-8"))
    except UnicodeDecodeError:
        _refuse("a text is not UTF-8")


def _parse_headers(head: bytes) -> dict[str, str]:
    lines = head.split(b"\r\n", _MAX_HEADERS)
    if len(lines) > _MAX_HEADERS or len(head) > _MAX_HEADERS * _MAX_HEADER_BYTES:
        _refuse("a part has too many headers")
    try:
        matches = [_HEADER.fullmatch(line.decode("utf-8")) for line in lines]
    except UnicodeDecodeError:
        _refuse("a header of a part is not UTF-8")
    headers = {match[1].lower(): match[2].strip() for match in matches if match}
    if len(headers) != len(lines):
        _refuse("a header of a part is broken or given twice")
    return headers


def _parse_disposition(header: str) -> dict[str, str]:
    """Return `name`, and `filename` if it is there in any form; its value does not matter."""
    match = _DISPOSITION.fullmatch(header)
    found = _PARAMETER.findall(match[1]) if match else []
    given = {name.lower().rstrip("*"): quoted or token for name, quoted, token in found}
    # `filename` and `filename*` may stand side by side (RFC 6266 section 4.3); nothing else may be there twice.
    names = [name.lower() for name, _, _ in found]
    if not given.get("name") or "\\" in given["name"] or "name*" in names or len(set(names)) != len(names):
        _refuse("a part has no plain name")
    if not given.keys() <= {"name", "filename"}:
        _refuse("a part says more than its name")
    return given


def _refuse(message: str) -> NoReturn:
    raise GatepostError(Reason.MALFORMED_REQUEST, message)
