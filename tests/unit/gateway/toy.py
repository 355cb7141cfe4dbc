"""A small dialect for tests of the frame: what it does is in its routes, how it fails in its table."""

import asyncio
from dataclasses import dataclass
from typing import Any

from gateway.call import Call
from gateway.dialect import Dialect, Failure, Rendering, Route, StatusMode
from gateway.fields import Takes, digits, email, text, text_or_int, upload
from gateway.guards import ANYONE, BEARER
from gateway.limits import Limit
from gateway.multipart import Upload
from gateway.reply import Reply, page, redirect
from runtime.context import current
from runtime.errors import STATUS, GatepostError, Reason

ERRORS = {reason: Rendering(400 + list(STATUS).index(reason), f"toy says {reason.value}") for reason in Reason} | {
    Reason.UNKNOWN_METHOD: Rendering(404, "toy has no such thing"),
    Reason.METHOD_NOT_ALLOWED: Rendering(405, "toy does not take that"),
    Reason.RATE_LIMITED: Rendering(429, "toy is tired"),
    Reason.UNAVAILABLE: Rendering(503, "toy is away"),
    Reason.OVERLOADED: Rendering(503, "toy is busy"),
    Reason.DEADLINE_EXCEEDED: Rendering(503, "toy is late"),
    Reason.TOKEN_MISSING: Rendering(401, "toy wants a token"),
    Reason.INTERNAL: Rendering(500, "toy broke"),
}


@dataclass(frozen=True, slots=True)
class Everything:
    name: str = text()
    number: str = text_or_int(default="")
    code: str = digits(default="")
    address: str = email(default="")


async def echo(call: Call) -> Reply:
    form = await call.read(Everything)
    if form.name == "ann" and form.number == "1":
        await call.project()
    return Reply(json={"name": form.name, "number": form.number, "code": form.code, "address": form.address})


@dataclass(frozen=True, slots=True)
class Album:
    name: str = text()
    file: Upload = upload()
    second: Upload | None = upload(default=None)


async def keep(_call: Call, form: Album) -> Reply:
    return Reply(
        json={
            "name": form.name,
            "bytes": len(form.file.content),
            "type": form.file.content_type,
            "second": form.second is not None,
        }
    )


async def facts(call: Call) -> Reply:
    return Reply(
        json={
            "token": call.token,
            "host": call.host,
            "mount": call.mount,
            "segments": dict(call.segments),
            "internal": call.header("gatepost-client-address"),
            "client_address": current().client_address,
            "request_id": current().request_id,
            "remaining": current().remaining_seconds(),
        }
    )


async def fail(call: Call) -> Reply:
    seconds = call.query.get("after")
    raise GatepostError(
        Reason(str(call.query["reason"])),
        retry_after_seconds=float(str(seconds)) if seconds else None,
        metadata={"status_mode": str(call.query["mode"])} if "mode" in call.query else None,
    )


async def crash(_call: Call) -> Reply:
    raise RuntimeError("a secret nobody may read")


async def slow(call: Call) -> Reply:
    await asyncio.sleep(float(str(call.query.get("seconds", "0.3"))))
    return Reply(json={"slow": True})


async def away(call: Call) -> Reply:
    return Reply(json={"user_id": (await call.clients.authenticate(call.token)).account.user_id})


async def greet(_call: Call) -> Reply:
    return page("<p>hello</p>")


async def leave(_call: Call) -> Reply:
    return redirect("/toy/page")


async def error_body(failure: Failure) -> Reply:
    body: dict[str, Any] = {"toy": failure.rendering.text}
    if failure.error.violations:
        body["fields"] = {each.field: each.description for each in failure.error.violations}
    return Reply(json=body)


def toy(**changes: Any) -> Dialect:
    """Make the toy dialect, with some of its parts changed."""
    parts: dict[str, Any] = {
        "name": "toy",
        "prefixes": ("/toy",),
        "routes": (
            Route("POST", "/toy/echo", echo, ANYONE, Limit.ORDINARY),
            Route("GET", "/toy/asked", echo, ANYONE, Limit.ORDINARY),
            Route("GET POST", "/toy/mixed", echo, ANYONE, Limit.ORDINARY, Takes.QUERY_AND_BODY),
            Route("POST", "/toy/keep", keep, ANYONE, Limit.UPLOAD, Takes.UPLOAD),
            Route("GET", "/toy/facts", facts, ANYONE, Limit.ORDINARY),
            Route("GET", "/toy/mine", facts, BEARER, Limit.ORDINARY),
            Route("GET", "/toy/away", away, BEARER, Limit.ORDINARY),
            Route("GET", "/toy/of/{who}/{what}", facts, ANYONE, Limit.ORDINARY),
            Route("GET", "/toy/fail", fail, ANYONE, Limit.ORDINARY),
            Route("GET", "/toy/crash", crash, ANYONE, Limit.ORDINARY),
            Route("GET", "/toy/slow", slow, ANYONE, Limit.PASSWORD),
            Route("GET", "/toy/page", greet, ANYONE, Limit.ORDINARY),
            Route("GET", "/toy/leave", leave, ANYONE, Limit.ORDINARY),
        ),
        "errors": ERRORS,
        "error_body": error_body,
        "mountable": True,
    }
    return Dialect(**parts | changes)


def legacy_toy() -> Dialect:
    """Make the toy dialect as old clients want it: 200 whatever happens."""
    return toy(default_mode=StatusMode.LEGACY, legacy_status=200)
