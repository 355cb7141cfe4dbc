"""The load generator: wrk (a compiled program) and requests made beforehand; autocannon, with a loud remark, without.

Makes load and counts answers. Who pays for it in CPU time is `accounting`'s business.
"""

import asyncio
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import cache

_HERE = Path(__file__).parent
_DRAIN_SECONDS = 10
_GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Follow:
    """A further request for each answer that matches.

    Attributes:
        pattern: a Lua pattern with one capture, the value; tried on each body.
        parts: head up to the value of Content-Length, head after it, body before and after the value.
        chain: the further requests wait until those made beforehand are used up (a refresh token's successor);
            otherwise they go first, and belong to the same operation.
    """

    pattern: str
    parts: tuple[bytes, bytes, bytes, bytes]
    chain: bool = False


@dataclass(frozen=True)
class Plan:
    """What to send.

    Attributes:
        url: of the server, `http://127.0.0.1:port`.
        entries: whole requests, as `http` makes them.
        cycle: begin anew when all are sent; otherwise the load ends then.
        expect: what every answer's body contains.
        follow: what answers lead to.
        callers: connections, each with one request under way.
        think_ms: mean pause of a caller between two requests.
    """

    url: str
    entries: Sequence[bytes]
    cycle: bool = True
    expect: str = ""
    follow: Follow | None = None
    callers: int = 64
    think_ms: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of it: whole operations, errors among the answers, seconds, percentiles in milliseconds."""

    operations: int
    errors: int
    seconds: float
    p50: float
    p95: float
    p99: float
    sample: str
    exhausted: bool


def http(method: str, host: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> bytes:
    """Return a whole HTTP/1.1 request; a body that is not bytes goes as JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: gatepost-bench"]
    content = b""
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        kind = (headers or {}).get("Content-Type", "application/json")
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items() if name != "Content-Type"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def following(request: bytes, value: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Take a request with a value in its body apart into the parts of `Follow`."""
    head, _, body = request.partition(b"\r\n\r\n")
    length = f"Content-Length: {len(body)}".encode()
    before, _, after = head.partition(length)
    first, _, second = body.partition(value)
    return before + b"Content-Length: ", after + b"\r\n\r\n", first, second


async def run(plan: Plan, seconds: float) -> Outcome:
    """Send for that long, or until what was made beforehand is used up.

    Raises:
        RuntimeError: the generator failed.
    """
    with tempfile.TemporaryDirectory(prefix="gatepost-load-") as folder:
        entries, template = Path(folder, "entries"), Path(folder, "template")
        _write(entries, plan.entries)
        _write(template, plan.follow.parts if plan.follow else ())
        environment = os.environ | {
            "BENCH_ENTRIES": str(entries),
            "BENCH_TEMPLATE": str(template),
            "BENCH_CYCLE": str(int(plan.cycle)),
            "BENCH_CHAIN": str(int(bool(plan.follow and plan.follow.chain))),
            "BENCH_EXPECT": plan.expect,
            "BENCH_FOLLOW": plan.follow.pattern if plan.follow else "",
            "BENCH_SECONDS": str(seconds),
            "BENCH_THINK_MS": str(plan.think_ms),
            "PEER_MODULES": str(cache.node_folder() / "node_modules"),
        }
        found = await _generate(_command(plan, seconds), environment, seconds)
    return _outcome(plan, found)


def _command(plan: Plan, seconds: float) -> list[str]:
    if shutil.which("wrk"):
        length = f"-d{math.ceil(seconds + _DRAIN_SECONDS)}s"  # it ends by itself when all is answered
        return ["wrk", "-t1", f"-c{plan.callers}", length, "--timeout", "10s", "-s", str(_HERE / "load.lua"), plan.url]
    return [*cache.node(), str(_HERE / "load.mjs"), plan.url, str(plan.callers), str(seconds)]


async def _generate(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> dict[str, Any]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(seconds + _GRACE_SECONDS):
            output, complaint = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    lines = [line for line in output.decode(errors="replace").splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise RuntimeError(f"{command[0]} failed: {complaint.decode(errors='replace') or output.decode()}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _outcome(plan: Plan, found: Mapping[str, Any]) -> Outcome:
    within = plan.follow is not None and not plan.follow.chain
    milliseconds = found["ms"]
    return Outcome(
        operations=found["answered"] - (found["followed"] if within else 0),
        errors=found["wrong"] + found["lost"],
        seconds=max(found["seconds"], 0.001),
        # Of an operation of two requests, the slow one is the upper half of the times.
        p50=milliseconds["75" if within else "50"],
        p95=milliseconds["95"],
        p99=milliseconds["99.5" if within else "99"],
        sample=found["sample"],
        exhausted=bool(found["exhausted"]),
    )


def _write(path: Path, entries: Sequence[bytes]) -> None:
    with path.open("wb") as file:
        for entry in entries:
            file.write(b"%d\n" % len(entry))
            file.write(entry)
