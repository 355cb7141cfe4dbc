"""CSV files of places: what is read, and how a mistake is reported."""

from pathlib import Path

import pytest

from gatepost.users.v1.locations_pb2 import Location
from gatepost_cli.commands.location import located, read
from gatepost_cli.errors import CommandFailed
from runtime.errors import GatepostError, Reason, Rule, Violation


def file_of(folder: Path, content: str | bytes) -> Path:
    file = folder / "places.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(CommandFailed) as caught:
        read(file_of(folder, content))
    return caught.value.message.removeprefix(f"{folder}/places.csv, ")


def test_places_are_read_with_their_lines(tmp_path: Path) -> None:
    content = 'id,name,parent_id\n1,Jawa Timur,\n\n2,"Surabaya, ""kota""",1\n3,"two\nlines",0\n4,Malang, 1\n'
    assert read(file_of(tmp_path, content)) == [
        (2, Location(id=1, name="Jawa Timur")),
        (4, Location(id=2, name='Surabaya, "kota"', parent_id=1)),
        (6, Location(id=3, name="two\nlines")),
        (7, Location(id=4, name="Malang", parent_id=1)),
    ]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfid,name\r\n1,K\xc3\xb6ln\r\n", b"id,name\n1,K\xc3\xb6ln"])
def test_a_byte_order_mark_and_lines_of_windows_are_taken(tmp_path: Path, content: bytes) -> None:
    assert read(file_of(tmp_path, content)) == [(2, Location(id=1, name="Köln"))]


def test_a_file_of_a_header_alone_has_no_places(tmp_path: Path) -> None:
    assert read(file_of(tmp_path, "id,name\n")) == []


@pytest.mark.parametrize("header", ["", "1,Bali\n", "id;name\n", "name,id\n", "id,name,parent\n", "ID,Name\n"])
def test_another_header_is_refused(tmp_path: Path, header: str) -> None:
    assert refusal(tmp_path, header).startswith("line 1: the first line must be")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("3", "there must be 3 values, not 1"),
        ("3,Bali,1,2", "there must be 3 values, not 4"),
        ("three,Bali,", "the id must be a whole number"),
        ("-3,Bali,", "the id must be a whole number"),
        ("٣,Bali,", "the id must be a whole number"),
        (f"{2**63},Bali,", "the id must be a whole number"),
        (f"{'9' * 5000},Bali,", "the id must be a whole number"),
        (",Bali,", "the id must be a whole number"),
        ("3,Bali,x", "the parent_id must be a whole number"),
        ("3, ,", "the name is empty"),
        ('3,"Ba"li,', "',' expected after '\"'"),
    ],
)
def test_a_line_that_is_no_place_is_named(tmp_path: Path, line: str, expected: str) -> None:
    assert refusal(tmp_path, f"id,name,parent_id\n1,Aceh,\n{line}\n4,Riau,\n") == f"line 3: {expected}"


def test_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "id,name\n1,Bonn\n2,Köln\n".encode("latin-1")) == "line 3: this is not UTF-8"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="cannot be read: No such file"):
        read(tmp_path / "places.csv")


def test_what_the_service_refuses_is_told_by_line() -> None:
    violations = (Violation("locations[1].parent_id", Rule.UNKNOWN, "The parent_id names no location."),)
    error = GatepostError(Reason.INVALID_PARAMETER, violations=violations)
    told = located(error, Path("places.csv"), [2, 5])
    assert str(told) == "nothing was imported: places.csv, line 5: The parent_id names no location"


def test_what_the_service_refuses_otherwise_is_told_as_it_is() -> None:
    error = GatepostError(Reason.UNAVAILABLE)
    assert located(error, Path("places.csv"), [2]) is error
