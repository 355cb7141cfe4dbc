"""`gatepost location`: the places that users can say they are at."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gatepost.users.v1.locations_pb2 import (
    ImportLocationsRequest,
    ImportLocationsResponse,
    ListLocationsRequest,
    Location,
)
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.errors import CommandFailed
from gatepost_cli.operate import Rpc, operate
from runtime.errors import GatepostError

location = typer.Typer(help="List and import places.", no_args_is_help=True, add_completion=False)
COLUMNS = ("id", "name", "parent_id", "parent_name")
HEADERS = (["id", "name"], ["id", "name", "parent_id"])
HIGHEST_ID = 2**63 - 1
AT_FAULT = re.compile(r"locations\[(\d+)\]\.\w+")
Numbered = tuple[int, Location]


@location.command("import")
def import_file(
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="UTF-8, first line `id,name` or `id,name,parent_id`.")
    ],
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add places, and change those whose id is known; all or none. No place is ever taken away."""
    rows = read(file)
    request = ImportLocationsRequest(locations=[row for _, row in rows])

    async def work(rpc: Rpc) -> ImportLocationsResponse:
        try:
            return await rpc.locations.ImportLocations(request)
        except GatepostError as error:
            raise located(error, file, [line for line, _ in rows]) from error

    done = operate(folder, work)
    unchanged = len(rows) - done.added - done.changed
    console.answer({"added": done.added, "changed": done.changed, "unchanged": unchanged}, as_json=as_json)


@location.command("list")
def list_all(
    *,
    parent: Annotated[int, typer.Option(min=0, help="Only the places in the one with this id.")] = 0,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the places by id."""

    async def work(rpc: Rpc) -> list[Location]:
        found: list[Location] = []
        request = ListLocationsRequest(parent_id=parent)
        while True:
            page = await rpc.locations.ListLocations(request)
            found += page.locations
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    places = [documents.location(each) for each in operate(folder, work)]
    console.answers("locations", places, COLUMNS, as_json=as_json)


def read(file: Path) -> list[Numbered]:
    """Return the places of a CSV file, each with its line.

    Raises:
        CommandFailed: The file cannot be read, is not UTF-8, or a line is none of a place.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandFailed(f"{file}, line {line}: this is not UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Numbered] = []
    try:
        header = next(reader, [])
        if header not in HEADERS:
            raise CommandFailed(f"{file}, line 1: the first line must be `id,name` or `id,name,parent_id`")
        rows = [(reader.line_num, _place(row, len(header))) for row in reader if row]
    except (csv.Error, ValueError) as error:
        raise CommandFailed(f"{file}, line {reader.line_num}: {error}") from error
    return rows


def located(error: GatepostError, file: Path, lines: Sequence[int]) -> Exception:
    """Return the failure that names the lines at fault; the error itself when it names none."""
    found = [(AT_FAULT.fullmatch(violation.field), violation.description) for violation in error.violations]
    sentences = [f"{file}, line {lines[int(match[1])]}: {text.rstrip('.')}" for match, text in found if match]
    if not sentences:
        return error
    return CommandFailed(f"nothing was imported: {'; '.join(sentences)}", facts={"reason": error.reason.value})


def _place(row: Sequence[str], columns: int) -> Location:
    if len(row) != columns:
        raise ValueError(f"there must be {columns} values, not {len(row)}")
    number, name, *parent = row
    if not name.strip():
        raise ValueError("the name is empty")
    parent_id = _number("parent_id", parent[0]) if parent and parent[0].strip() else 0
    return Location(id=_number("id", number), name=name, parent_id=parent_id)


def _number(column: str, text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()) or int(digits[:20]) > HIGHEST_ID:
        raise ValueError(f"the {column} must be a whole number")
    return int(digits)
