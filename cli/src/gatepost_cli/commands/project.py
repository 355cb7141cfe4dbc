"""`gatepost project`: the directories of users and their sign-in policies."""

from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer

from gatepost.auth.v1.projects_pb2 import (
    CreateProjectRequest,
    GetProjectRequest,
    ListProjectsRequest,
    Project,
    StringList,
    UpdateProjectRequest,
)
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.operate import Rpc, operate

project = typer.Typer(
    help="Make and change projects: directories of users.", no_args_is_help=True, add_completion=False
)
COLUMNS = ("name", "sign_in", "roles", "self_assignable_roles", "hosts", "disabled")


class SignIn(StrEnum):
    """What a person must show to sign in."""

    NONE = "none"
    OTP = "otp"
    TWO_STEP = "two-step"


Name = Annotated[str, typer.Argument(help="Name of the project.", show_default=False)]
Roles = Annotated[list[str], typer.Option("--role", help="A role users can hold; the first is a new user's. Repeat.")]
SelfAssignable = Annotated[
    list[str], typer.Option("--self-assignable-role", help="A role users may give to themselves. Repeat.")
]
Hosts = Annotated[list[str], typer.Option("--host", help="A host name that the project answers for. Repeat.")]


@project.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9 and hyphen.", show_default=False)],
    sign_in: Annotated[SignIn, typer.Option(help="What it takes to sign in.")] = SignIn.NONE,
    roles: Roles = [],  # noqa: B006  never changed
    self_assignable_roles: SelfAssignable = [],  # noqa: B006
    hosts: Hosts = [],  # noqa: B006
    password_min_length: Annotated[int, typer.Option(min=8, max=64, help="Shortest password, in characters.")] = 8,
    plain_pkce: Annotated[bool, typer.Option("--plain-pkce", help="Let clients name PKCE method `plain`.")] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project."""
    request = CreateProjectRequest(
        id=str(uuid4()),
        name=name,
        sign_in_policy=documents.POLICIES[sign_in],
        roles=roles,
        self_assignable_roles=self_assignable_roles,
        hosts=hosts,
        password_min_length=password_min_length,
        allow_plain_pkce=plain_pkce,
    )

    async def work(rpc: Rpc) -> Project:
        return (await rpc.projects.CreateProject(request)).project

    console.answer(documents.project(operate(folder, work)), as_json=as_json)


@project.command("list")
def list_all(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """List all projects by name."""

    async def work(rpc: Rpc) -> list[Project]:
        found: list[Project] = []
        request = ListProjectsRequest()
        while True:
            page = await rpc.projects.ListProjects(request)
            found += page.projects
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    console.answers("projects", [documents.project(each) for each in operate(folder, work)], COLUMNS, as_json=as_json)


@project.command()
def show(*, name: Name = "default", folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show one project."""

    async def work(rpc: Rpc) -> Project:
        return (await rpc.projects.GetProject(GetProjectRequest(name=name))).project

    console.answer(documents.project(operate(folder, work)), as_json=as_json)


@project.command()
def update(
    *,
    name: Name,
    sign_in: Annotated[SignIn | None, typer.Option(help="What it takes to sign in.")] = None,
    roles: Roles = [],  # noqa: B006
    self_assignable_roles: SelfAssignable = [],  # noqa: B006
    no_self_assignable_roles: Annotated[
        bool, typer.Option("--no-self-assignable-roles", help="Users give themselves no role any more.")
    ] = False,
    hosts: Hosts = [],  # noqa: B006
    no_hosts: Annotated[bool, typer.Option("--no-hosts", help="It answers for no host name any more.")] = False,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="A disabled project refuses every client.")
    ] = None,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a project; lists replace what was there, what is not named stays."""
    request = UpdateProjectRequest(name=name, roles=roles, disabled=disabled)
    if sign_in is not None:
        request.sign_in_policy = documents.POLICIES[sign_in]
    if self_assignable_roles or no_self_assignable_roles:
        request.self_assignable_roles.CopyFrom(StringList(values=self_assignable_roles))
    if hosts or no_hosts:
        request.hosts.CopyFrom(StringList(values=hosts))

    async def work(rpc: Rpc) -> Project:
        return (await rpc.projects.UpdateProject(request)).project

    console.answer(documents.project(operate(folder, work)), as_json=as_json)
