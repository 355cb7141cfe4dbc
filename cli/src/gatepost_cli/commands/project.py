"""`gatepost project`: the directories of users and their sign-in policies."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
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
from gatepost.users.v1.pictures_pb2 import CreatePictureRequest, DeletePictureRequest, PictureKind
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.errors import CommandFailed
from gatepost_cli.operate import Rpc, operate
from runtime.errors import GatepostError, Reason

project = typer.Typer(
    help="Make and change projects: directories of users.", no_args_is_help=True, add_completion=False
)
COLUMNS = ("name", "sign_in", "roles", "self_assignable_roles", "hosts", "disabled")
UNKNOWN_OUTCOMES = frozenset({Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.INTERNAL})


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
Dialects = Annotated[list[str], typer.Option("--dialect", help="A dialect that it serves, instead of all. Repeat.")]
StatusModes = Annotated[
    list[str],
    typer.Option(
        "--status-mode",
        metavar="DIALECT=MODE",
        help="How a dialect of its reports errors: `legacy` or `strict`; nothing for the dialect's own way. Repeat.",
    ),
]
Switches = Annotated[list[str], typer.Option("--switch", help="A switch of one dialect: DIALECT.NAME. Repeat.")]


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
    display_name: Annotated[str | None, typer.Option(help="Shown to people; empty for the project's name.")] = None,
    accent_color: Annotated[str | None, typer.Option(help="#rrggbb; empty for the house's.")] = None,
    logo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PNG, JPEG, WebP or GIF, at most 2 MiB.", dir_okay=False)
    ] = None,
    no_logo: Annotated[bool, typer.Option("--no-logo", help="It has no logo any more.")] = False,
    dialects: Dialects = [],  # noqa: B006
    all_dialects: Annotated[bool, typer.Option("--all-dialects", help="It serves every dialect again.")] = False,
    status_modes: StatusModes = [],  # noqa: B006
    switches: Switches = [],  # noqa: B006
    no_switches: Annotated[bool, typer.Option("--no-switches", help="Every switch is as by default again.")] = False,
    user_apps: Annotated[
        bool | None, typer.Option("--user-apps/--no-user-apps", help="Users may register apps of their own.")
    ] = None,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a project; lists replace what was there, what is not named stays."""
    request = UpdateProjectRequest(
        name=name,
        roles=roles,
        disabled=disabled,
        display_name=display_name,
        accent_color=accent_color,
        status_modes=_modes(status_modes),
        user_apps=user_apps,
    )
    if sign_in is not None:
        request.sign_in_policy = documents.POLICIES[sign_in]
    if self_assignable_roles or no_self_assignable_roles:
        request.self_assignable_roles.CopyFrom(StringList(values=self_assignable_roles))
    if hosts or no_hosts:
        request.hosts.CopyFrom(StringList(values=hosts))
    if dialects or all_dialects:
        request.dialects.CopyFrom(StringList(values=dialects))
    if switches or no_switches:
        request.switches.CopyFrom(StringList(values=switches))
    content = _content(logo) if logo is not None else b""

    async def work(rpc: Rpc) -> Project:
        if content or no_logo:
            return await _with_logo(rpc, request, content)
        return (await rpc.projects.UpdateProject(request)).project

    console.answer(documents.project(operate(folder, work)), as_json=as_json)


async def _with_logo(rpc: Rpc, request: UpdateProjectRequest, content: bytes) -> Project:
    """Change a project and its logo (empty for none); of the pictures, only the one that it has then is left."""
    before = (await rpc.projects.GetProject(GetProjectRequest(name=request.name))).project.logo_picture
    request.logo_picture = ""
    if content:
        wanted = CreatePictureRequest(kind=PictureKind.PICTURE_KIND_ICON, content=content)
        request.logo_picture = (await rpc.pictures.CreatePicture(wanted)).id
    try:
        changed = (await rpc.projects.UpdateProject(request)).project
    except GatepostError as error:
        if error.reason in UNKNOWN_OUTCOMES:  # the project may show it already
            raise
        await rpc.pictures.DeletePicture(DeletePictureRequest(id=request.logo_picture))
        raise
    await rpc.pictures.DeletePicture(DeletePictureRequest(id=before))
    return changed


def _modes(said: Sequence[str]) -> dict[str, str]:
    modes: dict[str, str] = {}
    for each in said:
        dialect, equals, mode = each.partition("=")
        if not (dialect and equals):
            raise typer.BadParameter(f"{each} is not DIALECT=MODE", param_hint="--status-mode")
        modes[dialect] = mode
    return modes


def _content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from error
    if not content:
        raise CommandFailed(f"{file} is empty")
    return content
