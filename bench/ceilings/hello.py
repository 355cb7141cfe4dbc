"""The least an aiohttp service does: answer a small JSON document. `python -m bench.ceilings.hello PORT`."""

import sys

import msgspec
import uvloop
from aiohttp import web

_ANSWER = {"status": "success", "user": {"id": 1, "email": "person@example.com", "first_name": "Per", "role": "user"}}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


async def _get(_request: web.Request) -> web.Response:
    return web.Response(body=_encode(_ANSWER), content_type="application/json")


async def _post(request: web.Request) -> web.Response:
    _decode(await request.read())
    return web.Response(body=_encode(_ANSWER), content_type="application/json")


def main() -> None:
    """Serve until terminated."""
    app = web.Application()
    app.router.add_get("/hello", _get)
    app.router.add_post("/hello", _post)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
