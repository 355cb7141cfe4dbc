"""`gatepost app`: the clients of a project and their secrets."""

from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer

from gatepost.auth.v1.apps_pb2 import (
    App,
    AppType,
    CreateAppRequest,
    CreateAppResponse,
    CreateAppSecretRequest,
    CreateAppSecretResponse,
    GetAppRequest,
    ListAppsRequest,
    RevokeAppSecretRequest,
    UpdateAppRequest,
)
from gatepost.auth.v1.projects_pb2 import StringList
from gatepost_cli import console, documents
from gatepost_cli.commands.options import (
    DEFAULT_PROJECT,
    DataDirOption,
    JsonOption,
    ProjectOption,
    StatusMode,
    StatusModeOption,
)
from gatepost_cli.operate import Rpc, operate

app = typer.Typer(help="Make and change apps: the clients of a project.", no_args_is_help=True, add_completion=False)
secret = typer.Typer(help="Change the secrets of an app.", no_args_is_help=True, add_completion=False)
app.add_typer(secret, name="secret")
COLUMNS = ("client_id", "name", "type", "redirect_urls", "scopes", "origins", "disabled")


class Type(StrEnum):
    """Whether an app can keep a secret."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"


TYPES = {Type.CONFIDENTIAL: AppType.APP_TYPE_CONFIDENTIAL, Type.PUBLIC: AppType.APP_TYPE_PUBLIC}
ClientId = Annotated[str, typer.Argument(help="The app's client_id.", show_default=False)]
RedirectUrls = Annotated[
    list[str], typer.Option("--redirect-url", help="A URL that people are sent back to; compared exactly. Repeat.")
]
Scopes = Annotated[list[str], typer.Option("--scope", help="A scope that the app may ask for. Repeat.")]
Origins = Annotated[
    list[str], typer.Option("--origin", help="A browser origin that may call: scheme://host[:port]. Repeat.")
]
Description = Annotated[str, typer.Option(help="What it is for; at most 200 characters.")]
Website = Annotated[str, typer.Option(help="Where people find it: an http or https URL.")]


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="Shown to people.", show_default=False)],
    project: ProjectOption = DEFAULT_PROJECT,
    kind: Annotated[Type, typer.Option("--type", help="Whether it can keep a secret.")] = Type.CONFIDENTIAL,
    redirect_urls: RedirectUrls = [],  # noqa: B006  never changed
    scopes: Scopes = [],  # noqa: B006
    origins: Origins = [],  # noqa: B006
    plain_pkce: Annotated[bool, typer.Option("--plain-pkce", help="Accept PKCE method `plain`.")] = False,
    description: Description = "",
    website: Website = "",
    status_mode: StatusModeOption = StatusMode.PROJECT,
    query_secret: Annotated[
        bool, typer.Option("--query-secret/--no-query-secret", help="Accept its secret in a query string.")
    ] = True,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an app; its secret is shown now and never again."""
    request = CreateAppRequest(
        id=str(uuid4()),
        project=project,
        name=name,
        type=TYPES[kind],
        redirect_urls=redirect_urls,
        scopes=scopes,
        origins=origins,
        allow_plain_pkce=plain_pkce,
        description=description,
        website=website,
        status_mode=status_mode.wire,
        allow_query_secret=query_secret,
    )

    async def work(rpc: Rpc) -> CreateAppResponse:
        return await rpc.apps.CreateApp(request)

    made = operate(folder, work)
    value = {"client_secret": made.client_secret, "app_secret": made.client_secret}
    console.answer(value | documents.app(made.app), as_json=as_json)


@app.command("list")
def list_all(
    *, project: ProjectOption = DEFAULT_PROJECT, folder: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """List the apps of a project, oldest first."""

    async def work(rpc: Rpc) -> list[App]:
        found: list[App] = []
        request = ListAppsRequest(project=project)
        while True:
            page = await rpc.apps.ListApps(request)
            found += page.apps
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    console.answers("apps", [documents.app(each) for each in operate(folder, work)], COLUMNS, as_json=as_json)


@app.command()
def show(*, client_id: ClientId, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show one app, its secrets by their last four characters."""

    async def work(rpc: Rpc) -> App:
        return (await rpc.apps.GetApp(GetAppRequest(client_id=client_id))).app

    console.answer(documents.app(operate(folder, work)), as_json=as_json)


@app.command()
def update(
    *,
    client_id: ClientId,
    name: Annotated[str | None, typer.Option(help="Shown to people.")] = None,
    redirect_urls: RedirectUrls = [],  # noqa: B006
    scopes: Scopes = [],  # noqa: B006
    origins: Origins = [],  # noqa: B006
    plain_pkce: Annotated[
        bool | None, typer.Option("--plain-pkce/--no-plain-pkce", help="Accept PKCE method `plain`.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for; at most 200 characters.")] = None,
    website: Annotated[str | None, typer.Option(help="Where people find it: an http or https URL.")] = None,
    status_mode: Annotated[
        StatusMode | None,
        typer.Option(
            "--status-mode", help="HTTP status of errors: always 200, as old clients want, or what they mean."
        ),
    ] = None,
    query_secret: Annotated[
        bool | None, typer.Option("--query-secret/--no-query-secret", help="Accept its secret in a query string.")
    ] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Disabling ends the app's sessions at once.")
    ] = None,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an app; lists replace what was there, what is not named stays."""
    request = UpdateAppRequest(
        client_id=client_id,
        name=name,
        disabled=disabled,
        allow_plain_pkce=plain_pkce,
        redirect_urls=StringList(values=redirect_urls) if redirect_urls else None,
        origins=StringList(values=origins) if origins else None,
        scopes=StringList(values=scopes) if scopes else None,
        description=description,
        website=website,
        status_mode=None if status_mode is None else status_mode.wire,
        allow_query_secret=query_secret,
    )

    async def work(rpc: Rpc) -> App:
        return (await rpc.apps.UpdateApp(request)).app

    console.answer(documents.app(operate(folder, work)), as_json=as_json)


@secret.command()
def rotate(
    *,
    client_id: ClientId,
    at_once: Annotated[bool, typer.Option("--at-once", help="End the secrets before it now, not later.")] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a secret, shown now and never again; those before keep working until they are revoked."""

    async def work(rpc: Rpc) -> CreateAppSecretResponse:
        before = (await rpc.apps.GetApp(GetAppRequest(client_id=client_id))).app.secrets
        made = await rpc.apps.CreateAppSecret(CreateAppSecretRequest(client_id=client_id))
        for each in before if at_once else ():
            await rpc.apps.RevokeAppSecret(RevokeAppSecretRequest(client_id=client_id, secret_id=each.id))
        return made

    made = operate(folder, work)
    value = made.client_secret
    ids = {"app_id": client_id, "client_id": client_id, "client_secret": value, "app_secret": value}
    console.answer(ids | {"secret": documents.secret(made.secret)}, as_json=as_json)


@secret.command()
def revoke(
    *,
    client_id: ClientId,
    secret_id: Annotated[str, typer.Argument(help="The secret's id, as `app show` says.", show_default=False)],
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a secret at once."""

    async def work(rpc: Rpc) -> App:
        await rpc.apps.RevokeAppSecret(RevokeAppSecretRequest(client_id=client_id, secret_id=secret_id))
        return (await rpc.apps.GetApp(GetAppRequest(client_id=client_id))).app

    console.answer(documents.app(operate(folder, work)), as_json=as_json)
