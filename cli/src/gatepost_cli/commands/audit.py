"""`gatepost audit`: the trail of security-relevant acts."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest
from gatepost.auth.v1.operations_pb2 import AuditEvent, ListEventsRequest
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DEFAULT_PROJECT, DataDirOption, JsonOption, LimitOption, ProjectOption
from gatepost_cli.operate import Rpc, operate

audit = typer.Typer(help="Read the audit trail.", no_args_is_help=True, add_completion=False)
COLUMNS = ("time", "action", "outcome", "actor", "user_id", "project", "client_id", "address")
PAGE = 100
FOLLOW_SECONDS = 1.0


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


async def _events(rpc: Rpc, user_id: str, limit: int, after: int = 0) -> list[AuditEvent]:
    """Return the newest events with an id above `after`, newest first, at most `limit`."""
    found: list[AuditEvent] = []
    request = ListEventsRequest(user_id=user_id)
    while len(found) < limit:
        request.page_size = min(limit - len(found), PAGE)
        page = (await rpc.audit.ListEvents(request)).events
        newer = [event for event in page if event.id > after]
        found += newer
        if len(newer) < request.page_size:
            break
        request.before_id = found[-1].id
    return found


async def _follow(rpc: Rpc, user_id: str, limit: int) -> None:
    last = 0
    while True:
        for event in reversed(await _events(rpc, user_id, limit, after=last)):
            last = event.id
            fields = documents.event(event)
            console.output("  ".join(fields[name] for name in COLUMNS if fields[name]))
        await asyncio.sleep(FOLLOW_SECONDS)


async def _user_id(rpc: Rpc, user: str, project: str) -> str:
    try:
        return str(UUID(user))
    except ValueError:
        who = AccountRef(email=EmailRef(project=project, email=user))
        return (await rpc.accounts.GetAccount(GetAccountRequest(account=who))).account.user_id
