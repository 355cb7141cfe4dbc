"""What a peer is to the bench: how it is started, which workloads it has, and what is sent for each."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.accounting import Group
from bench.children import Child
from bench.load import Follow, Plan
from bench.servers import Servers

PASSWORD = "a long bench 42"  # noqa: S105 of accounts that live for minutes
Maker = Callable[[int], Awaitable[Plan]]


class NotInstalledError(Exception):
    """The peer cannot be run here; the text says why."""


@dataclass(frozen=True)
class Room:
    """Where and how a peer runs.

    Attributes:
        servers: PostgreSQL and Valkey for it.
        folder: its own, for data and logs.
        users: seeded users; each has a token.
        callers: connections of cheap workloads.
        hash_callers: connections of those that hash.
        defaults: hash passwords as the peer does by itself, not with our parameters.
    """

    servers: Servers
    folder: Path
    users: int
    callers: int
    hash_callers: int
    defaults: bool = False


class Peer(ABC):
    """One peer. `start` comes first; then `workloads` and `group` are of use; `stop` ends it.

    Attributes:
        name: as its authors write it.
        packages: what it consists of, by distribution or package name, for the versions of the report.
        settings: in one line, what it is configured to.
        unequal: workloads that are less work than ours, and in what: told, but not compared with.
    """

    name: str
    packages: Sequence[str]
    settings: str
    unequal: ClassVar[Mapping[str, str]] = {}

    def __init__(self, room: Room) -> None:
        self.room = room
        self.child: Child | None = None

    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Return the installed versions.

        Raises:
            NotInstalledError: something is missing.
        """

    @abstractmethod
    async def start(self) -> None:
        """Make users and tokens, and start it.

        Raises:
            RuntimeError: it does not start.
        """

    @abstractmethod
    def workloads(self) -> Mapping[str, Maker]:
        """Return what makes the plan of each workload it has; the argument is as of `Workloads.plan`."""

    def alike(self) -> Mapping[str, str]:
        """Return workloads that are the very same requests as another one: measured once, told for both."""
        makers = self.workloads()
        first = {maker: name for name, maker in reversed(list(makers.items()))}
        return {name: first[maker] for name, maker in makers.items() if first[maker] != name}

    @abstractmethod
    def servers(self) -> Group:
        """Return which of PostgreSQL and Valkey works for it."""

    @property
    def group(self) -> Group:
        """Its processes and its share of the servers."""
        return Group({self.name: self.running.process.pid}) | self.servers()

    @property
    def running(self) -> Child:
        """The program."""
        if self.child is None:
            raise RuntimeError(f"{self.name} is not started")
        return self.child

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.running.port}"

    async def stop(self) -> None:
        """End it, and forget its data."""
        if self.child is not None:
            await self.child.stop()
        shutil.rmtree(self.room.folder, ignore_errors=True)

    def of(
        self,
        entries: Sequence[bytes],
        *,
        expect: str,
        cycle: bool = True,
        follow: Follow | None = None,
        hashing: bool = False,
    ) -> Plan:
        """Return a plan with this peer's address and callers."""
        callers = self.room.hash_callers if hashing else self.room.callers
        return Plan(self.url, entries, cycle, expect, follow, callers)
