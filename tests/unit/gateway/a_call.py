"""A request as handlers see it, made by hand: for what needs no core."""

from typing import cast

from multidict import CIMultiDict

from gateway.call import Call
from gateway.clients import Clients
from gateway.fields import Takes
from gateway.params import NOTHING


async def _nothing() -> bytes:
    return b""


def a_call(
    target: str = "/", *, method: str = "GET", host: str = "id.example", mount: str = "", **headers: str
) -> Call:
    """Make a call. Headers are named with underscores; there are no services behind it."""
    return Call(
        clients=cast("Clients", None),
        method=method,
        takes=Takes.QUERY,
        query=NOTHING,
        headers=CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}),
        receive=_nothing,
        json_depth=1,
        segments={},
        host=host,
        mount=mount,
        target=target,
        public_url="https://public.example",
    )
