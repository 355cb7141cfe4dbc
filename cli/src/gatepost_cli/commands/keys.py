"""`gatepost keys`: the keys that tokens and short codes are made with, and those that sign for others."""

from typing import Annotated

import typer

from gatepost.auth.v1.operations_pb2 import (
    ListKeysRequest,
    ListKeysResponse,
    ResealKeysRequest,
    RotateKeysRequest,
    RotateKeysResponse,
)
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.operate import Rpc, operate

keys = typer.Typer(
    help="List, rotate, revoke and reseal the keys that tokens are made with.",
    no_args_is_help=True,
    add_completion=False,
)
COLUMNS = ("id", "state", "created_at", "revoked_at")


@keys.command("list")
def list_all(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """List the keys, newest first, never their value."""

    async def work(rpc: Rpc) -> ListKeysResponse:
        return await rpc.keys.ListKeys(ListKeysRequest())

    found = operate(folder, work)
    token_keys = [documents.key(each) for each in found.keys]
    signing_keys = [documents.signing_key(each) for each in found.signing_keys]
    if as_json:
        console.document({"keys": token_keys, "signing_keys": signing_keys})
        return
    console.answers("keys", token_keys, COLUMNS, as_json=False)
    console.answers("signing keys", signing_keys, COLUMNS, as_json=False)


@keys.command()
def rotate(
    *,
    emergency: Annotated[
        bool, typer.Option("--emergency", help="Revoke the keys before: everybody has to sign in again, at once.")
    ] = False,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make new keys; tokens made with those before stay good until they expire, except in an emergency."""

    async def work(rpc: Rpc) -> RotateKeysResponse:
        return await rpc.keys.RotateKeys(RotateKeysRequest(emergency=emergency))

    made = operate(folder, work)
    answer = {"key": documents.key(made.key), "signing_key": documents.signing_key(made.signing_key)}
    console.answer(answer, as_json=as_json)


@keys.command()
def reseal(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Seal every key anew under the first of several master keys, so that those after it can be taken away."""

    async def work(rpc: Rpc) -> int:
        return (await rpc.keys.ResealKeys(ResealKeysRequest())).count

    console.answer({"resealed": operate(folder, work)}, as_json=as_json)
