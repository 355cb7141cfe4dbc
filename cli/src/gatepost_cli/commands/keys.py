"""`gatepost keys`: the keys that tokens and short codes are made with."""

import typer

from gatepost.auth.v1.operations_pb2 import Key, ListKeysRequest, RotateKeysRequest
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.operate import Rpc, operate

keys = typer.Typer(
    help="List and rotate the keys that tokens are made with.", no_args_is_help=True, add_completion=False
)
COLUMNS = ("id", "active", "created_at")


@keys.command("list")
def list_all(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """List the keys, newest first, never their value."""

    async def work(rpc: Rpc) -> list[Key]:
        return list((await rpc.keys.ListKeys(ListKeysRequest())).keys)

    console.answers("keys", [documents.key(each) for each in operate(folder, work)], COLUMNS, as_json=as_json)


@keys.command()
def rotate(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Make a new key; tokens made with those before stay good until they expire."""

    async def work(rpc: Rpc) -> Key:
        return (await rpc.keys.RotateKeys(RotateKeysRequest())).key

    console.answer({"key": documents.key(operate(folder, work))}, as_json=as_json)
