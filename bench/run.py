"""`make bench`: what a request costs, in CPU time of the whole stack, and how sign-in compares with bare hashing.

Starts a stack of its own on a temporary data folder, drives it over loopback for a few seconds a workload, and stops
it. CPU time (all processes, PostgreSQL and Valkey included) is steadier than throughput: the load generator shares the
cores.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil
from argon2 import PasswordHasher

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CALLERS = 16
PASSWORD = "a long bench 42"  # noqa: S105 of accounts that live for a minute
LIFTED = ("GATEPOST_SIGN_UPS_PER_ADDRESS", "GATEPOST_SIGN_IN_FAILURES_PER_ADDRESS", "GATEPOST_HASH_QUEUE_SIZE")
STACK_SETTINGS = dict.fromkeys(LIFTED, "1000000000")


@dataclass
class Person:
    """A signed-up account and its newest tokens."""

    email: str
    tokens: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One workload: requests and errors, seconds, CPU seconds of the stack, times of each request in seconds."""

    name: str
    requests: int
    errors: int
    seconds: float
    cpu_seconds: float
    times: list[float]

    def row(self) -> dict[str, Any]:
        """What the report says."""
        ordered = sorted(self.times)
        return {
            "workload": self.name,
            "per_second": round(self.requests / self.seconds, 1),
            "cpu_us": round(self.cpu_seconds / max(self.requests, 1) * 1e6),
            "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
            "errors": self.errors,
        }


class Bench:
    """Drives one stack through its public API.

    Args:
        session: HTTP client on the gateway's address.
        client: The app's id and secret.
        pids: The stack's processes.
    """

    def __init__(self, session: aiohttp.ClientSession, client: dict[str, str], pids: list[int]) -> None:
        self._session = session
        self._client = client
        self._pids = pids
        self._count = 0

    async def post(self, path: str, **members: Any) -> dict[str, Any]:
        """Call an endpoint; raises on an error status."""
        async with self._session.post(f"/api/v1/{path}", json=self._client | members) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def sign_up(self, _person: Person) -> None:
        """Make another account."""
        self._count += 1
        email = f"bench-{self._count}@example.com"
        await self.post("signup", email=email, password=PASSWORD, first_name="B", last_name="M", mobile_number=1)

    async def sign_in(self, person: Person) -> None:
        """Password, code, tokens."""
        code = (await self.post("login", email=person.email, password=PASSWORD))["code"]
        person.tokens = await self.post("api-tauth-token", code=code)

    async def refresh(self, person: Person) -> None:
        """Rotate."""
        person.tokens = await self.post("refresh-token", refresh_token=person.tokens["refresh_token"])

    async def profile(self, person: Person) -> None:
        """Read the profile."""
        headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
        async with self._session.get("/api/v1/user", headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    async def measure(self, name: str, step: Callable[[Person], Awaitable[None]], people: list[Person]) -> Result:
        """Let every person repeat a step for SECONDS."""
        times: list[float] = []
        errors = 0
        started, cpu = time.perf_counter(), cpu_seconds(self._pids)

        async def caller(person: Person) -> None:
            nonlocal errors
            while (now := time.perf_counter()) - started < SECONDS:
                try:
                    await step(person)
                except aiohttp.ClientResponseError:
                    errors += 1
                times.append(time.perf_counter() - now)

        await asyncio.gather(*(caller(person) for person in people))
        elapsed = time.perf_counter() - started
        return Result(name, len(times), errors, elapsed, cpu_seconds(self._pids) - cpu, times)


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of processes and their children."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            times = each.cpu_times()
            total += times.user + times.system
    return total


def memory_mb(pids: list[int]) -> float:
    """Proportional set size of processes and their children, in MB."""
    processes = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    return sum(each.memory_full_info().pss for each in processes) / 1e6


def bare_hashes_per_second() -> float:
    """Argon2id at the default cost, on all cores, with nothing around it."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    encoded = hasher.hash(PASSWORD)
    until = time.perf_counter() + min(SECONDS, 3)

    def loop(_worker: int) -> int:
        done = 0
        while time.perf_counter() < until:
            hasher.verify(encoded, PASSWORD)
            done += 1
        return done

    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(loop, range(workers))) / min(SECONDS, 3)


def gatepost(*arguments: str) -> Any:
    """Run the command and return its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "gatepost_cli", *arguments, "--json"], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


async def drive(url: str, client: dict[str, str], pids: list[int]) -> list[dict[str, Any]]:
    """Run every workload and return its rows."""
    async with aiohttp.ClientSession(url) as session:
        bench = Bench(session, client, pids)
        people = [Person(f"caller-{number}@example.com") for number in range(CALLERS)]
        for person in people:
            await bench.post(
                "signup", email=person.email, password=PASSWORD, first_name="C", last_name="R", mobile_number=1
            )
            await bench.sign_in(person)
        rows = []
        for name, step in (
            ("profile read", bench.profile),
            ("refresh", bench.refresh),
            ("sign-in to tokens", bench.sign_in),
            ("sign-up", bench.sign_up),
        ):
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            rows.append((await bench.measure(name, step, people)).row())
        return rows


def main() -> None:
    """Start, measure, report, stop."""
    bare = bare_hashes_per_second()
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as folder:
        os.environ |= STACK_SETTINGS | {"GATEPOST_DATA_DIR": f"{folder}/data"}
        began = time.perf_counter()
        status = gatepost("up", "--detach", "--port", "0")
        start_seconds = time.perf_counter() - began
        try:
            pids = [process["pid"] for process in gatepost("status")["processes"]]
            idle = memory_mb(pids)
            app = gatepost("app", "create", "bench", "--project", "default")
            client = {name: app[name] for name in ("client_id", "client_secret")}
            rows = asyncio.run(drive(status["url"], client, pids))
        finally:
            gatepost("down")
    report = {
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "first_start_seconds": round(start_seconds, 1),
        "idle_memory_mb": round(idle),
        "bare_argon2_per_second": round(bare, 1),
        "workloads": rows,
    }
    if "--json" in sys.argv:
        print(json.dumps(report))
        return
    print(f"Python {report['python']}, {report['cores']} cores; first start {report['first_start_seconds']} s")
    print(f"idle memory {report['idle_memory_mb']} MB; bare Argon2id {report['bare_argon2_per_second']}/s\n")
    print("| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
