"""What a person reads while a command works (stderr), and the one JSON document that a program reads (stdout)."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from gatepost_cli.errors import CommandFailed

COLOURS = {
    "gatepost": "1",
    "postgres": "34",
    "valkey": "31",
    "notify-service": "33",
    "user-service": "36",
    "auth-service": "35",
    "gateway": "32",
}
NAME_WIDTH = 16
UNBOUNDED_WIDTH = 240  # of a file or a pipe: nothing is gained by folding
_progress: list[Callable[[str], None]] = []


def progress(message: str) -> None:
    """Tell the person what happens."""
    if _progress:
        _progress[-1](message)
    else:
        line("gatepost", message)


def redirect(write: Callable[[str], None]) -> None:
    """Send further progress somewhere else: a detached supervisor has no terminal."""
    _progress.append(write)


def line(name: str, text: str) -> None:
    """Print a line on stderr with its origin before it, in the origin's colour on a terminal.

    Where nobody reads any more, or nothing more can be written, it is lost: whoever works goes on.
    """
    prefix = f"{name:<{NAME_WIDTH}}|"
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        prefix = f"\033[{COLOURS.get(name.partition('.')[0], '37')}m{prefix}\033[0m"
    with suppress(OSError):
        print(prefix, text, file=sys.stderr, flush=True)  # noqa: T201  this module is the command's voice


def failed(message: str, details: Sequence[str], *, as_json: bool, facts: Mapping[str, Any]) -> None:
    """Tell why the command ends without success; the JSON document is `facts` with `error` added."""
    for detail in details:
        print(f"  {detail}", file=sys.stderr)  # noqa: T201
    print(f"gatepost: {message}", file=sys.stderr, flush=True)  # noqa: T201
    if as_json:
        document({"error": message, **facts})


@contextmanager
def telling_failures(*, as_json: bool) -> Iterator[None]:
    """Turn a CommandFailed of the block into one sentence and exit status 1."""
    try:
        yield
    except CommandFailed as failure:
        failed(failure.message, failure.details, as_json=as_json, facts=failure.facts)
        sys.exit(1)


def document(answer: Any) -> None:
    """Print the command's one JSON document."""
    print(json.dumps(answer, indent=2), flush=True)  # noqa: T201


def output(text: str) -> None:
    """Print a line of the answer on stdout."""
    print(text, flush=True)  # noqa: T201


def answer(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing: as the JSON document, or as a table; a thing inside a thing is shown by itself."""
    if as_json:
        document(fields)
    else:
        inner = next(iter(fields.values()))
        record(inner if isinstance(inner, Mapping) else fields)


def answers(name: str, things: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print several things: as a JSON document with the one member `name`, or `columns` of them as a table."""
    if as_json:
        document({name: things})
    elif things:
        listing(columns, things)
    else:
        progress(f"no {name}")


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Print labels and values as a table on stdout."""
    from rich.table import Table  # noqa: PLC0415  not needed before everything is ready

    shown = Table(show_header=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for row in rows:
        shown.add_row(*(_plain(cell) for cell in row))
    _print(shown)


def record(fields: Mapping[str, Any]) -> None:
    """Print one thing, a row for each of its fields that has a value."""
    table([(name.replace("_", " "), _cell(value)) for name, value in fields.items() if _cell(value)])


def listing(columns: Sequence[str], things: Sequence[Mapping[str, Any]]) -> None:
    """Print several things, a row for each; `columns` names the fields shown."""
    from rich.table import Table  # noqa: PLC0415

    shown = Table(header_style="bold")
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for thing in things:
        shown.add_row(*(_plain(_cell(thing[column])) for column in columns))
    _print(shown)


def _print(shown: Any) -> None:
    from rich.console import Console  # noqa: PLC0415

    Console(width=None if sys.stdout.isatty() else UNBOUNDED_WIDTH).print(shown)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_cell, value))
        case dict():
            return ", ".join(f"{name} {_cell(each)}" for name, each in value.items())
        case _:
            return str(value)


def _plain(text: str) -> str:
    """Return the text as rich prints it literally; control characters of other people's words are not passed on."""
    from rich.markup import escape  # noqa: PLC0415

    return escape("".join(character if character.isprintable() or character == "\n" else "?" for character in text))
