"""`gatepost key`: the API keys of servers that act for a whole project."""

from typing import Annotated
from uuid import uuid4

import typer

from gatepost.auth.v1.apps_pb2 import (
    ApiKey,
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    ListApiKeysRequest,
    RevokeApiKeyRequest,
)
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

key = typer.Typer(
    help="Make and end API keys: they stand for a whole project.", no_args_is_help=True, add_completion=False
)
COLUMNS = ("id", "scopes", "hint", "created_at")


@key.command()
def create(
    *,
    project: ProjectOption = DEFAULT_PROJECT,
    scopes: Annotated[
        list[str],
        typer.Option("--scope", help="What it may do; user:authenticate and user:read when none is named. Repeat."),
    ] = [],  # noqa: B006  never changed
    networks: Annotated[
        list[str], typer.Option("--network", help="An address or CIDR that it may be used from; any if none. Repeat.")
    ] = [],  # noqa: B006
    bypass_second_factor: Annotated[
        bool, typer.Option("--bypass-second-factor", help="Sign users in whom the project asks for a second step.")
    ] = False,
    query_credentials: Annotated[
        bool,
        typer.Option("--query-credentials/--no-query-credentials", help="Accept it and passwords in a query string."),
    ] = True,
    status_mode: StatusModeOption = StatusMode.PROJECT,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key; its value is shown now and never again."""
    request = CreateApiKeyRequest(
        id=str(uuid4()),
        project=project,
        scopes=scopes,
        networks=networks,
        bypass_second_factor=bypass_second_factor,
        allow_query_credentials=query_credentials,
        status_mode=status_mode.wire,
    )

    async def work(rpc: Rpc) -> CreateApiKeyResponse:
        return await rpc.api_keys.CreateApiKey(request)

    made = operate(folder, work)
    console.answer({"api_key_token": made.token} | documents.api_key(made.key), as_json=as_json)


@key.command("list")
def list_all(
    *, project: ProjectOption = DEFAULT_PROJECT, folder: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """List the keys of a project, oldest first, without their values."""

    async def work(rpc: Rpc) -> list[ApiKey]:
        return list((await rpc.api_keys.ListApiKeys(ListApiKeysRequest(project=project))).keys)

    console.answers("keys", [documents.api_key(each) for each in operate(folder, work)], COLUMNS, as_json=as_json)


@key.command()
def revoke(
    *,
    key_id: Annotated[str, typer.Argument(help="The key's id, as `key list` says.", show_default=False)],
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a key at once."""

    async def work(rpc: Rpc) -> None:
        await rpc.api_keys.RevokeApiKey(RevokeApiKeyRequest(id=key_id))

    operate(folder, work)
    console.answer({"revoked": key_id}, as_json=as_json)
