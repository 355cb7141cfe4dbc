"""`gatepost audit`: the trail of security-relevant acts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp

from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest
from gatepost.auth.v1.operations_pb2 import AuditEvent, ExportEventsRequest, GetKeySetRequest, ListEventsRequest
from gatepost_cli import console, documents, exported
from gatepost_cli.commands.options import DEFAULT_PROJECT, DataDirOption, JsonOption, LimitOption, ProjectOption
from gatepost_cli.errors import CommandFailed
from gatepost_cli.operate import Rpc, operate
from runtime import status
from runtime.context import current

audit = typer.Typer(help="Read, export and verify the audit trail.", no_args_is_help=True, add_completion=False)
COLUMNS = ("time", "action", "outcome", "actor", "user_id", "project", "client_id", "address")
PAGE = 100
FOLLOW_SECONDS = 1.0
COMMITTED = timedelta(seconds=20)  # twice what a request may take: its event has an id late, and is committed later


@audit.callback()
def trail() -> None:
    """Read the audit trail."""


@audit.command()
def tail(
    *,
    user: Annotated[str, typer.Option(help="Only what concerns this user: his address or id.")] = "",
    project: ProjectOption = DEFAULT_PROJECT,
    limit: LimitOption = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C, a line for each event.")] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the latest events, newest first."""
    if follow and as_json:
        raise typer.BadParameter("--follow has no end, and --json is one document; choose one of them")

    async def work(rpc: Rpc) -> list[AuditEvent]:
        user_id = await _user_id(rpc, user, project) if user else ""
        if follow:
            await _follow(rpc, user_id, limit)
        return await _events(rpc, user_id, limit)

    try:
        found = operate(folder, work)
    except KeyboardInterrupt:  # how --follow ends
        return
    console.answers("events", [documents.event(each) for each in found], COLUMNS, as_json=as_json)


@audit.command()
def export(
    *,
    output: Annotated[Path, typer.Option("--output", help="File to write.", show_default=False)],
    since: Annotated[str, typer.Option(help="Only events from this time on: 2026-01-31, 2026-01-31T12:00:00Z.")] = "",
    until: Annotated[str, typer.Option(help="Only events before this time; default: now.")] = "",
    action: Annotated[str, typer.Option(help="Only of this action, as session.create.")] = "",
    project: Annotated[str, typer.Option(help="Only of this project.")] = "",
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write events to a file, oldest first, as JSON Lines; the last line signs those before it."""
    request = ExportEventsRequest(action=action, project=project)
    for name, given in (("since", since), ("until", until)):
        if given:
            getattr(request, name).CopyFrom(_time(name, given))

    async def work(rpc: Rpc) -> str:
        await exported.write(output, _lines(rpc, request))
        return (await rpc.key_sets.GetKeySet(GetKeySetRequest())).key_set

    _tell(output, operate(folder, work), as_json=as_json)


@audit.command()
def verify(
    *,
    file: Annotated[Path, typer.Argument(help="An exported file.", show_default=False)],
    key_set: Annotated[
        Path | None,
        typer.Option("--key-set", help="File with the keys as published then; default: the keys published now."),
    ] = None,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that an exported file is whole, unchanged, and signed by one of our keys."""

    async def work(rpc: Rpc) -> str:
        return (await rpc.key_sets.GetKeySet(GetKeySetRequest())).key_set

    try:
        keys = key_set.read_text(encoding="utf-8") if key_set else operate(folder, work)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{key_set} cannot be read") from error
    _tell(file, keys, as_json=as_json)


def _tell(path: Path, keys: str, *, as_json: bool) -> None:
    """Check a file and tell what it holds."""
    found = exported.check(path, keys)
    facts = {"file": str(path), "valid": True, "key": found.key, **found.export, "events": found.events}
    console.answer(facts, as_json=as_json)


async def _lines(rpc: Rpc, request: ExportEventsRequest) -> AsyncIterator[bytes]:
    metadata = (*rpc.credential("auth-service"), ("gatepost-request-id", current().request_id))
    try:
        async for part in rpc.audit.ExportEvents(request, metadata=metadata):
            yield part.lines
    except grpc.aio.AioRpcError as error:
        raise status.decode(error.code(), status.details_of(error)) from None


def _time(name: str, given: str) -> Timestamp:
    found = Timestamp()
    try:
        time = datetime.fromisoformat(given)
        found.FromDatetime(time.astimezone(UTC) if time.tzinfo else time)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"--{name} is a date or a time as in 2026-01-31T12:00:00Z") from None
    return found


async def _newest(rpc: Rpc, user_id: str) -> AsyncIterator[AuditEvent]:
    """Yield events, newest first."""
    request = ListEventsRequest(user_id=user_id, page_size=PAGE)
    while page := (await rpc.audit.ListEvents(request)).events:
        for event in page:
            yield event
        request.before_id = page[-1].id


async def _events(rpc: Rpc, user_id: str, limit: int) -> list[AuditEvent]:
    """Return the newest events, newest first, at most `limit`."""
    found: list[AuditEvent] = []
    async for event in _newest(rpc, user_id):
        found.append(event)
        if len(found) == limit:
            break
    return found


async def _follow(rpc: Rpc, user_id: str, limit: int) -> None:
    """Print the newest events, and from then on each that comes, once.

    An event has its time and id before it is committed, so what is younger than others by no more than COMMITTED is
    read again: there may be one more among them.
    """
    settled, told = 0, set[int]()
    most: int | None = limit
    while True:
        young: list[AuditEvent] = []
        async for event in _newest(rpc, user_id):
            if event.id <= settled:
                break
            young.append(event)
            if len(young) >= (most or 0) and young[0].time.ToDatetime() - event.time.ToDatetime() > COMMITTED:
                settled = event.id
                break
        fresh = [event for event in young if event.id not in told]
        for event in reversed(fresh[:most]):
            fields = documents.event(event)
            console.output("  ".join(fields[name] for name in COLUMNS if fields[name]))
        told, most = {event.id for event in young}, None
        await asyncio.sleep(FOLLOW_SECONDS)


async def _user_id(rpc: Rpc, user: str, project: str) -> str:
    try:
        return str(UUID(user))
    except ValueError:
        who = AccountRef(email=EmailRef(project=project, email=user))
        return (await rpc.accounts.GetAccount(GetAccountRequest(account=who))).account.user_id
