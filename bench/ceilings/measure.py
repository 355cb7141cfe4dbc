"""Measures the ceilings: starts each part's processes once, then one round after another.

A round gives CPU microseconds per item of both sides together, the load generator of HTTP excluded.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import cache, children, load
from bench.accounting import Group, spent
from bench.servers import Servers

PARTS = (
    *("http_get", "http_post", "unary", "rpc", "read", "commit_each", "commit", "script", "signature"),
    *("hash", "hash_installable"),
)
QUICK_PARTS = tuple(part for part in PARTS if part not in {"unary", "commit_each"})
MEMORY_KIB, ITERATIONS = 19_456, 2
_BODY = {"refresh_token": "x" * 68, "client_id": "1234567890", "client_secret": "y" * 32}


@dataclass(frozen=True)
class Sample:
    """One round of one part.

    Attributes:
        cpu_us: of one item.
        per_second: items.
    """

    cpu_us: float
    per_second: float


@dataclass(frozen=True)
class Hasher:
    """One way to hash: how to call bench/ceilings/hashing.py for it, and whether it had to be built here."""

    name: str
    command: tuple[str, ...]
    folder: str = ""

    @property
    def built(self) -> bool:
        """Whether it needs a compiler."""
        return bool(self.folder)


def hashers() -> list[Hasher]:
    """Return the hashers that are installed; see bench.install."""
    found = [Hasher("argon2-cffi wheel", (sys.executable, "argon2-cffi"))]
    native = cache.folder() / "argon2"
    if (native / "argon2").is_dir():
        found.append(Hasher("argon2-cffi built for this processor", (sys.executable, "argon2-cffi"), str(native)))
    if list(cache.python_folder().glob("lib/*/site-packages/nacl")):
        found.append(Hasher("PyNaCl", (cache.python(), "pynacl")))
    return found


class Ceilings:
    """The measured processes. An asynchronous context.

    Args:
        servers: PostgreSQL and Valkey.
        folder: for logs.
        callers: as many as the workloads have.
    """

    def __init__(self, servers: Servers, folder: Path, callers: int) -> None:
        self._servers = servers
        self._folder = folder
        self._callers = callers
        self._children: dict[str, children.Child] = {}
        self.best_hasher = self.installable_hasher = hashers()[0]

    async def __aenter__(self) -> Self:
        """Start the servers of the parts."""
        for name in ("hello", "rpc_server"):
            port = children.free_port()
            command = [sys.executable, "-m", f"bench.ceilings.{name}", str(port)]
            log = self._folder / f"{name}.log"
            self._children[name] = await children.start(command, port, log=log, folder=cache.ROOT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them."""
        for child in self._children.values():
            await child.stop()

    async def find_best_hasher(self, seconds: float) -> dict[str, Sample]:
        """Compare the hashers; the best is the limit from now on, and the best ready-made one is measured besides."""
        found = {hasher.name: await self._hash(hasher, seconds) for hasher in hashers()}
        ranked = sorted(hashers(), key=lambda hasher: found[hasher.name].cpu_us)
        self.best_hasher, self.installable_hasher = ranked[0], next(each for each in ranked if not each.built)
        return found

    async def measure(self, part: str, seconds: float) -> Sample:
        """Measure one round of one part."""
        rpc, dsn = str(self._port("rpc_server")), self._servers.dsn("ceilings")
        database = self._servers.database_group
        rounds: dict[str, Callable[[], Awaitable[Sample]]] = {
            "http_get": lambda: self._http("GET", None, seconds),
            "http_post": lambda: self._http("POST", _BODY, seconds),
            "unary": lambda: self._call("unary", rpc, self._group("rpc_server"), seconds),
            "rpc": lambda: self._call("rpc", rpc, self._group("rpc_server"), seconds),
            "read": lambda: self._call("read", dsn, database, seconds),
            "commit_each": lambda: self._call("commit_each", dsn, database, seconds),
            "commit": lambda: self._call("commit", dsn, database, seconds),
            "script": lambda: self._call("script", self._servers.valkey.url, self._servers.valkey_group, seconds),
            "signature": lambda: self._call("signature", "-", Group({}), seconds),
            "hash": lambda: self._hash(self.best_hasher, seconds),
            "hash_installable": lambda: self._hash(self.installable_hasher, seconds),
        }
        return await rounds[part]()

    async def _http(self, method: str, body: object, seconds: float) -> Sample:
        port = self._port("hello")
        entry = load.http(
            method, f"127.0.0.1:{port}", "/hello", headers={"Authorization": "Bearer " + "t" * 68}, body=body
        )
        group, plan = self._group("hello"), load.Plan(f"http://127.0.0.1:{port}", [entry], callers=self._callers)
        before = group.cpu_seconds()
        outcome = await load.run(plan, seconds)
        used = sum(spent(before, group.cpu_seconds()).values())
        return Sample(used / outcome.operations * 1e6, outcome.operations / outcome.seconds)

    async def _call(self, part: str, address: str, group: Group, seconds: float) -> Sample:
        command = [sys.executable, "-m", "bench.ceilings.caller", part, address, str(self._callers), str(seconds)]
        before = group.cpu_seconds()
        found = json.loads(await children.run(command, folder=cache.ROOT))
        used = sum(spent(before, group.cpu_seconds()).values()) + found["cpu_seconds"]
        return Sample(used / found["items"] * 1e6, found["items"] / found["seconds"])

    async def _hash(self, hasher: Hasher, seconds: float) -> Sample:
        interpreter, name = hasher.command
        script = str(Path(__file__).parent / "hashing.py")
        settings = (str(MEMORY_KIB), str(ITERATIONS), str(seconds))
        folders: Sequence[str] = (hasher.folder,) if hasher.folder else ()
        found = json.loads(await children.run([interpreter, script, name, *settings, *folders]))
        return Sample(found["cpu_seconds"] / found["items"] * 1e6, found["items"] / found["seconds"])

    def _port(self, name: str) -> int:
        return self._children[name].port

    def _group(self, name: str) -> Group:
        return Group({name: self._children[name].process.pid})
