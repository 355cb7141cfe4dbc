"""`gatepost user`: accounts as an operator sees them, each with its profile."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from gatepost.auth.v1.accounts_pb2 import (
    Account,
    AccountRef,
    AccountState,
    CreateAccountRequest,
    DeleteAccountRequest,
    EmailRef,
    GetAccountRequest,
    ListAccountsRequest,
    NewProfile,
    SetAccountStateRequest,
    SetRoleRequest,
)
from gatepost.auth.v1.tokens_pb2 import EndAllSessionsRequest
from gatepost.users.v1.profiles_pb2 import BatchGetProfilesRequest
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DEFAULT_PROJECT, DataDirOption, JsonOption, LimitOption, ProjectOption
from gatepost_cli.errors import CommandFailed
from gatepost_cli.operate import Rpc, operate

user = typer.Typer(help="Make, show and change users.", no_args_is_help=True, add_completion=False)
COLUMNS = ("email", "username", "state", "role", "verified", "number", "first_name", "last_name", "created_at")
PAGE = 100
FROM_STDIN = "-"
Person = Annotated[str, typer.Argument(metavar="EMAIL", help="His address, or his id.", show_default=False)]
Step = Callable[[Rpc, AccountRef], Awaitable[Account]]


@user.command()
def create(
    *,
    email: Annotated[str, typer.Argument(help="His address.", show_default=False)],
    project: ProjectOption = DEFAULT_PROJECT,
    password: Annotated[
        str, typer.Option(help="8 to 256 characters; `-` reads it from stdin, out of sight; none when left out.")
    ] = "",
    username: Annotated[str, typer.Option(help="5 to 64 letters and digits.")] = "",
    first_name: Annotated[str, typer.Option()] = "",
    last_name: Annotated[str, typer.Option()] = "",
    phone: Annotated[str, typer.Option()] = "",
    role: Annotated[str, typer.Option(help="One of the project's roles; default: its first.")] = "",
    unverified: Annotated[bool, typer.Option("--unverified", help="He has yet to prove his address.")] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a user."""
    request = CreateAccountRequest(
        user_id=str(uuid4()),
        project=project,
        email=email,
        password=_from_stdin() if password == FROM_STDIN else password,
        username=username,
        role=role,
        unverified=unverified,
        profile=NewProfile(first_name=first_name, last_name=last_name, phone=phone),
    )

    async def work(rpc: Rpc) -> documents.Document:
        account = (await rpc.accounts.CreateAccount(request)).account
        return (await _with_profiles(rpc, [account]))[0]

    console.answer({"user": operate(folder, work)}, as_json=as_json)


@user.command("list")
def list_newest(
    *,
    project: ProjectOption = DEFAULT_PROJECT,
    limit: LimitOption = PAGE,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the users of a project, newest first."""

    async def work(rpc: Rpc) -> list[documents.Document]:
        found: list[documents.Document] = []
        request = ListAccountsRequest(project=project)
        while True:
            request.page_size = min(limit - len(found), PAGE)
            page = await rpc.accounts.ListAccounts(request)
            found += await _with_profiles(rpc, list(page.accounts))
            if not page.next_page_token or len(found) >= limit:
                return found
            request.page_token = page.next_page_token

    console.answers("users", operate(folder, work), COLUMNS, as_json=as_json)


@user.command()
def show(
    *,
    email: Person,
    project: ProjectOption = DEFAULT_PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one user."""

    async def step(rpc: Rpc, who: AccountRef) -> Account:
        return (await rpc.accounts.GetAccount(GetAccountRequest(account=who))).account

    _one(email, project, folder, step, as_json=as_json)


@user.command()
def role(
    *,
    email: Person,
    name: Annotated[str, typer.Argument(metavar="ROLE", help="One of the project's roles.", show_default=False)],
    project: ProjectOption = DEFAULT_PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a user a role; in force for the next request of every token."""

    async def step(rpc: Rpc, who: AccountRef) -> Account:
        return (await rpc.accounts.SetRole(SetRoleRequest(account=who, role=name))).account

    _one(email, project, folder, step, as_json=as_json)


@user.command()
def disable(
    *,
    email: Person,
    project: ProjectOption = DEFAULT_PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a user's account and end his sessions at once."""
    _one(email, project, folder, _into(AccountState.ACCOUNT_STATE_DISABLED), as_json=as_json)


@user.command()
def enable(
    *,
    email: Person,
    project: ProjectOption = DEFAULT_PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a user's account again; a pending one counts as proven from then on."""
    _one(email, project, folder, _into(AccountState.ACCOUNT_STATE_ACTIVE), as_json=as_json)


@user.command("sign-out")
def sign_out(
    *,
    email: Person,
    project: ProjectOption = DEFAULT_PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End every session of a user at once."""

    async def step(rpc: Rpc, who: AccountRef) -> Account:
        await rpc.tokens.EndAllSessions(EndAllSessionsRequest(account=who))
        return (await rpc.accounts.GetAccount(GetAccountRequest(account=who))).account

    _one(email, project, folder, step, as_json=as_json)


@user.command()
def delete(
    *,
    email: Person,
    project: ProjectOption = DEFAULT_PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a user for good: account, credentials, sessions and profile. Answers with what he was."""

    async def work(rpc: Rpc) -> documents.Document:
        who = _reference(email, project)
        account = (await rpc.accounts.GetAccount(GetAccountRequest(account=who))).account
        (was,) = await _with_profiles(rpc, [account])
        await rpc.accounts.DeleteAccount(DeleteAccountRequest(account=who))
        return was

    console.answer({"user": operate(folder, work)}, as_json=as_json)


def _one(email: str, project: str, folder: Path | None, step: Step, *, as_json: bool) -> None:
    async def work(rpc: Rpc) -> documents.Document:
        return (await _with_profiles(rpc, [await step(rpc, _reference(email, project))]))[0]

    console.answer({"user": operate(folder, work)}, as_json=as_json)


def _into(state: AccountState.ValueType) -> Step:
    async def step(rpc: Rpc, who: AccountRef) -> Account:
        return (await rpc.accounts.SetAccountState(SetAccountStateRequest(account=who, state=state))).account

    return step


def _reference(person: str, project: str) -> AccountRef:
    try:
        return AccountRef(user_id=str(UUID(person)))
    except ValueError:
        return AccountRef(email=EmailRef(project=project, email=person))


async def _with_profiles(rpc: Rpc, accounts: list[Account]) -> list[documents.Document]:
    if not accounts:
        return []
    request = BatchGetProfilesRequest(user_ids=[account.user_id for account in accounts])
    profiles = {profile.user_id: profile for profile in (await rpc.profiles.BatchGetProfiles(request)).profiles}
    return [documents.user(account, profiles.get(account.user_id)) for account in accounts]


def _from_stdin() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandFailed("no password on stdin")
    return password
