"""P7, overload: five times as many sign-ins as can be hashed, sent whether or not they are answered.

Everything is judged against a calibration of the same run on the same machine, so that a slow machine, or one that
others use, makes no difference. The flood comes from a process of its own (`flood`).
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest_asyncio
from aiohttp import ClientError, ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, app_maker
from faults.flood import Stream

_FULL = os.environ.get("GATEPOST_FAULTS") == "full"
_CALIBRATION_SECONDS, _FLOOD_SECONDS = (10.0, 30.0) if _FULL else (4.0, 8.0)
_TIMES = 5
_CALLERS = 12  # keep all hashing threads at work
_CONNECTIONS = 500
_CHECKS_PER_SECOND = 60.0
_PEOPLE = 12
_SERVICES = ("gateway", "auth-service", "user-service", "notify-service")
_LEAST_GOODPUT = 0.8
_REFUSAL_SECONDS = 1.0
_CHECK_SECONDS = 0.5
_HEALTH_SECONDS = 0.1
_HEALTH_MOST_SECONDS = 1.0
_MORE_MEMORY = 80 * 1024 * 1024  # a hash is 19 MiB, on every core
_RECOVERY_SECONDS = 5.0


@dataclass(frozen=True)
class Target:
    """What is flooded: a stack, and requests for it."""

    stack: GatepostStack
    app: App
    sign_ins: list[str]
    checks: list[str]

    async def flood(self, seconds: float, *streams: Stream) -> dict[str, Any]:
        """Send streams for that long and return what came of each."""
        url = urlsplit(self.stack.url)
        plan = {"host": url.hostname, "port": url.port, "seconds": seconds, "streams": [asdict(s) for s in streams]}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("flood.py")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            output, _ = await process.communicate(json.dumps(plan).encode())
        except BaseException:
            process.kill()
            raise
        found: dict[str, Any] = json.loads(output)
        return found


@dataclass
class Watched:
    """What was seen from beside."""

    health: list[float] = field(default_factory=list)
    unhealthy: list[str] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=dict)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(make_stack: Callable[..., GatepostStack]) -> AsyncIterator[Target]:
    """Yield a stack that hashes as in production, with some people in it."""
    stack = make_stack(GATEPOST_ARGON2_MEMORY_KIB="19456", GATEPOST_ARGON2_ITERATIONS="2")
    await asyncio.to_thread(stack.up, "--no-demo")
    app = await asyncio.to_thread(app_maker(stack))
    async with ClientSession() as session:
        ihopr = Ihopr(session, stack.url)
        people = [await ihopr.signed_in(app) for _ in range(_PEOPLE)]
    bodies = [app.credentials | {"email": person.email, "password": person.password} for person, _ in people]
    yield Target(
        stack,
        app,
        [request(stack, "POST", "/api/v1/login", body) for body in bodies],
        [request(stack, "GET", "/api/v1/user", token=tokens["access_token"]) for _, tokens in people],
    )
    await asyncio.to_thread(stack.down)


async def test_five_times_the_sign_ins_leave_their_goodput_and_everything_else_as_it_was(target: Target) -> None:
    checks = Stream("checks", target.checks, connections=100, rate=_CHECKS_PER_SECOND)
    closed = Stream("sign-ins", target.sign_ins, connections=_CALLERS)
    await target.flood(1, closed, checks)  # warms up
    calm = await target.flood(_CALIBRATION_SECONDS, closed, checks)
    peak = len(calm["sign-ins"]["ok_seconds"]) / _CALIBRATION_SECONDS

    watched = Watched()
    watching = asyncio.create_task(watch(target.stack, watched))
    offered = Stream("sign-ins", target.sign_ins, connections=_CONNECTIONS, rate=_TIMES * peak)
    found = await target.flood(_FLOOD_SECONDS, offered, checks)
    ended = time.monotonic()
    watching.cancel()
    again = await target.flood(2, closed, checks)
    recovered = time.monotonic() - ended

    sign_ins, checked = found["sign-ins"], found["checks"]
    goodput = len(sign_ins["ok_seconds"]) / _FLOOD_SECONDS
    told = {
        "peak": round(peak, 1),
        "goodput": round(goodput, 1),
        "refused": sign_ins["statuses"],
        "refusal p95": high(sign_ins["refused_seconds"]),
        "checks": checked["statuses"],
        "check p95 calm": high(calm["checks"]["ok_seconds"]),
        "check p95": high(checked["ok_seconds"]),
        "health p95": high(watched.health),
        "health most": max(watched.health),
        "unsent": sign_ins["unsent"],
        "lost": sign_ins["lost"],
        "MB more": {name: round((max(seen) - seen[0]) / 1e6, 1) for name, seen in watched.memory.items()},
    }
    sys.stderr.write(f"\noverload: {json.dumps(told)}\n")
    assert goodput >= _LEAST_GOODPUT * peak, told
    # Whoever is refused is told so, at once, and when to come again.
    assert set(sign_ins["statuses"]) == {"200", "503"}, told
    assert (sign_ins["bare"], sign_ins["lost"], sign_ins["unsent"]) == (0, 0, 0), told
    assert high(sign_ins["refused_seconds"]) < _REFUSAL_SECONDS, told
    # Token checks go first.
    assert set(checked["statuses"]) == {"200"}, told
    assert (checked["lost"], checked["unsent"]) == (0, 0), told
    assert high(checked["ok_seconds"]) < _CHECK_SECONDS, told
    # It is alive and ready, and says so.
    assert not watched.unhealthy, told
    assert high(watched.health) < _HEALTH_SECONDS, told
    assert max(watched.health) < _HEALTH_MOST_SECONDS, told
    assert all(max(seen) - seen[0] < _MORE_MEMORY for seen in watched.memory.values()), told
    # And when it is over, it is over.
    assert recovered < _RECOVERY_SECONDS, told
    assert set(again["sign-ins"]["statuses"]) == {"200"}, again["sign-ins"]["statuses"]


async def watch(stack: GatepostStack, watched: Watched) -> None:
    """Ask for health and readiness again and again, and look at memory, until cancelled."""
    processes = {each["name"]: each for each in stack.status()["processes"] if each["name"] in _SERVICES}
    urls = [
        f"{stack.url}/healthz",
        f"{stack.url}/readyz",
        *(f"{each['metrics']}/healthz" for each in processes.values()),
    ]
    async with ClientSession() as session:
        while True:
            for url in urls:
                began = time.perf_counter()
                try:
                    async with session.get(url) as answer:
                        status = answer.status
                        await answer.read()
                except ClientError as error:
                    watched.unhealthy.append(f"{url}: {error}")
                    continue
                watched.health.append(time.perf_counter() - began)
                if status != 200:
                    watched.unhealthy.append(f"{url}: {status}")
            for name, each in processes.items():
                watched.memory.setdefault(name, []).append(psutil.Process(each["pid"]).memory_info().rss)
            await asyncio.sleep(0.05)


def high(seconds: Sequence[float]) -> float:
    """Return what 95 of 100 do not exceed."""
    return round(quantiles(seconds, n=20)[-1], 4) if len(seconds) > 1 else 0.0


def request(stack: GatepostStack, method: str, path: str, body: Any = None, token: str = "") -> str:
    """Return a whole request."""
    content = "" if body is None else json.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(stack.url).netloc}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", content])
